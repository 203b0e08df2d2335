"""How like the game a dream is, frame by frame: PSNR, its ceiling, and when they part.

The ceiling is what the game leaves to chance. From each start it is played again with other random
numbers and the same keys ("branches"). A branch against what really came is what a perfect model
gets that commits to one future. No prediction at all has a smaller mean squared error than the
variance of the futures: that is "irreducible". It is estimated from the branches and the real
future together, as their variance; a perfect average of all futures would reach it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mirage_env.arena import Arenas
from mirage_env.rules import Rules
from mirage_wm.evaluation.moments import Moment
from mirage_wm.evaluation.plays import Plays, Sorted
from mirage_wm.evaluation.worlds import SIZE, Contestant, Game, Shown, Starts, along, parts
from mirage_wm.scores import (
    Estimate,
    Score,
    estimate,
    frame_errors,
    psnr,
    rate,
    resampled,
    scores,
    share,
)

__all__ = [
    "BRANCHES",
    "DIVERGED",
    "Branches",
    "Errors",
    "compare",
    "divergence",
    "moment_figures",
    "score_figures",
]

BRANCHES = 8
"""Other futures of each start."""

DIVERGED = 20.0
"""dB: below this PSNR a dream shows another game than the real one."""


class Errors(NamedTuple):
    """Mean squared errors of n stretches of play, in levels squared.

    Attributes:
        models: [n, future] by contestant.
        copy: [n, future], of the last real frame shown again.
        branches: [n, future, branches].
        irreducible: [n, future], the variance of the futures.
        rewards: [n, future] by contestant: what it said.
        terminated: [n, future] by contestant.
    """

    models: dict[str, NDArray[Any]]
    copy: NDArray[Any]
    branches: NDArray[Any]
    irreducible: NDArray[Any]
    rewards: dict[str, NDArray[Any]]
    terminated: dict[str, NDArray[Any]]


def compare(
    played: Plays,
    contestants: Mapping[str, Contestant],
    rules: Rules,
    batch: int,
    branches: int = BRANCHES,
) -> Errors:
    """Let each contestant go along with play, and the game itself with other random numbers."""
    found = [
        _compare(played[rows], contestants, rules, branches)
        for rows in parts(len(played.actions), batch)
    ]

    def together(of: list[Any]) -> Any:
        if isinstance(of[0], dict):
            return {name: np.concatenate([part[name] for part in of]) for name in of[0]}
        return np.concatenate(of)

    return Errors(*(together(list(field)) for field in zip(*found, strict=True)))


def _compare(
    played: Plays, contestants: Mapping[str, Contestant], rules: Rules, branches: int
) -> Errors:
    def run(contestant: Contestant) -> Any:
        return along(contestant, played.starts, played.actions)

    runs = {name: run(contestant) for name, contestant in contestants.items()}
    device = next(iter(contestants.values())).device
    game, others = Game(rules, 0, device), Branches(rules, played.starts, branches)
    last = torch.from_numpy(played.starts.frames[:, -1]).to(device)
    steps: list[Errors] = []
    for t, real in enumerate(run(game)):
        shown: dict[str, Shown] = {name: next(dreamt) for name, dreamt in runs.items()}
        parted, spread = others.step(played.actions[:, t], game, real.frames)
        steps.append(
            Errors(
                {
                    name: frame_errors(s.frames, real.frames.to(s.frames.device)).cpu().numpy()
                    for name, s in shown.items()
                },
                frame_errors(last, real.frames).cpu().numpy(),
                parted,
                spread,
                {name: s.rewards for name, s in shown.items()},
                {name: s.terminated for name, s in shown.items()},
            )
        )

    def over_time(of: list[Any]) -> Any:
        if isinstance(of[0], dict):
            return {name: np.stack([step[name] for step in of], 1) for name in of[0]}
        return np.stack(of, 1)

    return Errors(*(over_time(list(field)) for field in zip(*steps, strict=True)))


class Branches:
    """Other futures of the same starts. Chance comes with the next wave: until then all are one."""

    def __init__(self, rules: Rules, starts: Starts, count: int = BRANCHES) -> None:
        """Begin so many branches from each start."""
        self.count = count
        self._games = [Game(rules, k + 1) for k in range(count)]
        for game in self._games:
            game.begin(starts)

    def step(
        self, actions: NDArray[Any], real: Game, frames: Tensor
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Step all branches.

        Args:
            actions: [n].
            real: The game with its own random numbers, after the same step.
            frames: What it shows.

        Returns:
            The errors of the branches [n, count], and the variance of all futures [n].
        """
        n = len(actions)
        errors, variance = np.zeros((n, self.count)), np.zeros(n)
        simulators = [game.simulator for game in self._games]
        for simulator in simulators:
            simulator.step(actions.astype(np.int32))
        differ = np.stack([visible(s.arenas) != visible(real.simulator.arenas) for s in simulators])
        rows = np.flatnonzero(differ.any((0, 2)))
        if len(rows):
            drawn = [s.render(SIZE, rows) for s in simulators]
            others = torch.from_numpy(np.stack(drawn)).to(frames.device)
            futures = torch.cat([frames[rows][None], others]).float()
            errors[rows] = (futures[1:] - futures[0]).square().mean((2, 3, 4)).T.cpu().numpy()
            variance[rows] = futures.var(0).mean((1, 2, 3)).cpu().numpy()
        return errors, variance


def visible(arenas: Arenas) -> NDArray[np.uint8]:
    """Return the states as bytes [n, ...], without the seed, which is the last field."""
    size = arenas.dtype.itemsize
    raw = arenas.view(np.uint8).reshape(len(arenas), size)
    return raw[:, : size - arenas.dtype["seed"].itemsize]


def score_figures(errors: Errors, frames: int) -> dict[str, Any]:
    """Return scores of the first frames, by contestant and by number of the frame.

    Beside the contestants stand "copy", "ceiling" (a branch) and "irreducible", of which only the
    PSNR of the mean squared error means anything.
    """
    of = {**errors.models, "copy": errors.copy, "ceiling": errors.branches}
    figures = {name: _numbered(scores(some[:, :frames])) for name, some in of.items()}
    figures["irreducible"] = {
        k: {name: s[name] for name in ("psnr_of_mean", "psnr_of_mean_ci", "n")}
        for k, s in _numbered(scores(errors.irreducible[:, :frames])).items()
    }
    return figures


def _numbered(some: list[Score]) -> dict[str, dict[str, Any]]:
    return {str(k): s._asdict() for k, s in enumerate(some, 1)}


def divergence(errors: Errors) -> dict[str, Any]:
    """Return after how many frames a contestant shows another game than the real one.

    "median" is that of the first frame below `DIVERGED`, or one more than all frames where half
    never get there; "along" the share that is still above it at the end.
    """

    def of(series: NDArray[Any]) -> dict[str, Any]:
        below = psnr(series) < DIVERGED
        steps = below.shape[1]
        first = np.where(below.any(1), below.argmax(1) + 1, steps + 1)
        return {
            "median": estimate(first, np.median)._asdict(),
            "along": rate(first > steps)._asdict(),
            "frames": steps,
        }

    some = {**errors.models, "copy": errors.copy}
    if errors.branches.shape[2]:
        some["ceiling"] = errors.branches[:, :, 0]
    return {name: of(series) for name, series in some.items()}


def moment_figures(sorted_plays: Sorted, errors: Mapping[Moment, Errors]) -> dict[str, Any]:
    """Return, for each kind of step, its share of play and the scores of each contestant in it.

    "error_share" is its part of the contestant's whole squared error in play, "reward_right" how
    often the points were told exactly, "told_end" how often the step was said to end the episode.
    """
    names = list(next(iter(errors.values())).models)
    figures: dict[str, Any] = {}
    for moment, found in errors.items():
        played = sorted_plays.plays[moment]
        figures[moment.name.lower()] = {
            "share": share(sorted_plays.counts[moment], sorted_plays.steps)._asdict(),
            "n": len(played.actions),
            "copy": scores(found.copy)[0]._asdict(),
            "ceiling": scores(found.branches)[0]._asdict(),
            "models": {
                name: {
                    **scores(found.models[name])[0]._asdict(),
                    "reward_right": rate(found.rewards[name] == played.rewards)._asdict(),
                    "told_end": rate(found.terminated[name])._asdict(),
                }
                for name in names
            },
        }
    for name in names:
        shares = error_shares(
            [sorted_plays.counts[m] for m in errors],
            [e.models[name][:, 0] for e in errors.values()],
        )
        for moment, part in zip(errors, shares, strict=True):
            figures[moment.name.lower()]["models"][name]["error_share"] = part._asdict()
    return figures


def error_shares(counts: list[int], errors: list[NDArray[Any]]) -> list[Estimate]:
    """Return which share of a whole squared error each kind of step has.

    Args:
        counts: How many steps of each kind there are in play.
        errors: Squared errors of some of them, [n] of each kind.
    """
    weights = np.asarray(counts, np.float64)
    value = weights * [error.mean() for error in errors]
    drawn = np.stack(
        [
            w * (resampled(len(e), seed=k) @ e)
            for k, (w, e) in enumerate(zip(weights, errors, strict=True))
        ]
    )
    low, high = np.percentile(drawn / np.maximum(drawn.sum(0), 1e-12), [2.5, 97.5], axis=1)
    alone = np.array([len(error) == 1 for error in errors])  # one sample has no interval
    low[alone] = high[alone] = np.nan
    value = value / max(value.sum(), 1e-12)
    return [
        Estimate(float(v), float(a), float(b), len(e))
        for v, a, b, e in zip(value, low, high, errors, strict=True)
    ]
