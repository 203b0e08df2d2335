"""What a person may choose for the player and for replays, checked; no pygame here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mirage_env.backends import BACKEND_NAMES
from mirage_env.replay_file import SUFFIX
from mirage_env.video import SUFFIXES

__all__ = ["RecordSettings", "ReplaySettings", "Settings"]


@dataclass(frozen=True)
class Settings:
    """How to play."""

    record: Path | None = None
    """Write a video (.mp4 or .gif) of a demonstration instead of opening a window."""
    seconds: float = 10.0
    """How long a video is, up to 3600."""
    size: int | None = None
    """Width of the arena, 64 to 1024 pixels: by default 640 in a window, 512 in a video."""
    both: bool = False
    """Show game and dream side by side (in the window: the key B)."""
    demo: bool = False
    """Let a demonstration play until you press a key of the game."""
    seed: int | None = None
    """Of the first game; drawn by default."""
    backend: str = "auto"
    """What simulates the game: auto, native, cuda or oracle (slow)."""
    agent: Path | None = None
    """Let an agent play, a .safetensors file, until you press a key of the game."""
    model: str | None = None
    """Which model dreams: a name or a .safetensors file; the project's own by default."""
    replays: Path = Path("replays")
    """Folder for replays: in the window the key K keeps the game so far."""
    keep: bool = False
    """Keep every game that you play in the window, when you quit or begin another."""

    def __post_init__(self) -> None:
        """Check every choice.

        Raises:
            ValueError: For one that cannot be.
        """
        if self.record is not None and self.record.suffix.lower() not in SUFFIXES:
            raise ValueError(f"--record must end in {' or '.join(SUFFIXES)}, got {self.record}")
        if self.agent is not None and self.agent.suffix.lower() != ".safetensors":
            raise ValueError(f"--agent must be a .safetensors file, got {self.agent}")
        _check_seconds(self.seconds)
        if self.size is not None:
            _check_size(self.size)
        _check_seed(self.seed)
        _check_backend(self.backend)


@dataclass(frozen=True)
class RecordSettings:
    """How to record a replay."""

    file: Path
    """The file to write; ends in .replay."""
    seconds: float = 60.0
    """Of the game, up to 3600; less where it is over sooner."""
    seed: int | None = None
    """Of the game; drawn by default."""
    backend: str = "auto"
    """What simulates the game: auto, native, cuda or oracle (slow)."""

    def __post_init__(self) -> None:
        """Raise `ValueError` for a choice that cannot be."""
        if self.file.suffix.lower() != SUFFIX:
            raise ValueError(f"a replay's name must end in {SUFFIX}, got {self.file}")
        _check_seconds(self.seconds)
        _check_seed(self.seed)
        _check_backend(self.backend)


@dataclass(frozen=True)
class ReplaySettings:
    """How to play a replay again."""

    replay: str
    """A .replay file, or a share link from the browser (in quotes)."""
    out: Path | None = None
    """Write it: a video (.mp4, .gif), pictures side by side (.png), or a .replay file."""
    size: int = 512
    """Width of the arena, 64 to 1024 pixels."""
    pictures: int = 8
    """How many pictures stand side by side in a .png, 1 to 100."""
    check: bool = False
    """Only check that it comes out as it was recorded."""
    backend: str = "auto"
    """What simulates the game: auto, native, cuda or oracle (slow)."""

    def __post_init__(self) -> None:
        """Raise `ValueError` for a choice that cannot be."""
        known = (*SUFFIXES, ".png", SUFFIX)
        if self.out is not None and self.out.suffix.lower() not in known:
            raise ValueError(f"--out must end in {', '.join(known)}, got {self.out}")
        if self.out is not None and self.check:
            raise ValueError("--check writes nothing: leave out --check or --out")
        if not 1 <= self.pictures <= 100:
            raise ValueError(f"--pictures must be from 1 to 100, got {self.pictures}")
        _check_size(self.size)
        _check_backend(self.backend)


def _check_seconds(seconds: float) -> None:
    if not 0 < seconds <= 3600:
        raise ValueError(f"--seconds must be more than 0 and at most 3600, got {seconds}")


def _check_size(size: int) -> None:
    if not 64 <= size <= 1024:
        raise ValueError(f"--size must be from 64 to 1024, got {size}")


def _check_seed(seed: int | None) -> None:
    if seed is not None and not 0 <= seed < 2**63:
        raise ValueError(f"--seed must be from 0 to 2**63 - 1, got {seed}")


def _check_backend(backend: str) -> None:
    if backend not in BACKEND_NAMES:
        raise ValueError(f"--backend must be {', '.join(BACKEND_NAMES)}, got {backend}")
