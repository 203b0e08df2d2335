"""Videos: whole or not at all."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")

from mirage_env.video import VideoError, VideoWriter, write_video  # noqa: E402


def frames(count, height=48, width=64):
    for i in range(count):
        frame = np.zeros((height, width, 3), np.uint8)
        frame[:, i % width :] = (84, 224, 255)
        yield frame


def read_mp4(path):
    """Return the frames and what ffmpeg says of the file."""
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-i",
        str(path),
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        "-",
    ]
    done = subprocess.run(command, capture_output=True, check=True)
    said = done.stderr.decode()
    width, height = map(int, re.findall(r" (\d+)x(\d+)[ ,]", said)[0])
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, height, width, 3), said


def read_gif(path):
    """Return the frames and how long each is shown, in ms."""
    with Image.open(path) as image:
        shown = [
            (np.array(f.convert("RGB")), f.info["duration"]) for f in ImageSequence.Iterator(image)
        ]
    return np.stack([frame for frame, _ in shown]), [duration for _, duration in shown]


def test_mp4_holds_every_frame_at_its_rate(tmp_path):
    count = write_video(tmp_path / "a.mp4", frames(20), fps=30)
    got, said = read_mp4(tmp_path / "a.mp4")
    assert count == len(got) == 20
    assert " 30 fps" in said
    wanted = np.stack(list(frames(20))).astype(int)
    assert np.abs(got.astype(int) - wanted).mean() < 4


def test_gif_shows_every_second_of_thirty_frames_a_second_in_the_right_time(tmp_path):
    write_video(tmp_path / "a.gif", frames(60), fps=30)
    got, durations = read_gif(tmp_path / "a.gif")
    assert np.array_equal(
        got, np.stack(list(frames(60)))[::2]
    )  # flat colours stay exactly what they are
    assert sum(durations) == pytest.approx(2000, abs=20)


def test_odd_sizes_are_kept_in_a_gif_and_get_a_line_in_an_mp4(tmp_path):
    write_video(tmp_path / "a.gif", frames(4, 31, 33), fps=10)
    write_video(tmp_path / "a.mp4", frames(4, 31, 33), fps=10)
    assert read_gif(tmp_path / "a.gif")[0].shape == (4, 31, 33, 3)
    assert read_mp4(tmp_path / "a.mp4")[0].shape == (4, 32, 34, 3)


def test_the_folder_is_made_and_nothing_else_is_left_in_it(tmp_path):
    for name in ("a.mp4", "a.gif"):
        write_video(tmp_path / "new" / "deep" / name, frames(4))
    assert sorted(p.name for p in (tmp_path / "new" / "deep").iterdir()) == ["a.gif", "a.mp4"]


@pytest.mark.parametrize("name", ["a.avi", "a", "a.mp4.txt"])
def test_other_names_are_refused(tmp_path, name):
    with pytest.raises(ValueError, match=r"must end in \.mp4 or \.gif"):
        VideoWriter(tmp_path / name)


@pytest.mark.parametrize("fps", [0, -1, 2.5, True, "30"])
def test_other_rates_are_refused(tmp_path, fps):
    with pytest.raises(ValueError, match="fps must be a whole number"):
        VideoWriter(tmp_path / "a.mp4", fps=fps)


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((0, 8, 3), np.uint8),
        np.zeros((8, 8, 3), np.float32),
        [[1, 2, 3]],
    ],
)
def test_what_is_not_a_frame_is_refused(tmp_path, frame):
    with pytest.raises(ValueError, match=r"a frame must be uint8 \[height, width, 3\]"):
        write_video(tmp_path / "a.mp4", [frame])
    assert not list(tmp_path.iterdir())


def test_a_frame_of_another_shape_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="shape of the first"):
        write_video(tmp_path / "a.mp4", [*frames(3), np.zeros((8, 8, 3), np.uint8)])
    assert not list(tmp_path.iterdir())


def test_no_frame_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="no frame was written"):
        write_video(tmp_path / "a.mp4", [])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a.mp4", "a.gif"])
def test_an_exception_leaves_the_old_video_as_it_was(tmp_path, name):
    (tmp_path / name).write_bytes(b"the old one")

    def broken():
        yield from frames(5)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_video(tmp_path / name, broken())
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == b"the old one"


def test_a_folder_in_the_way_is_named(tmp_path):
    (tmp_path / "a.mp4").mkdir()
    with pytest.raises(VideoError, match="it is a folder"):
        VideoWriter(tmp_path / "a.mp4")


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(VideoError, match="cannot write a video in the folder"):
        VideoWriter(tmp_path / "file" / "a.mp4")


NO_ROOM = """
import resource, sys
import numpy as np
from mirage_env.video import VideoError, write_video

resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))
noise = np.random.default_rng(0).integers(0, 256, (40, 64, 64, 3), np.uint8)
try:
    write_video(sys.argv[1], noise)
except VideoError as error:
    print(error)
    sys.exit(0)
sys.exit(1)
"""


@pytest.mark.parametrize("name", ["a.mp4", "a.gif"])
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path, name):
    command = [sys.executable, "-c", NO_ROOM, str(tmp_path / name)]
    root = Path(__file__).parent.parent
    done = subprocess.run(
        command, cwd=root, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "could not be written" in done.stdout
    assert done.stderr == ""
    assert not list(tmp_path.iterdir())


def test_without_ffmpeg_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(ImportError, match=r"pip install 'mirage-env\[video\]'"):
        VideoWriter(tmp_path / "a.mp4")
