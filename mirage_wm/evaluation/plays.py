"""Held-out play: starts, the keys pressed from there, and what happens on the way.

It is played by the mixture of players that made the training data, in arenas whose seeds no
training run takes (`mirage_wm.seeds`). Pictures are not kept: the game draws them again from the
starts and the keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mirage_env.rules import Rules
from mirage_env.simulator import Autoreset, Simulator
from mirage_wm.evaluation.moments import Moment, classify
from mirage_wm.evaluation.worlds import PAST, Starts, new_game
from mirage_wm.recorder import Recorder
from mirage_wm.seeds import HELD_OUT, arena_seeds

__all__ = ["Plays", "Sorted", "openings", "plays", "sorted_by_moment"]

BURN_IN = 800
"""Ticks played before, so that all parts of an episode are shown."""


class Plays(NamedTuple):
    """n stretches of play, each of one episode and in an arena of its own.

    Attributes:
        starts: Their starts.
        actions: int32 [n, future].
        moments: int8 [n, future], the `Moment`s of the steps.
        rewards: int32 [n, future], points.
        terminated: bool [n, future].
    """

    starts: Starts
    actions: NDArray[np.int32]
    moments: NDArray[np.int8]
    rewards: NDArray[np.int32]
    terminated: NDArray[np.bool_]

    def __getitem__(self, rows: Any) -> Plays:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return some of the stretches."""
        return Plays(
            self.starts[rows],
            self.actions[rows],
            self.moments[rows],
            self.rewards[rows],
            self.terminated[rows],
        )


class Sorted(NamedTuple):
    """Single steps of held-out play by what happens in them.

    Attributes:
        plays: Up to n of each kind that was met.
        counts: How often each was in `steps` steps of play.
        steps: All of them.
    """

    plays: dict[Moment, Plays]
    counts: dict[Moment, int]
    steps: int


class Tick(NamedTuple):
    """A tick of the n arenas of a recorder, or several, [ticks, n].

    Attributes:
        arenas: Records.
        actions: int32.
        begun: bool, what is seen does not follow from what was seen before.
        rewards: int32.
        terminated: bool.
    """

    arenas: Any
    actions: Any
    begun: Any
    rewards: Any
    terminated: Any


def ticks(n: int, rules: Rules, seed: int) -> Iterator[Tick]:
    """Play in n arenas for ever; yield each tick."""

    def simulator(num_envs: int, threads: int, *_: Any) -> Simulator:
        return new_game(num_envs, rules, Autoreset.NEXT_STEP)

    recorder = Recorder(n, seed, "evaluation", burn_in=BURN_IN, simulator=simulator)
    game = recorder.simulator
    while True:
        actions, begun = recorder.step(None)
        told = (game.reward.copy(), game.terminated.copy())
        yield Tick(game.arenas.copy(), actions.astype(np.int32), begun, *told)


def stacked(some: list[Tick]) -> Tick:
    """Return ticks as arrays [ticks, n]."""
    return Tick(*(np.stack(parts) for parts in zip(*some, strict=True)))


def plays(n: int, future: int, rules: Rules, *, seed: int = HELD_OUT, past: int = PAST) -> Plays:
    """Return up to n stretches of play as it goes: what is rare in it is rare in them.

    Arenas in which an episode ends on the way are left out. Each start has `past` frames.
    """
    source = ticks(n, rules, seed)
    seen = stacked([next(source) for _ in range(past + future)])
    rows = np.flatnonzero(~seen.begun[1:].any(0))
    return _cut(Tick(*(part[:, rows] for part in seen)), rules, past)


def sorted_by_moment(
    n: int,
    rules: Rules,
    *,
    arenas: int = 512,
    steps: int = 200_000,
    seed: int = HELD_OUT + 2**40,
) -> Sorted:
    """Return up to n steps of each kind, and how often each kind is in `steps` steps or more."""
    source = ticks(arenas, rules, seed)
    ring = [next(source) for _ in range(PAST)]
    found: dict[Moment, list[Tick]] = {moment: [] for moment in Moment}
    counts = np.zeros(len(Moment), np.int64)
    for played in range(1, 40 * max(steps // arenas, 1)):
        ring = [*ring[-PAST:], next(source)]
        clean = np.flatnonzero(~np.stack([tick.begun for tick in ring[1:]]).any(0))
        moments = classify(
            ring[-2].arenas[clean], ring[-1].arenas[clean], ring[-1].terminated[clean]
        )
        counts += np.bincount(moments, minlength=len(Moment))
        wanted = [m for m in Moment if sum(t.actions.shape[1] for t in found[m]) < n]
        for moment in wanted:
            rows = clean[moments == moment]
            if len(rows):
                found[moment].append(stacked([Tick(*(p[rows] for p in tick)) for tick in ring]))
        if not wanted and played * arenas >= steps:
            break
    kept = {}
    for moment in (m for m in Moment if counts[m]):
        parts = zip(*found[moment], strict=True)
        together = Tick(*(np.concatenate(part, axis=1)[:, :n] for part in parts))
        kept[moment] = _cut(together, rules)
    return Sorted(kept, {m: int(counts[m]) for m in kept}, int(counts.sum()))


def _cut(seen: Tick, rules: Rules, past: int = PAST) -> Plays:
    """Return ticks [past + future, n] of one episode each as starts and futures."""
    moments = [
        classify(seen.arenas[t - 1], seen.arenas[t], seen.terminated[t])
        for t in range(past, len(seen.arenas))
    ]
    return Plays(
        Starts.of(seen.arenas[:past], seen.actions[1:past].T, rules),
        np.ascontiguousarray(seen.actions[past:].T),
        np.stack(moments, 1),
        np.ascontiguousarray(seen.rewards[past:].T),
        np.ascontiguousarray(seen.terminated[past:].T),
    )


def openings(n: int, rules: Rules, *, seed: int = HELD_OUT + 2**41) -> Starts:
    """Return n beginnings of episodes, in which no key is pressed."""
    game = new_game(n, rules)
    game.reset(arena_seeds("evaluation", seed, n))
    idle = np.zeros(n, np.int32)
    history = [game.arenas.copy()]
    for _ in range(PAST - 1):
        game.step(idle)
        history.append(game.arenas.copy())
    game.close()
    return Starts.of(np.stack(history), np.zeros((n, PAST - 1)), rules)
