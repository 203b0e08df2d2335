"""The commands `mirage record` and `mirage replay`. Only the window needs pygame."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

from mirage_env.errors import MissingExtraError, import_extra
from mirage_env.film_strip import write_strip
from mirage_env.play.demo import Demonstration
from mirage_env.play.session import Session
from mirage_env.play.settings import RecordSettings, ReplaySettings, Settings
from mirage_env.play.shelf import Shelf
from mirage_env.play.worlds import GameWorld, ReplayWorld
from mirage_env.replay import Replay
from mirage_env.replay_file import SUFFIX
from mirage_env.rules import Rules
from mirage_env.share_link import from_link, is_link
from mirage_env.video import write_video
from mirage_env.whole_file import check_place

__all__ = ["facts", "record", "show"]

TICKS_PER_SECOND = Rules().ticks_per_second


def record(settings: RecordSettings) -> int:
    """Let the demonstration play a game and write it as a replay; return an exit code.

    Raises:
        OSError: If it cannot be written.
    """
    check_place(settings.file)  # before the work that would be lost
    game, player = GameWorld(settings.backend), Demonstration()
    game.begin(secrets.randbelow(10**6) if settings.seed is None else settings.seed)
    for _ in _bar(range(max(1, round(settings.seconds * TICKS_PER_SECOND))), settings.file):
        game.step(player.action(game.state()))
        if game.over:
            break
    replay = game.replay()
    replay.save(settings.file)
    print(f"wrote {settings.file.resolve()}: {facts(replay)}")
    return 0


def show(settings: ReplaySettings) -> int:
    """Show a replay in a window or write it, once it came out; return an exit code.

    Raises:
        ReplayError: If it cannot be read, or does not come out.
        MissingExtraError: Without what a video needs.
        OSError: If it cannot be read, or what is asked for cannot be written.
    """
    given = settings.replay
    replay = from_link(given, settings.backend) if is_link(given) else Replay.load(given)
    replay.check(settings.backend)
    if settings.out is not None:
        _write(replay, settings, settings.out)
        print(f"wrote {settings.out.resolve()}: {facts(replay)}")
        return 0
    print(f"it comes out: {facts(replay)}")
    reason = "" if settings.check else _show(replay, settings)
    if reason:
        print(f"mirage: {reason}: --out writes a video", file=sys.stderr)
    return 0


def facts(replay: Replay) -> str:
    """Return what a replay holds, in a line."""
    ticks = len(replay.actions)
    of = f"seed {replay.seed}" + (f", episode {replay.episode}" if replay.episode else "")
    own = [f"{name} {value}" for name, value in replay.rules.differing().items()]
    parts = [of, *own, f"{ticks / TICKS_PER_SECOND:.1f} s", f"score {replay.score}"]
    return ", ".join(parts)


def _write(replay: Replay, settings: ReplaySettings, out: Path) -> None:
    kind, count = out.suffix.lower(), len(replay.actions) + 1
    if kind == SUFFIX:
        replay.save(out)
        return
    frames = _bar(replay.frames(settings.size, settings.backend), out, count)
    if kind == ".png":
        check_place(out)
        write_strip(out, frames, count, settings.pictures)
    else:
        write_video(out, frames, TICKS_PER_SECOND)


def _show(replay: Replay, settings: ReplaySettings) -> str:
    """Show a replay in a window; return why that cannot be, or an empty text."""
    try:
        app = import_module("mirage_env.play.app")
    except MissingExtraError as error:
        return str(error)
    world = ReplayWorld(replay, settings.backend)
    session = Session([world], replay.seed, stride=0)
    shelf = Shelf(Settings.replays, world)
    return app.play_in_window(session, settings.size, world.next_action, shelf=shelf)


def _bar(steps: Iterable[Any], out: Path, total: int | None = None) -> Iterable[Any]:
    tqdm = import_extra("tqdm", "cli", "the progress bar").tqdm
    return tqdm(steps, desc=str(out), total=total, unit=" frames", leave=False, disable=None)
