"""The command `mirage`: help, exit codes, one-line errors, and playing without a display."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("tyro")

import mirage_env
from mirage_env import cli
from mirage_env.play.settings import Settings

ROOT = Path(__file__).resolve().parent.parent


def mirage(*arguments, cwd=ROOT, before="", **environment):
    """Run the command in a process of its own, without a display; run the code `before` first."""
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER")
    inherited = {name: value for name, value in os.environ.items() if name not in hidden}
    code = f"import sys\n{before}\nfrom mirage_env.cli import main\nsys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=cwd,
        env={**inherited, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def without(*packages):
    """Return code after which some packages cannot be imported."""
    return (
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.partition('.')[0] in {packages!r}:\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
    )


def one_line(text):
    assert text.startswith("mirage: ")
    assert text.count("\n") == 1
    assert "Traceback" not in text
    return text


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_help_lists_every_subcommand_with_an_example(arguments, capsys):
    assert cli.main(arguments) == 0
    said = capsys.readouterr().out
    for name in ("serve", "play", "dream", "record", "replay", "train", "evaluate", "version"):
        assert f"Example: mirage {name}" in said


@pytest.mark.parametrize("name", ["play", "dream", "record", "replay", "version"])
def test_each_subcommand_has_help_with_an_example(name, capsys):
    assert cli.main([name, "--help"]) == 0
    assert f"Example: mirage {name}" in capsys.readouterr().out


def test_help_imports_neither_torch_nor_pygame():
    code = "import atexit; atexit.register(lambda: print({'torch', 'pygame'} & set(sys.modules)))"
    done = mirage("--help", before=code)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "set()"


def test_help_works_without_torch_pygame_and_imageio():
    hidden = without("torch", "pygame", "imageio_ffmpeg")
    assert mirage("--help", before=hidden).returncode == 0


@pytest.mark.parametrize("arguments", [["version"], ["--version"]])
def test_version_says_what_can_run(arguments, capsys):
    assert cli.main(arguments) == 0
    said = capsys.readouterr().out.splitlines()
    rules = mirage_env.RULES_VERSION
    assert said[0] == f"mirage {mirage_env.__version__}, rules version {rules}"
    assert "backend oracle: yes" in said


@pytest.mark.parametrize(
    "arguments",
    [
        ["paly"],
        ["play", "--nonsense"],
        ["play", "--size", "63"],
        ["play", "--size", "1025"],
        ["play", "--size", "big"],
        ["play", "--seconds", "0"],
        ["play", "--seconds", "nan"],
        ["play", "--seconds", "3601"],
        ["play", "--seed", "-1"],
        ["play", "--record", "a.avi"],
        ["dream", "--backend", "gpu"],
        ["version", "extra"],
    ],
)
def test_wrong_usage_exits_with_2_and_says_why(arguments, capsys):
    assert cli.main(arguments) == 2
    said = capsys.readouterr().err
    assert arguments[-1] in said or arguments[-2] in said
    assert "Traceback" not in said


@pytest.mark.parametrize("name", ["play", "dream", "record", "replay", "version"])
def test_wrong_usage_points_at_the_help_of_the_subcommand(name, capsys):
    assert cli.main([name, "a.replay", "--nonsense"]) == 2
    assert f"mirage {name} --help" in capsys.readouterr().err


@pytest.mark.parametrize("name", cli.SUBCOMMANDS)
def test_help_names_values_in_words(name, capsys):
    if name in cli.DELEGATED:
        pytest.importorskip(cli.DELEGATED[name][1])
    assert cli.main([name, "--help"]) == 0
    said = capsys.readouterr().out
    assert f"usage: mirage {name}" in said
    assert "None" not in said
    assert "STR" not in said


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [(["--size", "big"], "a whole number"), (["--seconds", "long"], "a number")],
)
def test_a_value_of_another_kind_is_told_in_words(arguments, wanted, capsys):
    assert cli.main(["play", *arguments]) == 2
    assert f"it must be {wanted}, got '{arguments[1]}'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["train", "v9"], 2), (["train", "--preset", "v9"], 2), (["evaluate", "--model", "v9"], 1)],
)
def test_train_and_evaluate_end_as_the_others_do(arguments, code, capsys):
    pytest.importorskip("torch")
    assert cli.main(arguments) == code
    said = capsys.readouterr().err
    assert said.startswith("mirage")
    assert "'v9'" in said
    assert said.count("\n") == 1


def test_settings_are_checked_where_they_are_made():
    with pytest.raises(ValueError, match="--size must be from 64 to 1024, got 5"):
        Settings(size=5)
    assert Settings(record=Path("A.MP4")).size is None


def test_without_tyro_the_extra_is_named():
    done = mirage("--help", before=without("tyro"))
    assert done.returncode == 1
    assert "pip install 'mirage-env[cli]'" in one_line(done.stderr)


def test_without_pygame_the_extra_is_named():
    done = mirage("play", before=without("pygame"))
    assert done.returncode == 1
    assert "pip install 'mirage-env[play]'" in one_line(done.stderr)


@pytest.mark.parametrize("name", ["train", "evaluate"])
def test_without_torch_the_extra_is_named(name):
    done = mirage(name, "--anything", before=without("torch"))
    assert done.returncode == 1
    assert "pip install 'mirage-env[wm]'" in one_line(done.stderr)


@pytest.mark.parametrize(("given", "code"), [(None, 0), (0, 0), (3, 3)])
def test_serve_train_and_evaluate_get_their_arguments_as_they_are(monkeypatch, given, code):
    monkeypatch.setattr(sys, "argv", ["mirage"])
    for name, (module, package, _) in cli.DELEGATED.items():
        pytest.importorskip(package)
        seen = []

        class Module:
            @staticmethod
            def main(arguments, seen=seen):
                seen.append(arguments)
                return given

        monkeypatch.setitem(sys.modules, module, Module)
        assert cli.main([name, "--out", "x", "--help"]) == code
        assert seen == [["--out", "x", "--help"]]


def test_an_interrupt_exits_with_130(monkeypatch, capsys):
    def interrupted(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.Version, "run", interrupted)
    assert cli.main(["version"]) == 130
    assert capsys.readouterr().err == "mirage: interrupted\n"


def test_a_reader_that_leaves_early_is_no_error():
    code = "import sys; from mirage_env.cli import main; sys.exit(main())"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "--version"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(timeout=60) == 1
    assert process.stderr is not None
    with process.stderr as said:
        assert said.read() == ""


def test_a_mistake_in_the_program_is_not_hidden(monkeypatch):
    def broken(self):
        raise AttributeError("a bug")

    monkeypatch.setattr(cli.Version, "run", broken)
    with pytest.raises(AttributeError, match="a bug"):
        cli.main(["version"])


needs_player = pytest.mark.skipif(
    not all(map(cli.import_module("importlib.util").find_spec, ("pygame", "imageio_ffmpeg"))),
    reason="needs the extras play and video",
)


@needs_player
def test_without_a_display_a_demonstration_is_written_to_a_video(tmp_path):
    done = mirage("play", "--no-dream", "--seconds", "1", "--size", "128", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    video = tmp_path / "videos" / "mirage.mp4"
    assert done.stdout == f"wrote {video}: 30 frames of game\n"
    assert "there is no display" in one_line(done.stderr)
    assert video.read_bytes()[4:8] == b"ftyp"
    assert [path.name for path in video.parent.iterdir()] == ["mirage.mp4"]


@needs_player
def test_where_the_display_does_not_open_a_video_is_written_too(tmp_path):
    arguments = ("play", "--no-dream", "--seconds", "0.2", "--size", "64")
    done = mirage(*arguments, cwd=tmp_path, DISPLAY=":4711", SDL_VIDEODRIVER="x11")
    assert done.returncode == 0, done.stderr
    assert "no window can be opened" in one_line(done.stderr)
    assert (tmp_path / "videos" / "mirage.mp4").exists()


@needs_player
def test_without_a_dream_play_says_so_and_goes_on(tmp_path):
    hidden = without("mirage_wm")
    arguments = ("--record", "a.mp4", "--seconds", "0.2", "--size", "64")
    done = mirage("play", *arguments, cwd=tmp_path, before=hidden)
    assert done.returncode == 0, done.stderr
    assert "there is no dream here, only the game" in one_line(done.stderr)
    assert "6 frames of game\n" in done.stdout
    done = mirage("play", "--model", "v99", *arguments, cwd=tmp_path)
    assert done.returncode == 1, "a model that was named is not left out"
    assert "there is no model 'v99'" in one_line(done.stderr)
    done = mirage("dream", *arguments, cwd=tmp_path, before=hidden)
    assert done.returncode == 1
    assert "pip install 'mirage-env[dream]'" in one_line(done.stderr)


@needs_player
def test_a_dream_that_cannot_be_loaded_is_one_line(tmp_path):
    pytest.importorskip("torch")
    (tmp_path / "new.safetensors").write_bytes(b"no weights")
    done = mirage("dream", "--model", "new.safetensors", cwd=tmp_path)
    assert done.returncode == 1
    assert "new" in one_line(done.stderr)


@needs_player
def test_the_same_seed_records_the_same_game(tmp_path):
    for name in ("a.gif", "b.gif"):
        arguments = ("--seconds", "0.5", "--size", "64", "--seed", "5", "--no-dream")
        assert mirage("play", "--record", name, *arguments, cwd=tmp_path).returncode == 0
    assert (tmp_path / "a.gif").read_bytes() == (tmp_path / "b.gif").read_bytes()


@needs_player
def test_a_video_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    done = mirage("play", "--no-dream", "--record", "file/a.mp4", cwd=tmp_path)
    assert done.returncode == 1
    assert "cannot write a video in the folder file" in one_line(done.stderr)


@needs_player
def test_a_window_with_a_dummy_display_quits_by_a_key(tmp_path):
    code = (
        "import os; os.environ['SDL_VIDEODRIVER'] = 'dummy'\n"
        "import pygame; pygame.display.init()\n"
        "pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_q))\n"
    )
    done = mirage("play", "--no-dream", before=code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.iterdir())


@needs_player
@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_an_interrupted_recording_leaves_nothing(tmp_path):
    code = "import sys; from mirage_env.cli import main; sys.exit(main())"
    arguments = ["play", "--no-dream", "--record", "a.mp4", "--seconds", "3600", "--size", "256"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        # The tests may run where SIGINT is ignored, as in the background of a shell script.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)  # until the encoder has begun its file
    process.send_signal(signal.SIGINT)
    try:
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert said.endswith("mirage: interrupted\n")
    assert "Traceback" not in said
    assert not list(tmp_path.iterdir())


def installed(*arguments, before, cwd):
    """Run the command as it is installed, after some code, where SIGINT is not ignored."""
    code = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"{before}\nfrom mirage_command import main\nsys.exit(main())"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def signal_at(module, name):
    """Return code that sends a signal when a module is about to be imported."""
    return (
        "class Sender:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}:\n"
        "            sys.meta_path.remove(self)\n"
        f"            os.kill(os.getpid(), signal.{name})\n"
        "sys.meta_path.insert(0, Sender())\n"
    )


@pytest.mark.parametrize(
    ("command", "module"),
    [
        ("version", "numpy"),
        ("version", "gymnasium.spaces"),
        ("version", "tyro"),
        ("train", "torch.nn"),
        ("evaluate", "torch.nn"),
        ("serve", "mirage_web.lanes"),
    ],
)
def test_an_interrupt_while_something_is_imported_is_one_line(command, module, tmp_path):
    if command in cli.DELEGATED:
        pytest.importorskip(cli.DELEGATED[command][1])
    done = installed(command, before=signal_at(module, "SIGINT"), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "mirage: interrupted\n"


@needs_player
@pytest.mark.parametrize(
    ("name", "code", "said"), [("SIGINT", 130, "mirage: interrupted\n"), ("SIGTERM", 143, "")]
)
def test_a_signal_while_a_video_is_written_leaves_nothing(name, code, said, tmp_path):
    before = (
        "import mirage_env.play.session as session\n"
        "step, begun = session.Session.advance, []\n"
        "def advance(self, action):\n"
        "    begun.append(action)\n"
        "    if len(begun) == 20:\n"
        f"        os.kill(os.getpid(), signal.{name})\n"
        "    return step(self, action)\n"
        "session.Session.advance = advance\n"
    )
    arguments = ("--no-dream", "--record", "a.gif", "--size", "64")
    done = installed("play", *arguments, before=before, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (code, said)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_printed_is_one_line():
    with open("/dev/full", "w") as full:
        code = (
            "from mirage_env.command_line import ended; raise SystemExit(ended(lambda: print(1)))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, text=True, cwd=ROOT
        )
    assert done.stderr.startswith("mirage: No space left on device\n")
    assert done.returncode != 0
