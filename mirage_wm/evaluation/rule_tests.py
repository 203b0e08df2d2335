"""The rules as tests: a scene, how it is judged, and how often a contestant keeps the rule.

The game itself is judged first. It keeps every rule by definition; where a check denies it that,
the check is wrong, and no figure of the report can be trusted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mirage_env.arena import Arenas
from mirage_env.rules import Rules
from mirage_wm.evaluation import checks, scenes
from mirage_wm.evaluation.film import Film
from mirage_wm.evaluation.scenes import HISTORY, LARGE, MEDIUM, SMALL, Scenes
from mirage_wm.evaluation.worlds import Contestant, Game, Starts, along, new_game, parts

__all__ = ["RULE_TESTS", "RuleTest", "SetUp", "play_out", "set_up"]


@dataclass(frozen=True)
class RuleTest:
    """A rule, scenes in which it acts, and the check that it was kept.

    Attributes:
        name: Short.
        title: What has to happen.
        make: Makes n scenes from a generator of random numbers.
        check: Judges what was shown.
        holds: Which scenes show the rule at work, from the states [1 + ticks, n]; others are left
            out. All by default.
    """

    name: str
    title: str
    make: Callable[[int, Any], Scenes]
    check: checks.Check
    holds: Callable[[Arenas], Any] = lambda truth: np.ones(truth.shape[1], bool)


def hits_soon(truth: Arenas) -> Any:
    """Whether the bullet hits in one to four ticks, and nothing else happens."""
    gained = truth["score"] > truth["score"][0]
    unharmed = (truth["dying"] == 0).all(0)
    once = (np.diff(truth["score"].astype(int), axis=0) > 0).sum(0) == 1
    return ~gained[0] & gained[4] & unharmed & once


def crashes_soon(truth: Arenas) -> Any:
    """Whether the ship dies in one to four ticks."""
    return (truth["dying"][0] == 0) & (truth["dying"][4] > 0)


def nothing_happens(truth: Arenas) -> Any:
    """Whether nothing is hit."""
    return (truth["dying"] == 0).all(0) & (truth["score"] == truth["score"][0]).all(0)


SPLIT_TICKS = 4 + checks.APART
WAVE_TICKS = 4 + Rules().wave_ticks + 4

RULE_TESTS = (
    RuleTest(
        "large splits",
        "A large rock that is shot breaks in two medium ones",
        scenes.shot(LARGE, SPLIT_TICKS),
        checks.splits,
        hits_soon,
    ),
    RuleTest(
        "medium splits",
        "A medium rock that is shot breaks in two small ones",
        scenes.shot(MEDIUM, SPLIT_TICKS),
        checks.splits,
        hits_soon,
    ),
    RuleTest(
        "small vanishes",
        "A small rock that is shot is gone",
        scenes.shot(SMALL, 8, decoy=True),
        checks.vanishes,
        hits_soon,
    ),
    RuleTest(
        "bullet dies",
        "A bullet is gone after 24 ticks",
        scenes.bullet_of_age,
        checks.bullet_dies,
        nothing_happens,
    ),
    *(
        RuleTest(
            f"wraps {name}",
            f"What leaves by the {name} comes in opposite",
            scenes.edge(axis, side),
            checks.wraps,
            nothing_happens,
        )
        for name, axis, side in (("left", 0, -1), ("right", 0, 1), ("top", 1, -1), ("bottom", 1, 1))
    ),
    RuleTest(
        "turns left",
        "The ship turns by 3/64 a tick",
        scenes.held(scenes.LEFT_KEY, 5),
        checks.turns,
        nothing_happens,
    ),
    RuleTest(
        "turns right",
        "The ship turns by 3/64 a tick",
        scenes.held(scenes.RIGHT_KEY, 5),
        checks.turns,
        nothing_happens,
    ),
    RuleTest(
        "thrusts",
        "Thrust accelerates the ship where it points",
        scenes.held(scenes.THRUST_KEY, 14),
        checks.thrusts,
        nothing_happens,
    ),
    RuleTest(
        "coasts",
        "A ship without thrust keeps its momentum",
        scenes.coasting,
        checks.coasts,
        nothing_happens,
    ),
    RuleTest(
        "fires",
        "A bullet leaves the nose at once",
        scenes.held(scenes.FIRE_KEY, 1, after=5),
        checks.fires,
        nothing_happens,
    ),
    RuleTest(
        "cools down",
        "The gun fires every eighth tick while the key is held",
        scenes.held(scenes.FIRE_KEY, 20),
        checks.cools_down,
        nothing_happens,
    ),
    RuleTest(
        "dies",
        "A ship that touches a rock explodes",
        scenes.collision,
        checks.dies,
        crashes_soon,
    ),
    RuleTest(
        "returns",
        "It comes back where it died, pointing up, with a life less and a shield",
        scenes.exploding((1, 2)),
        checks.returns,
    ),
    RuleTest(
        "is safe",
        "A shielded ship cannot be hit",
        scenes.shielded,
        checks.is_safe,
        nothing_happens,
    ),
    RuleTest(
        "shield ends",
        "The shield is gone when its time is over",
        scenes.shield_ending,
        checks.shield_ends,
        nothing_happens,
    ),
    RuleTest(
        "is over",
        "After the last explosion there is no ship",
        scenes.exploding((0, 0)),
        checks.is_over,
    ),
    RuleTest(
        "wave comes",
        "When the last rock is gone the next wave is announced, and becomes solid",
        scenes.shot(SMALL, WAVE_TICKS),
        checks.wave_comes,
        hits_soon,
    ),
    RuleTest(
        "rocks follow",
        "When the last rock is gone others come, whatever their number and colour",
        scenes.shot(SMALL, WAVE_TICKS),
        checks.rocks_follow,
        hits_soon,
    ),
    RuleTest(
        "drifts",
        "A rock drifts on, a ship at rest stays, and nothing else comes",
        scenes.drifting,
        checks.drifts,
        nothing_happens,
    ),
)


@dataclass(frozen=True)
class SetUp:
    """n scenes ready to be played.

    Attributes:
        starts: Their moments after the past.
        actions: int32 [n, ticks].
        truth: Records [1 + ticks, n], what comes in the game.
        frames: uint8 [1 + ticks, n, 64, 64, 3], its pictures.
        rules: Of the game.
    """

    starts: Starts
    actions: NDArray[np.int32]
    truth: Arenas
    frames: Tensor
    rules: Rules


def set_up(test: RuleTest, n: int, rules: Rules, *, seed: int = 0) -> SetUp:
    """Return n scenes of a test, the same for the same seed."""
    rng = np.random.default_rng([seed, *test.name.encode()])
    kept, found = [], 0
    while found < n:
        made = test.make(n, rng)
        states = play_states(made, rules)
        rows = np.flatnonzero(test.holds(states[HISTORY:]))
        kept.append((states[:, rows], made.actions[rows]))
        found += len(rows)
        if not len(rows) and n > 20:
            raise RuntimeError(f"no scene of {test.name!r} shows its rule")
    states = np.concatenate([s for s, _ in kept], axis=1)[:, :n]
    actions = np.concatenate([a for _, a in kept])[:n]
    starts = Starts.of(states[: HISTORY + 1], actions[:, :HISTORY], rules)
    first, shown = films_of(Game(rules), starts, actions[:, HISTORY:], n)
    return SetUp(starts, actions[:, HISTORY:], states[HISTORY:], torch.cat([first, shown]), rules)


def play_states(made: Scenes, rules: Rules) -> Arenas:
    """Return the states of scenes [1 + HISTORY + ticks, n]."""
    game = new_game(len(made.arenas), rules)
    game.arenas[:] = made.arenas
    states = [game.arenas.copy()]
    for actions in made.actions.T:
        game.step(np.ascontiguousarray(actions))
        states.append(game.arenas.copy())
    game.close()
    return np.stack(states)


def play_out(
    test: RuleTest, ready: SetUp, contestant: Contestant, batch: int = 256
) -> tuple[Film, NDArray[np.bool_]]:
    """Let a contestant play scenes; return its film, and in which of them it kept the rule."""
    first, shown = films_of(contestant, ready.starts, ready.actions, batch)
    frames = torch.cat([first, shown])
    film = Film(frames, ready.truth, ready.frames.to(frames.device), ready.rules)
    return film, test.check(film).cpu().numpy()


def films_of(
    contestant: Contestant, starts: Starts, actions: NDArray[np.int32], batch: int
) -> tuple[Tensor, Tensor]:
    """Return the last frames of the past [1, n, ...] and what is shown then [ticks, n, ...]."""
    shown = [
        torch.stack([step.frames for step in along(contestant, starts[rows], actions[rows])])
        for rows in parts(len(actions), batch)
    ]
    frames = torch.cat(shown, 1)
    return torch.from_numpy(starts.frames[:, -1])[None].to(frames.device), frames
