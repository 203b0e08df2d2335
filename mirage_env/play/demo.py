"""A player that plays by itself: from the state of the game it plans some ticks ahead.

It is a planner and no more: it tries each course of turning one way for a while and then thrusting
for a while, takes the rocks to drift on as they do, and prefers courses that touch nothing and end
in a shot that hits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirage_env.actions import keys_to_action
from mirage_env.rules import UNIT, Rules

__all__ = ["Demonstration"]

_RULES = Rules()
_ROCK_REACH = np.array([0.0, *_RULES.rock_reach])

HORIZON = 45
"""Ticks that are looked ahead."""

TURNS = 11
"""A plan turns for less than so many ticks: half a turn of the ship."""

THRUSTS = (0, 5, 11)
"""A plan thrusts for so many ticks after it has turned."""


@dataclass(frozen=True)
class Weights:
    """What a plan is worth; a rock that is hit at once is worth 1."""

    crash: float = 20.0
    """Lost by touching a rock at the end of the horizon; sooner costs up to three times as much."""
    near: float = 2.0
    """Lost by nearly touching one."""
    margin: float = 3.0
    """Closer than this to a rock (units, beyond touching) is near."""
    thrust: float = 0.06
    """Lost by thrusting at all."""
    speed: float = 0.5
    """Lost for each unit/tick that the speed is off from `cruise`."""
    cruise: float = 0.32
    """The speed it likes, units/tick."""
    patience: float = 26.0
    """A hit this many ticks later is worth 1/e."""


class Demonstration:
    """Plays the game from its state; give it the state before each tick and take the action.

    Example:
        >>> player = Demonstration()
        >>> session.advance(player.action(game.state()))
    """

    def __init__(self, weights: Weights | None = None) -> None:
        """Begin with nothing seen."""
        self.weights = weights or Weights()
        turns = [(side, count) for side in (1, -1) for count in range(TURNS) if side == 1 or count]
        self._plans = [(side, count, thrust) for thrust in THRUSTS for side, count in turns]
        self._spent: dict[int, int] = {}
        self._tick = 0

    def action(self, state: Mapping[str, NDArray[Any]]) -> int:
        """Return the action for an arena.

        Args:
            state: Its raw fields (see docs/rules.md), without a dimension for the batch.
        """
        tick = int(state["tick"])
        if tick < self._tick:
            self._spent.clear()
        self._tick = tick
        if state["dying"] or not state["lives"]:
            return 0
        scene = _Scene(state)
        values = np.array([self._value(scene, i) for i in range(len(self._plans))])
        side, count, thrust = self._plans[int(np.argmax(values))]
        turning = side if count else 0
        fire = self._fires(scene, (scene.heading + turning * _RULES.turn) % _RULES.headings)
        return keys_to_action(turning > 0, turning < 0, not count and thrust > 0, fire)

    def _value(self, scene: _Scene, plan: int) -> float:
        """Return what a plan is worth."""
        w = self.weights
        side, count, thrust = self._plans[plan]
        heading = (scene.heading + side * count * _RULES.turn) % _RULES.headings
        path, velocity = scene.path(heading, count, thrust)
        value = -w.thrust * (thrust > 0) - w.speed * abs(float(np.hypot(*velocity)) - w.cruise)
        clear = scene.clearance(path)  # [HORIZON]
        later = np.arange(len(clear))
        touched = np.flatnonzero((clear < 0.2) & (later >= scene.safe_for))
        if len(touched):
            value -= w.crash * (3 - 2 * touched[0] / HORIZON)
        near = np.clip(1 - clear / w.margin, 0, 1) * (later >= scene.safe_for - 10)
        value -= w.near * float(near.max(initial=0.0))
        if not thrust and scene.rocks:
            rock, ticks = scene.hit(path[count], heading, count + 1)
            wait = max(count, scene.cooldown - 1)
            if rock >= 0 and self._spent.get(rock, -1) < self._tick:
                value += float(np.exp(-(wait + 0.3 * ticks) / w.patience))
        return value

    def _fires(self, scene: _Scene, heading: int) -> bool:
        """Return whether a shot now would hit a rock that no bullet is on its way to."""
        if scene.cooldown > 1 or not scene.rocks:
            return False
        rock, ticks = scene.hit(scene.ship + scene.velocity, heading, 1)
        if rock < 0 or self._spent.get(rock, -1) >= self._tick:
            return False
        if scene.size[rock] < 3:
            self._spent[rock] = self._tick + ticks
        return True


class _Scene:
    """The state in units, and what will become of it."""

    def __init__(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.ship = np.array([state["ship_x"], state["ship_y"]], float) / UNIT
        self.velocity = np.array([state["ship_vx"], state["ship_vy"]], float) / UNIT
        self.heading = int(state["ship_heading"])
        self.cooldown = int(state["cooldown"])
        self.ghosts_for = int(state["wave_timer"])
        self.safe_for = max(int(state["shield"]), self.ghosts_for)
        self.slots = np.flatnonzero(state["rock_size"])
        self.rocks = len(self.slots)
        self.size = {int(s): int(state["rock_size"][s]) for s in self.slots}
        at = np.stack([state["rock_x"], state["rock_y"]], 1)[self.slots].astype(float) / UNIT
        speed = np.stack([state["rock_vx"], state["rock_vy"]], 1)[self.slots].astype(float) / UNIT
        self.reach = _ROCK_REACH[np.asarray(state["rock_size"])[self.slots]]  # [rocks]
        ticks = np.arange(1, HORIZON + _RULES.bullet_ticks + TURNS + 2)
        self.drift = at + ticks[:, None, None] * speed  # [ticks, rocks, 2]

    def path(self, heading: int, turning: int, thrust: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the ship's places [HORIZON, 2] in a plan and its velocity at the end."""
        angle = heading * 2 * np.pi / _RULES.headings
        push = np.zeros((HORIZON, 2))
        push[turning : turning + thrust] = _RULES.thrust * np.array([np.cos(angle), -np.sin(angle)])
        velocity = self.velocity + np.cumsum(push, axis=0)
        return self.ship + np.cumsum(velocity, axis=0), velocity[-1]

    def clearance(self, path: NDArray[Any]) -> NDArray[Any]:
        """Return how far the ship is from touching the nearest rock at each tick of its path."""
        if not self.rocks:
            return np.full(len(path), 99.0)
        apart = _gap(self.drift[: len(path)] - path[:, None])
        return (np.hypot(apart[..., 0], apart[..., 1]) - self.reach - _RULES.ship_radius).min(
            axis=1
        )

    def hit(self, muzzle: NDArray[Any], heading: int, tick: int) -> tuple[int, int]:
        """Return what a shot fired at a tick hits first: a rock's slot, and after how many ticks.

        (-1, 0) if it hits none.
        """
        angle = heading * 2 * np.pi / _RULES.headings
        forward = np.array([np.cos(angle), -np.sin(angle)])
        flown = np.arange(_RULES.bullet_ticks)[:, None]
        bullet = (
            muzzle
            + _RULES.muzzle * forward
            + flown * (self.velocity + _RULES.bullet_speed * forward)
        )
        rocks = self.drift[tick - 1 : tick - 1 + len(bullet)]
        apart = _gap(rocks - bullet[:, None])
        struck = (
            np.hypot(apart[..., 0], apart[..., 1]) < self.reach
        )  # [ticks, rocks]; a little is kept in hand
        struck[: max(0, self.ghosts_for - tick + 1)] = False
        when = np.flatnonzero(struck.any(axis=1))
        if not len(when):
            return -1, 0
        return int(self.slots[int(np.argmax(struck[when[0]]))]), int(when[0])


def _gap(apart: NDArray[Any]) -> NDArray[Any]:
    """Return the shortest way on the torus."""
    return (apart + 32) % 64 - 32
