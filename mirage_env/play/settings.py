"""What a person may choose for the player, checked; no pygame here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mirage_env.backends import BACKEND_NAMES
from mirage_env.video import SUFFIXES

__all__ = ["Settings"]


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

    def __post_init__(self) -> None:
        """Check every choice.

        Raises:
            ValueError: For one that cannot be.
        """
        if self.record is not None and self.record.suffix.lower() not in SUFFIXES:
            raise ValueError(f"--record must end in {' or '.join(SUFFIXES)}, got {self.record}")
        if self.agent is not None and self.agent.suffix.lower() != ".safetensors":
            raise ValueError(f"--agent must be a .safetensors file, got {self.agent}")
        if not 0 < self.seconds <= 3600:
            raise ValueError(f"--seconds must be more than 0 and at most 3600, got {self.seconds}")
        if self.size is not None and not 64 <= self.size <= 1024:
            raise ValueError(f"--size must be from 64 to 1024, got {self.size}")
        if self.seed is not None and not 0 <= self.seed < 2**63:
            raise ValueError(f"--seed must be from 0 to 2**63 - 1, got {self.seed}")
        if self.backend not in BACKEND_NAMES:
            raise ValueError(f"--backend must be {', '.join(BACKEND_NAMES)}, got {self.backend}")
