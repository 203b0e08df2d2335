"""Every command that a document, a help text or a first comment shows is one that is understood."""

from __future__ import annotations

import argparse
import importlib.util
import re
import runpy
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tyro")

import tyro

from mirage_env import cli

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md"]
DOCUMENTS += sorted([*ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md")])
SOURCES = sorted(
    p
    for f in ("mirage_*", "web/mirage_web", "examples", "benchmarks", "docs")
    for p in ROOT.glob(f"{f}/**/*.py")
)
READS_BY_ITSELF = "python -m tests.golden_pictures --write"


def shown_in_document(text: str) -> list[str]:
    """Return the lines of the blocks of a shell, and what is written as code elsewhere."""
    blocks = re.findall(r"^```bash\n(.*?)^```", text, re.M | re.S)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [*lines, *re.findall(r"`([^`\n]+)`", text)]


def shown_in_source(text: str) -> list[str]:
    """Return what stands behind "Example:", and indented lines of comments that are commands."""
    lines = text.replace("\\\n", " ").splitlines()
    return [
        re.sub(r"^ *(Example: )?", "", line)
        for line in lines
        if re.match(r" {4}\S", line) or "Example: " in line
    ]


def commands(lines: list[str]) -> set[str]:
    """Return what of some lines begins a command of this project with arguments, tidied."""
    found = set()
    for line in lines:
        line = re.sub(r"^OMP_NUM_THREADS=1 ", "", line.strip())
        line = re.sub(r"^torchrun --standalone --nproc-per-node \d+", "python", line)
        line = re.sub(r"^/opt/mirage/bin/", "", re.sub(r"\s+#.*", "", line))
        if re.match(r"(mirage [a-z]+|python (-m )?[\w./]+)( |$)", line) and "NAME" not in line:
            found.add(line)
    return found


SHOWN = sorted(
    set().union(
        *(commands(shown_in_document(p.read_text())) for p in DOCUMENTS),
        *(commands(shown_in_source(p.read_text())) for p in SOURCES),
    )
)


class Understood(BaseException):
    """Arguments were read, and nothing is done by them."""


def read_only(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """Let a command with arguments read them, and then raise `Understood`."""

    def reading(read: Any) -> Any:
        def only(*args: Any, **kwargs: Any) -> Any:
            read(*args, **kwargs)
            raise Understood

        return only

    monkeypatch.setattr(tyro, "cli", reading(tyro.cli))
    words = shlex.split(command)
    if words[0] == "mirage":
        raise SystemExit(cli.main(words[1:]))
    parser = argparse.ArgumentParser
    monkeypatch.setattr(parser, "parse_args", reading(parser.parse_args))
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    if words[1] == "-m":
        monkeypatch.setattr(sys, "argv", words[2:])
        monkeypatch.delitem(sys.modules, words[2], raising=False)
        runpy.run_module(words[2], run_name="__main__", alter_sys=True)
    else:
        monkeypatch.setattr(sys, "argv", words[1:])
        runpy.run_path(words[1], run_name="__main__")


def names_a_program(command: str) -> bool:
    """Return whether the program of a command without arguments is there."""
    words = command.split()
    if words[0] == "mirage":
        return words[1] in cli.SUBCOMMANDS
    if words[1] == "-m":
        return importlib.util.find_spec(words[2]) is not None
    return (ROOT / words[1]).is_file()


@pytest.mark.parametrize("command", SHOWN)
def test_a_command_that_is_shown_is_understood(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    for extra in ("torch", "stable_baselines3"):
        pytest.importorskip(extra)
    if len(command.split()) == (3 if " -m " in command else 2) or command == READS_BY_ITSELF:
        assert names_a_program(command)
        return
    code: Any = 0
    try:
        read_only(monkeypatch, command)
    except Understood:
        return
    except SystemExit as end:  # after help, or an error
        code = end.code
    assert code == 0, capsys.readouterr().err
    assert "--help" in command


def test_commands_are_found_and_a_wrong_one_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    assert len(SHOWN) > 60
    assert "mirage train v1 --preset 4gb" in SHOWN
    assert "python examples/dream_agent.py --help" in SHOWN
    assert not names_a_program("mirage nothing")
    assert not names_a_program("python -m mirage_wm.nothing")
    with pytest.raises(SystemExit) as end:
        read_only(monkeypatch, "mirage replay --nothing")
    assert end.value.code == 2
