"""The command `mirage`.

Each subcommand is a frozen dataclass whose docstring is its help. What it needs is imported when it
runs, so that ``mirage --help`` is quick and needs no display, no PyTorch and no pygame.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module

import numpy as np

import mirage_env
from mirage_env.backends import BACKEND_NAMES, make
from mirage_env.command_line import OK, ended, parsed
from mirage_env.errors import BackendUnavailableError, import_extra
from mirage_env.play.settings import RecordSettings, ReplaySettings, Settings
from mirage_env.rules import Rules, tuning
from mirage_env.simulator import SimulatorConfig

__all__ = [
    "Dream",
    "Evaluate",
    "Play",
    "Record",
    "Replay",
    "Serve",
    "Train",
    "Version",
    "Watch",
    "main",
    "prepare",
]


@dataclass(frozen=True)
class Play(Settings):
    """Play the game in a window; Tab switches to its dream, H lists the keys.

    Where there is no display, a demonstration plays and is written to videos/mirage.mp4.

    Example: mirage play

    Example: mirage play --record mirage.gif --both --seconds 8 --size 256
    """

    dream: bool = True
    """Dream along, so that Tab can switch to the dream."""

    def run(self) -> int:
        """Play, or record."""
        start = import_module("mirage_env.play.start")
        return start.play(self, dream="if possible" if self.dream else "none")


@dataclass(frozen=True)
class Dream(Settings):
    """Play the dream: a neural network makes each frame from the last ones and your keys.

    Tab switches to the game, which is fed the same keys; H lists the keys.

    Example: mirage dream

    Example: mirage dream --record dream.mp4 --seconds 20
    """

    def run(self) -> int:
        """Dream, or record."""
        start = import_module("mirage_env.play.start")
        return start.play(self, first="DREAM", dream="needed")


@dataclass(frozen=True)
class Watch(Settings):
    """Watch an agent play, or without one a demonstration that plans ahead.

    Press a key of the game and you play on yourself; H lists the keys, B shows the dream beside.

    Example: mirage watch --agent runs/ppo/agent.safetensors

    Example: mirage watch --record agent.mp4 --seconds 20
    """

    demo: bool = True
    """Let a demonstration or the agent play until you press a key of the game."""

    def run(self) -> int:
        """Watch, or record."""
        return import_module("mirage_env.play.start").play(self)


@dataclass(frozen=True)
class Record(RecordSettings):
    """Let a demonstration play the game, and write it as a replay: a few kilobytes for minutes.

    Example: mirage record game.replay

    Example: mirage record game.replay --seed 7 --seconds 120
    """

    def run(self) -> int:
        """Record."""
        return import_module("mirage_env.play.replays").record(self)


@dataclass(frozen=True)
class Replay(ReplaySettings):
    """Show a replay in a window, where a key of the game takes over, or write it at any size.

    First it is played to see whether it comes out: the same score, the same last state.

    Example: mirage replay game.replay

    Example: mirage replay game.replay --size 512 --out game.mp4

    Example: mirage replay 'http://127.0.0.1:8000/?mode=real&seed=7#r=8A' --out game.gif
    """

    def run(self) -> int:
        """Show, write or check it."""
        return import_module("mirage_env.play.replays").show(self)


@dataclass(frozen=True)
class Serve:
    """Play the game, its dream or both in a browser.

    Example: mirage serve --help
    """


@dataclass(frozen=True)
class Train:
    """Train a model to dream, on data that the simulator makes on the way.

    Example: mirage train --help
    """


@dataclass(frozen=True)
class Evaluate:
    """Measure how well a model dreams.

    Example: mirage evaluate --help
    """


@dataclass(frozen=True)
class Version:
    """Print the versions of the package and of the rules, and which backends run here.

    Example: mirage version
    """

    def run(self) -> int:
        """Print them."""
        print(f"mirage {mirage_env.__version__}, rules version {mirage_env.RULES_VERSION}")
        for name in BACKEND_NAMES:
            if name != "auto":
                print(f"backend {name}: {_availability(name)}")
        return OK


SUBCOMMANDS = {
    "serve": Serve,
    "play": Play,
    "dream": Dream,
    "watch": Watch,
    "record": Record,
    "replay": Replay,
    "train": Train,
    "evaluate": Evaluate,
    "version": Version,
}

DELEGATED = {
    "serve": ("mirage_web.serve", "websockets", "web"),
    "train": ("mirage_wm.train", "torch", "wm"),
    "evaluate": ("mirage_wm.evaluate", "torch", "wm"),
}
"""Subcommands that have a `main(arguments)` of their own: the module that it is in, a package that
it cannot do without, and the extra that brings this."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted.

    Args:
        arguments: Without the command's own name; those of the process by default.
    """
    chosen = list(sys.argv[1:] if arguments is None else arguments)
    return ended(lambda: _run(chosen))


def prepare() -> None:
    """Import what the command of this process takes long to import; `main` says what is missing."""
    if (name := "".join(sys.argv[1:2])) in DELEGATED:
        with suppress(ImportError):
            import_module(DELEGATED[name][0])


def _run(arguments: list[str]) -> int:
    name = arguments[0] if arguments else "--help"
    if name == "--version":
        name, arguments = "version", ["version", *arguments[1:]]
    if name in DELEGATED:
        return _delegate(name, arguments[1:])
    if name in SUBCOMMANDS:
        return parsed(SUBCOMMANDS[name], arguments[1:], f"mirage {name}").run()
    tyro = import_extra("tyro", "cli", "the command mirage")
    tyro.extras.subcommand_cli_from_dict(  # Prints help, or what is wrong, and leaves.
        SUBCOMMANDS,
        prog="mirage",
        description="An arcade game, and a dream of it inside a small neural network.",
        args=arguments or ["--help"],
    )
    return OK


def _delegate(name: str, arguments: list[str]) -> int:
    module, package, extra = DELEGATED[name]
    import_extra(package, extra, f"mirage {name}")
    code = import_module(module).main(arguments)
    return code if isinstance(code, int) else OK


def _availability(backend: str) -> str:
    try:
        make(backend, SimulatorConfig(np.array([tuning(Rules())], np.int32))).close()
    except BackendUnavailableError as error:
        return f"no ({' '.join(str(error).split())})"
    return "yes"


if __name__ == "__main__":
    raise SystemExit(main())
