"""Puts a session together and shows it: in a window, or else in a video.

A video is written where one is asked for and where there is no display.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import gymnasium

from mirage_env.play.app import play_in_window
from mirage_env.play.demo import Demonstration
from mirage_env.play.record import record
from mirage_env.play.session import Session
from mirage_env.play.settings import Settings
from mirage_env.play.shelf import Shelf
from mirage_env.play.worlds import DreamWorld, GameWorld, load_dream

__all__ = ["DEFAULT_VIDEO", "play"]

DEFAULT_VIDEO = Path("videos/mirage.mp4")
"""Where the demonstration goes where there is no display."""


def play(
    settings: Settings,
    first: Literal["GAME", "DREAM"] = "GAME",
    dream: Literal["if possible", "needed", "none"] = "if possible",
) -> int:
    """Play as the settings say; return an exit code.

    Args:
        settings: What a person chose.
        first: The world in view at first.
        dream: Whether to dream along.

    Raises:
        MissingExtraError: Without pygame, or without what a dream or a video needs.
        ValueError: If the model cannot be loaded, and is needed.
        VideoError: If the video cannot be written.
        OSError: If a replay cannot be kept.
    """
    game = GameWorld(settings.backend)
    dreaming, notice = _dream(settings, dream)
    worlds = [game] if dreaming is None else [game, dreaming]
    seed = secrets.randbelow(10**6) if settings.seed is None else settings.seed
    session = Session(worlds, seed, restart=settings.demo or settings.record is not None)
    session.show(first)
    if settings.both:
        session.show_both()
    demonstration = Demonstration()

    def pilot() -> int:
        return demonstration.action(game.state())

    if settings.record is not None:
        return _write(session, pilot, settings, settings.record)
    shelf = Shelf(settings.replays, game, settings.keep)
    reason = play_in_window(
        session, settings.size or 640, pilot if settings.demo else None, notice, shelf
    )
    if not reason:
        return 0
    _say(f"{reason}: a demonstration plays for {settings.seconds:g} s and is written to a video")
    session.restart = True
    if not session.both:
        session.show_both()
    return _write(session, pilot, settings, DEFAULT_VIDEO)


def _dream(settings: Settings, wanted: str) -> tuple[DreamWorld | None, str]:
    """Return the dream and nothing to say, or none and why."""
    if wanted == "none":
        return None, ""
    try:
        return load_dream(settings.model), ""
    except (ImportError, OSError, ValueError, gymnasium.error.Error) as error:
        if wanted == "needed":
            raise
        _say(f"there is no dream here, only the game: {error}")
        return None, "there is no dream here, only the game"


def _write(session: Session, pilot: Callable[[], int], settings: Settings, path: Path) -> int:
    frames = record(session, pilot, path, settings.seconds, settings.size or 512)
    shown = " and ".join(world.name.lower() for world in session.visible)
    print(f"wrote {path.resolve()}: {frames} frames of {shown}")
    return 0


def _say(line: str) -> None:
    print(f"mirage: {' '.join(line.split())}", file=sys.stderr)
