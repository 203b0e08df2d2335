"""Who presses the keys while a model learns: a mixture of simple players.

A model knows only what it has seen. Random keys alone hardly turn and seldom hit; good players
alone never show what a collision looks like. So every arena has one of the players below at a time
and changes it now and then, and every player sometimes slips. They read the simulator's states, all
arenas at once.
"""

from __future__ import annotations

import json
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirage_env.arena import Arenas
from mirage_env.rules import UNIT

__all__ = ["Behaviour", "Behaviours"]


class Behaviour(IntEnum):
    """The players."""

    STICKY = 0
    """Presses random keys, each for a while."""
    HUNTER = 1
    """Turns to where the nearest rock will be and shoots."""
    CAREFUL = 2
    """Hunts, and runs from rocks that come too near: reaches the later waves."""
    FLEEING = 3
    """Turns away from the rocks and thrusts."""
    IDLE = 4
    """Does nothing."""


SHARES = {
    Behaviour.STICKY: 0.30,
    Behaviour.HUNTER: 0.20,
    Behaviour.CAREFUL: 0.32,
    Behaviour.FLEEING: 0.12,
    Behaviour.IDLE: 0.06,
}
"""How often each is chosen."""

SWITCH = 1 / 200
"""Chance a tick that an arena gets another player."""
RELEASE = 1 / 8
"""Chance a tick that random keys change."""
SLIP = 1 / 25
"""Chance a tick that a player presses random keys instead."""
BULLET_SPEED = 1.6
"""Of a bullet seen from the ship, units a tick, for aiming."""
DANGER = 13.0
"""Distance in units at which a rock frightens the careful."""


class Behaviours:
    """The players of `num_envs` arenas and the random numbers they use.

    Example:
        >>> from mirage_env.arena import ARENA_DTYPE
        >>> players = Behaviours(2, seed=1)
        >>> players.act(np.zeros(2, ARENA_DTYPE)).shape
        (2,)
    """

    def __init__(self, num_envs: int, seed: int) -> None:
        """Give each arena a player."""
        self.rng = np.random.default_rng([seed, 0x6B657973])
        self.kind = self._choose(num_envs)
        self.keys = self._random_keys(num_envs)

    def act(self, arenas: Arenas) -> NDArray[np.int32]:
        """Return the actions int32 [num_envs] for the arenas as they are."""
        n = len(arenas)
        chance = self.rng.random((3, n), dtype=np.float32)
        self.kind = np.where(chance[0] < SWITCH, self._choose(n), self.kind)
        self.keys = np.where(chance[1] < RELEASE, self._random_keys(n), self.keys)
        actions = np.where(self.kind == Behaviour.IDLE, 0, self.keys)
        seeing = np.flatnonzero((self.kind != Behaviour.STICKY) & (self.kind != Behaviour.IDLE))
        if len(seeing):
            actions[seeing] = aimed_actions(arenas[seeing], self.kind[seeing])
        return np.where(chance[2] < SLIP, self.keys, actions).astype(np.int32)

    def state_dict(self) -> dict[str, Any]:
        """Return all that decides the actions to come: arrays and a string."""
        state = json.dumps(self.rng.bit_generator.state)
        return {"kind": self.kind.copy(), "keys": self.keys.copy(), "rng": state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a `state_dict`."""
        self.kind = np.asarray(state["kind"]).copy()
        self.keys = np.asarray(state["keys"]).copy()
        self.rng.bit_generator.state = json.loads(state["rng"])

    def _choose(self, n: int) -> NDArray[np.int8]:
        return self.rng.choice(np.array(list(SHARES), np.int8), n, p=list(SHARES.values()))

    def _random_keys(self, n: int) -> NDArray[np.int8]:
        turn = self.rng.integers(0, 3, n, np.int8)
        thrust = self.rng.random(n, dtype=np.float32) < 0.35
        fire = self.rng.random(n, dtype=np.float32) < 0.45
        return (turn * 4 + thrust * 2 + fire).astype(np.int8)


def aimed_actions(arenas: Arenas, kind: NDArray[np.integer]) -> NDArray[np.int32]:
    """Return what players of `kind` HUNTER, CAREFUL or FLEEING press, int32 [n]."""
    # [n, 24] offsets from the ship to each rock, the short way around the torus, and relative
    # velocities; in units.
    dx = units(arenas["rock_x"] - arenas["ship_x"][:, None])
    dy = units(arenas["rock_y"] - arenas["ship_y"][:, None])
    vx = (arenas["rock_vx"] - arenas["ship_vx"][:, None]) / np.float32(UNIT)
    vy = (arenas["rock_vy"] - arenas["ship_vy"][:, None]) / np.float32(UNIT)
    size = arenas["rock_size"]
    distance = np.sqrt(dx * dx + dy * dy) - 2 * size.astype(np.float32)
    distance[size == 0] = 1e3

    nearest = distance.argmin(1)[:, None]
    near = np.take_along_axis(distance, nearest, 1)[:, 0]
    x, y, vx, vy = (np.take_along_axis(a, nearest, 1)[:, 0] for a in (dx, dy, vx, vy))
    flight = np.clip(near, 0, 60) / BULLET_SPEED
    aim = heading_of(x + vx * flight, y + vy * flight)
    push = 1 / np.clip(distance, 1, None) ** 2
    away = heading_of(-(dx * push).sum(1), -(dy * push).sum(1))

    solid = arenas["wave_timer"] == 0
    afraid = (kind == Behaviour.FLEEING) | (
        (kind == Behaviour.CAREFUL) & (near < DANGER) & (arenas["shield"] < 8) & solid
    )
    heading = arenas["ship_heading"].astype(np.float32)
    off = (np.where(afraid, away, aim) - heading + 32) % 64 - 32
    turn = np.where(off > 1.5, 1, np.where(off < -1.5, 2, 0))
    thrust = np.where(afraid, np.abs(off) < 10, (np.abs(off) < 5) & (near > 30))
    # The careful go on shooting at what is before them while they run.
    aimed = np.abs((aim - heading + 32) % 64 - 32) < 2.5
    fire = aimed & (near < 38) & (near < 900) & ((kind != Behaviour.FLEEING) | (near < 8))
    return (turn * 4 + thrust * 2 + fire).astype(np.int32)


def units(difference: NDArray[np.uint32]) -> NDArray[np.float32]:
    """Return a wrapped difference of two coordinates in units, -32 to 32."""
    return difference.view(np.int32).astype(np.float32) / np.float32(UNIT)


def heading_of(x: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
    """Return the heading (0 to 64, counter-clockwise as seen, y down) of a direction."""
    return np.arctan2(-y, x) * np.float32(32 / np.pi)
