"""Games with a fault, to see that it is found: each breaks a rule, or draws badly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mirage_env.rules import Rules
from mirage_wm.evaluation.objects import KINDS, kinds
from mirage_wm.evaluation.worlds import Game, Shown, Starts

Spoil = Callable[[Any, Any], None]
"""Changes the states after a tick [n], knowing those before."""


class Faulty(Game):
    """The game, its states spoilt after each tick, its pictures after that."""

    def __init__(
        self,
        state: Spoil = lambda before, after: None,
        picture: Callable[[Tensor], Tensor] = lambda frames: frames,
        rules: Rules | None = None,
    ) -> None:
        super().__init__(rules or Rules(), chance=1)
        self.state, self.picture = state, picture

    def step(self, actions: Any) -> Shown:
        before = self.simulator.arenas.copy()
        self.simulator.step(actions.astype(np.int32))
        self.state(before, self.simulator.arenas)
        frames = self.picture(torch.from_numpy(self.simulator.render(64)))
        return Shown(frames, self.simulator.reward.copy(), self.simulator.terminated.copy())


class Frozen:
    """Shows the last real frame for ever."""

    device = torch.device("cpu")

    def begin(self, starts: Starts) -> None:
        self.frames = torch.from_numpy(starts.frames[:, -1].copy())

    def wake(self, rows: Any, starts: Starts) -> None:
        self.frames[rows] = torch.from_numpy(starts.frames[:, -1])

    def step(self, actions: Any) -> Shown:
        n = len(actions)
        return Shown(self.frames, np.zeros(n, int), np.zeros(n, bool))


class Averaging:
    """Shows the mean of several futures, as a regression does."""

    device = torch.device("cpu")

    def __init__(self, rules: Rules, futures: int = 12) -> None:
        self.games = [Game(rules, k + 50) for k in range(futures)]

    def begin(self, starts: Starts) -> None:
        for game in self.games:
            game.begin(starts)

    def wake(self, rows: Any, starts: Starts) -> None:
        for game in self.games:
            game.wake(rows, starts)

    def step(self, actions: Any) -> Shown:
        shown = [game.step(actions) for game in self.games]
        mean = torch.stack([s.frames for s in shown]).float().mean(0).round().to(torch.uint8)
        return Shown(mean, shown[0].rewards, shown[0].terminated)


def rocks_as(source: Any, target: Any, rows: Any) -> None:
    """Give some arenas the rocks that others have, a tick further."""
    for name in target.dtype.names:
        if name.startswith("rock_"):
            target[name][rows] = source[name][rows]
    for axis in "xy":
        moved = source[f"rock_{axis}"] + source[f"rock_v{axis}"].astype(np.uint32)
        target[f"rock_{axis}"][rows] = moved[rows]


def hit(before: Any, after: Any) -> Any:
    return np.flatnonzero(after["score"] > before["score"])


def stays_whole(before: Any, after: Any) -> None:
    rows = hit(before, after)
    rocks_as(before, after, rows)
    after["wave"][rows], after["wave_timer"][rows] = before["wave"][rows], 0


def loses_a_piece(before: Any, after: Any) -> None:
    after["rock_size"][hit(before, after), 1] = 0


def gains_a_piece(before: Any, after: Any) -> None:
    for row in hit(before, after):
        for name in after.dtype.names:
            if name.startswith("rock_"):
                after[name][row, 2] = after[name][row, 0]
    after["rock_x"][hit(before, after), 2:3] += np.full((1, 1), 12 * 2**26, np.uint32)


def pieces_are_small(before: Any, after: Any) -> None:
    rows = hit(before, after)
    after["rock_size"][rows] = np.maximum(after["rock_size"][rows], 1) - 1


def bullets_live_on(before: Any, after: Any) -> None:
    old = (before["bullet_life"] == 1) & (after["bullet_life"] == 0)
    for axis in "xy":
        speed = before[f"bullet_v{axis}"]
        moved = before[f"bullet_{axis}"] + speed.astype(np.uint32)
        after[f"bullet_{axis}"][old], after[f"bullet_v{axis}"][old] = moved[old], speed[old]
    after["bullet_life"][old] = 5


def bullets_die_early(before: Any, after: Any) -> None:
    after["bullet_life"][after["bullet_life"] < 6] = 0


def _crossed(before: Any, after: Any, name: str) -> Any:
    jumps = [np.abs(after[f"{name}_{a}"].astype(int) - before[f"{name}_{a}"]) > 2**31 for a in "xy"]
    return jumps[0] | jumps[1]


def rocks_stop_at_edges(before: Any, after: Any) -> None:
    where = _crossed(before, after, "rock")
    for axis in "xy":
        after[f"rock_{axis}"][where] = before[f"rock_{axis}"][where]


def ship_stops_at_edges(before: Any, after: Any) -> None:
    where = _crossed(before, after, "ship")
    for axis in "xy":
        after[f"ship_{axis}"][where] = before[f"ship_{axis}"][where]


def rocks_vanish_at_edges(before: Any, after: Any) -> None:
    after["rock_size"][_crossed(before, after, "rock")] = 0


def turns_the_other_way(before: Any, after: Any) -> None:
    turned = after["ship_heading"].astype(int) - before["ship_heading"]
    after["ship_heading"] = (before["ship_heading"].astype(int) - turned) % 64


def turns_by_half(before: Any, after: Any) -> None:
    turned = (after["ship_heading"].astype(int) - before["ship_heading"] + 32) % 64 - 32
    after["ship_heading"] = (before["ship_heading"].astype(int) + np.sign(turned)) % 64


def stands_still(before: Any, after: Any) -> None:
    for axis in "xy":
        after[f"ship_v{axis}"], after[f"ship_{axis}"] = 0, before[f"ship_{axis}"]


def has_no_flame(before: Any, after: Any) -> None:
    after["thrusting"] = 0


def has_a_flame(before: Any, after: Any) -> None:
    after["thrusting"] = 1


def fires_no_bullet(before: Any, after: Any) -> None:
    after["bullet_life"] = 0


def fires_on(before: Any, after: Any) -> None:
    after["cooldown"] = 0


def fires_once(before: Any, after: Any) -> None:
    after["cooldown"] = np.where(after["cooldown"] > 0, 60, 0)


def cannot_die(before: Any, after: Any) -> None:
    rows = after["dying"] > 0
    for name in ("dying", "lives", "ship_heading"):
        after[name][rows] = before[name][rows]


def dies_without_a_blast(before: Any, after: Any) -> None:
    rows = after["dying"] > 0
    after["dying"][rows], after["lives"][rows] = 0, 0


def returns_askew(before: Any, after: Any) -> None:
    after["ship_heading"] = 0


def returns_unshielded(before: Any, after: Any) -> None:
    after["shield"] = 0


def returns_elsewhere(before: Any, after: Any) -> None:
    rows = (before["dying"] > 0) & (after["dying"] == 0)
    after["ship_x"][rows] += np.uint32(8 * 2**26)


def never_returns(before: Any, after: Any) -> None:
    after["lives"] = 0


def keeps_its_shield(before: Any, after: Any) -> None:
    after["shield"] = np.maximum(after["shield"], 5)


def comes_back_after_the_end(before: Any, after: Any) -> None:
    after["lives"] = 1


def brings_no_wave(before: Any, after: Any) -> None:
    after["rock_size"][after["wave"] > before["wave"]] = 0
    after["wave"] = before["wave"]


def brings_half_a_wave(before: Any, after: Any) -> None:
    after["rock_size"][after["wave_timer"] > 0, 2:] = 0


def brings_waves_at_once(before: Any, after: Any) -> None:
    after["wave_timer"] = 0


def rocks_stand_still(before: Any, after: Any) -> None:
    for axis in "xy":
        after[f"rock_{axis}"] = before[f"rock_{axis}"]


def rocks_come_from_nowhere(before: Any, after: Any) -> None:
    after["rock_size"][:, 5], after["rock_x"][:, 5] = 2, after["rock_x"][:, 0] + np.uint32(2**31)
    after["rock_y"][:, 5] = after["rock_y"][:, 0]


def without(kind: str) -> Callable[[Tensor], Tensor]:
    """Return what paints all pixels of a kind black."""

    def paint(frames: Tensor) -> Tensor:
        return torch.where((kinds(frames) == KINDS.index(kind))[..., None], 0, frames)

    return paint


def blurred(frames: Tensor) -> Tensor:
    wide = F.avg_pool2d(F.pad(frames.permute(0, 3, 1, 2).float(), (4,) * 4, mode="circular"), 9, 1)
    return wide.permute(0, 2, 3, 1).to(torch.uint8)


def dimmed(frames: Tensor) -> Tensor:
    return frames // 5
