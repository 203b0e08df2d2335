"""Long dreams: are they as sharp, and is the same to be seen in them, as in the game?

After some seconds a dream shows another game than the real one, and frames can no longer be
compared. What can be are statistics: how sharp pictures are, how often the ship is there, how many
rocks of which size, how large, with what edges. They stand beside those of the game with the same
keys, at the same age.

Three dreams of four are "woken": where the model says that the episode is over, they begin anew
from a real opening, as in the environment. The fourth is left alone, whatever is said: it shows how
far a dream drifts by itself. The game begins anew where an episode is over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mirage_env.rules import Rules
from mirage_wm.evaluation.objects import KINDS, edges, inventory, kinds
from mirage_wm.evaluation.plays import openings, ticks
from mirage_wm.evaluation.worlds import PAST, Contestant, Game, Starts
from mirage_wm.scores import Estimate, estimate, rate, ratio
from mirage_wm.seeds import HELD_OUT

__all__ = ["LongPlay", "Track", "drift_figures", "follow", "long_play", "sharpness"]

TICKS_PER_SECOND = 30
LOOKS = 8
"""Frames that are looked at for a time, spread over the last quarter of the time until then."""
STRETCH = 1800
"""Ticks of keys that come from one game."""
GLANCE = 5
"""Ticks between looks at the sky."""
EMPTY = 8
"""Pixels: less of rocks is an empty sky."""
FULL = 60
"""Pixels of rocks that refill a sky: a wave has these 3 ticks after it was announced."""
PATIENCE = 60
"""Ticks within which a sky has to be refilled."""


@dataclass(frozen=True)
class LongPlay:
    """Starts, and the keys that players of the real game went on to press.

    Attributes:
        starts: n of them.
        actions: uint8 [n, ticks].
        openings: Real beginnings for those that begin anew.
    """

    starts: Starts
    actions: NDArray[np.uint8]
    openings: Starts


@dataclass
class Track:
    """What was seen of n worlds over time.

    Attributes:
        seen: Mean over the window of each time, [n, times] by name of what is measured.
        ended: How often an episode was over, [n].
        refilled: Skies without a rock that were refilled within `PATIENCE`, in all worlds.
        left: Such as were not.
        frames: Some pictures, uint8 [times, few, 64, 64, 3].
    """

    seen: dict[str, NDArray[Any]]
    ended: NDArray[Any]
    refilled: int
    left: int
    frames: NDArray[np.uint8]


def long_play(n: int, steps: int, rules: Rules, *, seed: int = HELD_OUT + 2**43) -> LongPlay:
    """Return up to n starts of held-out play, and the keys of the steps after them.

    They are those pressed in the real game of the start for `STRETCH` steps, then those of another
    real game for as long, and so on: after some seconds a dream is another game anyway, and many
    games are played sooner than long ones.
    """
    games = -(-steps // STRETCH)
    source = ticks(games * (n + n // 8 + 2), rules, seed)
    first = [next(source) for _ in range(PAST)]
    rows = np.flatnonzero(~np.stack([tick.begun for tick in first[1:]]).any(0))
    n = min(n, len(rows) // games)
    rows = rows[: n * games]
    keys = np.stack([next(source).actions[rows] for _ in range(min(steps, STRETCH))], 1)
    actions = keys.astype(np.uint8).reshape(games, n, -1).swapaxes(0, 1).reshape(n, -1)
    history = np.stack([tick.arenas[rows[:n]] for tick in first])
    past = np.stack([tick.actions[rows[:n]] for tick in first[1:]], 1)
    starts = Starts.of(history, past, rules)
    return LongPlay(starts, actions[:, :steps].copy(), openings(4 * n, rules))


def follow(
    contestant: Contestant,
    play: LongPlay,
    times: list[int],
    woken: NDArray[np.bool_],
    watched: bool = True,
) -> Track:
    """Let a contestant go on for as long as the play does.

    Args:
        contestant: Who.
        play: Where from, and with which keys.
        times: Ticks at which it is looked at, from 1.
        woken: Which worlds begin anew where they say that they are over, bool [n].
        watched: Watch the sky.
    """
    n, steps = play.actions.shape
    looks: dict[int, set[int]] = {}
    for k, time in enumerate(times):
        for tick in np.linspace(0.75 * time, time, LOOKS).round().astype(int):
            looks.setdefault(max(int(tick), 1), set()).add(k)
    looked: list[list[dict[str, NDArray[Any]]]] = [[] for _ in times]
    frames: list[NDArray[np.uint8]] = [np.zeros((0, 64, 64, 3), np.uint8)] * len(times)
    sky, ended, fresh = Sky(n), np.zeros(n, int), 0
    contestant.begin(play.starts)
    for t in range(1, steps + 1):
        shown = contestant.step(play.actions[:, t - 1])
        if t in looks:
            found = look(shown.frames)
            for k in looks[t]:
                looked[k].append(found)
        if t in times:
            frames[times.index(t)] = shown.frames[:6].cpu().numpy()
        if watched and t % GLANCE == 0:
            sky.watch(shown.frames)
        over = np.flatnonzero(shown.terminated & woken)
        ended[over] += 1
        if len(over):
            rows = (fresh + np.arange(len(over))) % len(play.openings.arenas)
            contestant.wake(over, play.openings[rows])
            sky.forget(over)
            fresh += len(over)
    seen = {
        name: np.stack([mean([s[name] for s in some]) for some in looked], 1)
        for name in looked[0][0]
    }
    return Track(seen, ended, sky.refilled, sky.left, np.stack(frames))


def mean(values: list[NDArray[Any]]) -> NDArray[Any]:
    """Return the mean over a list of [n], of those that are numbers; else not a number."""
    stack = np.stack(values).astype(np.float64)
    there = ~np.isnan(stack)
    return np.where(there, stack, 0).sum(0) / np.where(there.any(0), there.sum(0), np.nan)


class Sky:
    """Watches whether skies run out of rocks, and whether a wave comes then.

    In the game none does: the next wave is announced in the tick in which the last rock dies.

    Attributes:
        refilled: How often rocks came within `PATIENCE`.
        left: How often none did.
    """

    def __init__(self, n: int) -> None:
        """Begin to watch n worlds."""
        self.refilled = self.left = 0
        self._had = np.zeros(n, bool)
        self._clear = np.zeros(n, bool)
        self._waiting = np.zeros(n, int)

    def watch(self, frames: Tensor) -> None:
        """Look at all worlds, `GLANCE` ticks after the last look."""
        rocks = (kinds(frames) == KINDS.index("rock")).sum((1, 2)).cpu().numpy()
        full, clear = rocks >= FULL, rocks < EMPTY
        waiting = self._waiting + np.where(self._waiting > 0, GLANCE, 0)
        late = (waiting > PATIENCE) & ~full
        self.refilled += int((full & (waiting > 0)).sum())
        self.left += int(late.sum())
        # Clear at two looks running: one may be the blink of an eye.
        begins = clear & self._clear & self._had & (waiting == 0)
        self._waiting = np.where(full | late, 0, np.where(begins, GLANCE, waiting))
        self._had = full | (self._had & ~late)
        self._clear = clear

    def forget(self, rows: NDArray[np.intp]) -> None:
        """Begin anew with some of the worlds."""
        self._had[rows], self._clear[rows], self._waiting[rows] = False, False, 0


def look(frames: Tensor) -> dict[str, NDArray[Any]]:
    """Return what is measured of frames, each [n]."""
    found = inventory(frames)
    sharp = {f"{name}_edge": value for name, value in edges(frames).items()}
    measured = {
        "sharpness": sharpness(frames),
        **found,
        "empty": found["rock_area"] < EMPTY,
        **sharp,
    }
    return {name: value.cpu().numpy() for name, value in measured.items()}


def sharpness(frames: Tensor) -> Tensor:
    """Return the mean absolute difference of neighbouring pixels of [n, H, W, 3], in levels."""
    signed = frames.float()
    across, down = ((signed - torch.roll(signed, 1, axis)).abs().mean((1, 2, 3)) for axis in (2, 1))
    return (across + down) / 2


def drift_figures(
    dreams: Mapping[str, Contestant], play: LongPlay, seconds: list[int], rules: Rules, n: int
) -> tuple[dict[str, Any], dict[str, NDArray[np.uint8]]]:
    """Return what is seen of long dreams and of the game with the same keys.

    Args:
        dreams: By name.
        play: Starts and keys.
        seconds: When dreams are looked at.
        rules: Of the game.
        n: Dream from the first n starts; the game, which costs less, from all.

    Returns:
        Figures, and some pictures of each contestant, uint8 [times, few, 64, 64, 3].
    """
    steps, n = play.actions.shape[1], min(n, len(play.actions))
    times = [min(s * TICKS_PER_SECOND, steps) for s in seconds]
    everyone, woken = np.ones(len(play.actions), bool), np.arange(n) % 4 != 3
    device = next(iter(dreams.values())).device
    game = follow(Game(rules, 1, device), play, times, everyone, watched=False)
    figures: dict[str, Any] = {
        "seconds": seconds,
        "n": {"game": len(everyone), "woken": int(woken.sum()), "left alone": int((~woken).sum())},
        "game": _figures(game, everyone, game, steps),
        "models": {},
    }
    pictures = {"game": game.frames}
    some = LongPlay(play.starts[np.arange(n)], play.actions[:n], play.openings)
    for name, dreamer in dreams.items():
        track = follow(dreamer, some, times, woken)
        pictures[name] = track.frames
        figures["models"][name] = {
            "woken": _figures(track, woken, game, steps),
            "left alone": _figures(track, ~woken, game, steps),
            "sky": rate([True] * track.refilled + [False] * track.left)._asdict(),
        }
    return figures, pictures


SHARES = ("ship", "empty")
"""What is so or not; all else is a quantity, given by its ratio to the game's too."""


def _figures(track: Track, rows: NDArray[np.bool_], game: Track, steps: int) -> dict[str, Any]:
    """Return the figures of some of the worlds of a track, beside those of the game."""
    minutes = steps / TICKS_PER_SECOND / 60
    figures: dict[str, Any] = {"endings_a_minute": estimate(track.ended[rows] / minutes)._asdict()}
    for name, values in track.seen.items():
        columns = values[rows].T
        if name in SHARES:
            figures[name] = [rate(column >= 0.5)._asdict() for column in columns]
            continue
        figures[name] = [estimate(column[~np.isnan(column)])._asdict() for column in columns]
        real = game.seen[name]
        # Where both began from the same starts, pairs say more than each by itself.
        paired = len(real) == len(values)
        figures[f"{name}_ratio"] = [
            _ratio(column, beside, paired)._asdict()
            for column, beside in zip(columns, (real[rows] if paired else real).T, strict=True)
        ]
    return figures


def _ratio(a: NDArray[Any], b: NDArray[Any], paired: bool) -> Estimate:
    """Return the ratio of two samples, of what is a number in them."""
    here, there = ~np.isnan(a), ~np.isnan(b)
    if paired:
        here = there = here & there
    return ratio(a[here], b[there], paired=paired)
