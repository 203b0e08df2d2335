"""Write frames to an mp4 or a gif: either the whole video is there in the end, or nothing.

The frames go through the ffmpeg that imageio-ffmpeg brings (``pip install 'mirage-env[video]'``) to
a file with a temporary name in the same folder, which takes its real name when it is complete.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import IO, NoReturn

import numpy as np
from numpy.typing import NDArray

from mirage_env.errors import import_extra

__all__ = ["GIF_FPS", "SUFFIXES", "VideoError", "VideoWriter", "write_video"]

SUFFIXES = (".mp4", ".gif")

GIF_FPS = 15
"""A gif shows at most so many frames a second: twice as many make a file twice as large."""

_H264 = ("-c:v", "libx264", "-crf", "16", "-pix_fmt", "yuv420p", "-movflags", "+faststart")
_LOSSLESS = ("-c:v", "libx264rgb", "-crf", "0", "-preset", "ultrafast")


class VideoError(OSError):
    """A video cannot be written, or was not written to its end."""


class VideoWriter:
    """Write a video frame by frame.

    When the block is left by an exception, or the encoder fails, no file is left, and one that was
    there stays as it was.

    Example:
        >>> with VideoWriter("game.mp4", fps=30) as video:
        ...     for frame in frames:
        ...         video.write(frame)
    """

    def __init__(self, path: str | os.PathLike[str], fps: int = 30) -> None:
        """Check that the video can be written; make its folder if there is none.

        Args:
            path: Ends in ``.mp4`` or ``.gif``.
            fps: Frames a second; a gif keeps at most `GIF_FPS` of them.

        Raises:
            ValueError: If `path` ends otherwise or `fps` is not a positive whole number.
            MissingExtraError: Without imageio-ffmpeg.
            VideoError: If the folder cannot be made or written.
        """
        self.path = Path(path)
        self.fps = fps
        self.frames = 0
        suffix = self.path.suffix.lower()
        if suffix not in SUFFIXES:
            raise ValueError(
                f"a video's name must end in {' or '.join(SUFFIXES)}, got {str(path)!r}"
            )
        if isinstance(fps, bool) or not isinstance(fps, int) or fps < 1:
            raise ValueError(f"fps must be a whole number from 1, got {fps!r}")
        self._ffmpeg = _find_ffmpeg()
        self._gif = suffix == ".gif"
        self._shape: tuple[int, ...] = ()
        self._encoder: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        # A gif shows one frame of each so many.
        self._stride = -(-fps // GIF_FPS) if self._gif else 1
        self._part = self.path.with_name(f".{self.path.stem}-{secrets.token_hex(4)}{suffix}")
        # A gif's palette is made of all its frames: they are kept without loss until the last.
        self._frames_part = self._part.with_suffix(".mkv") if self._gif else self._part
        self._check_folder()

    def _check_folder(self) -> None:
        if self.path.is_dir():
            raise VideoError(f"cannot write a video to {self.path}: it is a folder")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._part.touch(exist_ok=False)
            self._part.unlink()
        except OSError as error:
            reason = error.strerror or error
            raise VideoError(
                f"cannot write a video in the folder {self.path.parent}: {reason}"
            ) from error

    def __enter__(self) -> VideoWriter:
        """Return the writer itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Complete the video, or throw it away if the block was left by an exception."""
        if kind is None:
            self.close()
        else:
            self.discard()

    def write(self, frame: NDArray[np.uint8]) -> None:
        """Append a frame.

        Args:
            frame: uint8 [height, width, 3], red green blue; the same shape each time.

        Raises:
            ValueError: If the frame is not such an array.
            VideoError: If the encoder fails (a full disk, for instance); nothing is left then.
        """
        shape = getattr(frame, "shape", ())
        if (
            getattr(frame, "dtype", None) != np.uint8
            or len(shape) != 3
            or shape[2] != 3
            or 0 in shape
        ):
            got = f"{getattr(frame, 'dtype', type(frame).__name__)} {list(shape)}"
            raise ValueError(f"a frame must be uint8 [height, width, 3], got {got}")
        if self._shape and shape != self._shape:
            raise ValueError(
                f"all frames must have the shape of the first, {self._shape}, got {shape}"
            )
        self._shape = shape
        self.frames += 1
        if (self.frames - 1) % self._stride:
            return
        # The encoder wants even sides: an odd one gets a black line.
        even = np.pad(frame, ((0, shape[0] % 2), (0, shape[1] % 2), (0, 0)))
        if self._encoder is None:
            self._encoder = self._start(even.shape[1], even.shape[0])
        assert self._encoder.stdin is not None
        try:
            self._encoder.stdin.write(np.ascontiguousarray(even).data)
        except OSError:
            self._fail()

    def _start(self, width: int, height: int) -> subprocess.Popen[bytes]:
        raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}"]
        raw += ["-r", f"{self.fps}/{self._stride}", "-i", "-"]
        target = [*(_LOSSLESS if self._gif else _H264), str(self._frames_part)]
        self._log = tempfile.TemporaryFile()
        return subprocess.Popen(
            [self._ffmpeg, "-v", "error", "-y", *raw, *target],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            start_new_session=True,  # Ctrl-C is for us: we end the encoder
        )

    def close(self) -> None:
        """Complete the video and give it its name.

        Raises:
            ValueError: If no frame was written.
            VideoError: If the file did not come out whole; nothing is left then.
        """
        if self._encoder is None:
            raise ValueError(f"no frame was written to {self.path}")
        try:
            self._end_encoder()
            if self._encoder.returncode:
                self._fail()
            if self._gif:
                self._make_gif()
            os.replace(self._part, self.path)
        except OSError as error:
            if isinstance(error, VideoError):
                raise
            self._fail(str(error))
        finally:
            self.discard()

    def _end_encoder(self) -> None:
        assert self._encoder is not None
        assert self._encoder.stdin is not None
        try:
            self._encoder.stdin.close()
        except OSError:
            pass  # it stopped before the last frame; its exit code says so
        self._encoder.wait()

    def _make_gif(self) -> None:
        height, width = self._shape[:2]
        graph = (
            f"crop={width}:{height}:0:0,split[a][b];"
            "[a]palettegen=stats_mode=full[palette];"
            "[b][palette]paletteuse=dither=none:diff_mode=rectangle"
        )
        filters = ("-filter_complex", graph, "-loop", "0")
        done = subprocess.run(
            [self._ffmpeg, "-v", "error", "-y", "-i", self._frames_part, *filters, self._part],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            check=False,
        )
        if done.returncode:
            self._fail()

    def discard(self) -> None:
        """Stop, and remove what was written under a temporary name."""
        if self._encoder is not None:
            self._encoder.kill()
            self._end_encoder()
            self._encoder = None
        if self._log is not None:
            self._log.close()
            self._log = None
        for part in {self._part, self._frames_part}:
            part.unlink(missing_ok=True)

    def _fail(self, reason: str = "") -> NoReturn:
        if not reason and self._log is not None:
            if self._encoder is not None:
                self._end_encoder()
            self._log.seek(0)
            lines = self._log.read().decode(errors="replace").strip().splitlines()
            reason = lines[0] if lines else "the encoder stopped: is the disk full?"
        self.discard()
        raise VideoError(f"the video {self.path} could not be written: {reason}")


def _find_ffmpeg() -> str:
    imageio_ffmpeg = import_extra("imageio_ffmpeg", "video", "writing a video")
    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise VideoError(
            "imageio-ffmpeg found no ffmpeg: install one, or pip install --force-reinstall it"
        ) from error


def write_video(
    path: str | os.PathLike[str], frames: Iterable[NDArray[np.uint8]], fps: int = 30
) -> int:
    """Write frames (each uint8 [height, width, 3]) to an mp4 or a gif; return how many.

    Raises what `VideoWriter` raises.
    """
    with VideoWriter(path, fps) as video:
        for frame in frames:
            video.write(frame)
    return video.frames
