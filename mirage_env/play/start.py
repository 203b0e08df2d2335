"""Puts a session together and shows it: in a window, or else in a video.

A video is written where one is asked for and where there is no display.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Literal

import gymnasium

from mirage_env.errors import import_extra
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
        ValueError: If the model cannot be loaded, and is needed, or if the agent cannot.
        VideoError: If the video cannot be written.
        OSError: If a replay cannot be kept.
    """
    game = GameWorld(settings.backend)
    dreaming, notice = _dream(settings, dream)
    worlds = [game] if dreaming is None else [game, dreaming]
    seed = secrets.randbelow(10**6) if settings.seed is None else settings.seed
    alone = settings.demo or settings.agent is not None  # until somebody presses a key
    session = Session(worlds, seed, restart=alone or settings.record is not None)
    session.show(first)
    if settings.both:
        session.show_both()
    pilot = _pilot(settings, session, game)
    if settings.record is not None:
        return _write(session, pilot, settings, settings.record)
    shelf = Shelf(settings.replays, game, settings.keep)
    reason = play_in_window(session, settings.size or 640, pilot if alone else None, notice, shelf)
    if not reason:
        return 0
    who = "a demonstration" if settings.agent is None else "the agent"
    _say(f"{reason}: {who} plays for {settings.seconds:g} s and is written to a video")
    session.restart = True
    if not session.both:
        session.show_both()
    return _write(session, pilot, settings, DEFAULT_VIDEO)


def _pilot(settings: Settings, session: Session, game: GameWorld) -> Callable[[], int]:
    """Return who plays where no person does: the agent that was chosen, or the demonstration.

    The demonstration looks at the game's state, as do agents that learned from it; other agents
    look at the picture of the world that is in view, be it a dream.
    """
    if settings.agent is None:
        demonstration = Demonstration()
        return lambda: demonstration.action(game.state())
    return _AgentPilot(settings.agent, session, game)


class _AgentPilot:
    """Shows an agent the world in view once a tick, however often it is asked."""

    def __init__(self, path: Path, session: Session, game: GameWorld) -> None:
        file = import_extra("mirage_env.agent_file", "wm", "an agent")
        agent = file.load_agent(path)
        self._player = import_module("mirage_env.agent").AgentPlayer(agent)
        self._of_state = agent.config.sees == "state"
        self._session, self._game = session, game
        self._tick, self._action = -1, 0

    def __call__(self) -> int:
        session = self._session
        if session.tick != self._tick:
            self._tick = session.tick
            seen = self._game.vector() if self._of_state else session.visible[0].picture(64)
            self._action = int(self._player.act(seen[None], [self._tick == 0])[0])
        return self._action


def _dream(settings: Settings, wanted: str) -> tuple[DreamWorld | None, str]:
    """Return the dream and nothing to say, or none and why."""
    if wanted == "none":
        return None, ""
    try:
        return load_dream(settings.model), ""
    except (ImportError, OSError, ValueError, gymnasium.error.Error) as error:
        if wanted == "needed" or settings.model is not None:
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
