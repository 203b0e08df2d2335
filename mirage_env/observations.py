"""What an agent sees: a picture, or with ``obs_type="state"`` one vector of 244 numbers.

A picture is in colours (``"rgb"``) or in their luma (``"grayscale"``, ITU-R BT.601 in 1/256).

The vector, float32, in this order (`STATE_FIELDS` gives name, unit and bounds of each number):

    0-11     the ship and the wave: ship_x, ship_y (units), ship_vx, ship_vy (units/tick),
             ship_cos, ship_sin (of the heading), cooldown, shield, dying (ticks), lives,
             wave (its number, at most 255), wave_timer (ticks)
    12-203   24 rocks of 8 numbers: size (0 none, 1 small, 2 medium, 3 large), x, y (units),
             vx, vy (units/tick), cos, sin (of the angle it has turned by), spin (radians/tick)
    204-243  8 bullets of 5 numbers: life (ticks), x, y (units), vx, vy (units/tick)

The arena is a torus of 64 x 64 units; y points down; angles turn counter-clockwise as seen, so that
the ship looks along (ship_cos, -ship_sin). An empty slot is zero in every number.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from mirage_env.arena import Arenas
from mirage_env.rules import ARENA, BULLET_SLOTS, ROCK_SLOTS, UNIT, constants

__all__ = [
    "CIRCLE",
    "OBS_TYPES",
    "STATE_FIELDS",
    "STATE_NAMES",
    "STATE_SIZE",
    "StateField",
    "picture_space",
    "state_space",
    "state_vectors",
]

OBS_TYPES = ("rgb", "grayscale", "state")


class StateField(NamedTuple):
    """One number of the state vector."""

    name: str
    unit: str
    low: float
    high: float


_C = constants()
_FASTEST = 2**31 / UNIT
"""No velocity that the game can hold is faster (units/tick); ships and rocks stay far below."""

_LAST_WAVE = 255
"""Later waves are seen as this one: from the sixth on they are all alike."""


def _place(prefix: str) -> list[StateField]:
    return [
        StateField(f"{prefix}_x", "units", 0, ARENA),
        StateField(f"{prefix}_y", "units", 0, ARENA),
        StateField(f"{prefix}_vx", "units/tick", -_FASTEST, _FASTEST),
        StateField(f"{prefix}_vy", "units/tick", -_FASTEST, _FASTEST),
    ]


def _direction(prefix: str) -> list[StateField]:
    return [StateField(f"{prefix}_cos", "1", -1, 1), StateField(f"{prefix}_sin", "1", -1, 1)]


_SHIP_FIELDS = [
    *_place("ship"),
    *_direction("ship"),
    StateField("cooldown", "ticks", 0, 60),
    StateField("shield", "ticks", 0, _C.SHIELD_TICKS),
    StateField("dying", "ticks", 0, _C.DEATH_TICKS),
    StateField("lives", "1", 0, _C.LIVES),
    StateField("wave", "1", 0, _LAST_WAVE),
    StateField("wave_timer", "ticks", 0, _C.WAVE_TICKS),
]


def _rock_fields(prefix: str) -> list[StateField]:
    return [
        StateField(f"{prefix}_size", "1", 0, 3),
        *_place(prefix),
        *_direction(prefix),
        StateField(f"{prefix}_spin", "radians/tick", -math.pi, math.pi),
    ]


def _bullet_fields(prefix: str) -> list[StateField]:
    return [StateField(f"{prefix}_life", "ticks", 0, _C.BULLET_TICKS), *_place(prefix)]


STATE_FIELDS: tuple[StateField, ...] = (
    *_SHIP_FIELDS,
    *(field for i in range(ROCK_SLOTS) for field in _rock_fields(f"rock_{i}")),
    *(field for i in range(BULLET_SLOTS) for field in _bullet_fields(f"bullet_{i}")),
)
"""Name, unit and bounds of each number of the state vector, in its order."""

STATE_NAMES: tuple[str, ...] = tuple(field.name for field in STATE_FIELDS)
"""The names alone: ``STATE_NAMES.index("rock_3_vx")`` is where that number stands."""

STATE_SIZE = len(STATE_FIELDS)

_ROCKS = len(_SHIP_FIELDS)
_BULLETS = _ROCKS + ROCK_SLOTS * len(_rock_fields(""))


def picture_space(size: int, channels: int = 3) -> Box:
    """Return the space of pictures uint8 [size, size, 3], of grey ones uint8 [size, size]."""
    return Box(0, 255, (size, size, 3) if channels == 3 else (size, size), np.uint8)


def state_space() -> Box:
    """Return the space of state vectors float32 [STATE_SIZE], with finite bounds."""
    low, high = (
        np.array([getattr(f, end) for f in STATE_FIELDS], np.float32) for end in ("low", "high")
    )
    return Box(low, high, dtype=np.float32)


_TURN = 2 * np.pi / 256
_COS = np.cos(np.arange(256) * _TURN).astype(np.float32)
_SIN = np.sin(np.arange(256) * _TURN).astype(np.float32)


CIRCLE = np.concatenate([_COS, _SIN])
"""float32 [512]: the cosines of 1/256 turns, then the sines; other backends must use these."""


def state_vectors(arenas: Arenas, out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """Return state vectors float32 [n, STATE_SIZE] of n arenas, in `out` where that is given."""
    n = len(arenas)
    if out is None:
        out = np.empty((n, STATE_SIZE), np.float32)
    _ship(arenas, out[:, :_ROCKS])
    rock, bullet = (_BULLETS - _ROCKS) // ROCK_SLOTS, (STATE_SIZE - _BULLETS) // BULLET_SLOTS
    _rocks(arenas, out[:, _ROCKS:_BULLETS].reshape(n, ROCK_SLOTS, rock))
    _bullets(arenas, out[:, _BULLETS:].reshape(n, BULLET_SLOTS, bullet))
    return out


def _ship(arenas: Arenas, out: NDArray[np.float32]) -> None:
    for column, name in enumerate(("ship_x", "ship_y", "ship_vx", "ship_vy")):
        out[:, column] = _units(arenas[name])
    angle = 256 // _C.HEADINGS * arenas["ship_heading"].astype(np.intp)
    out[:, 4] = _COS[angle]
    out[:, 5] = _SIN[angle]
    for column, name in enumerate(("cooldown", "shield", "dying", "lives"), 6):
        out[:, column] = arenas[name]
    out[:, 10] = np.minimum(arenas["wave"], _LAST_WAVE)
    out[:, 11] = arenas["wave_timer"]


def _rocks(arenas: Arenas, out: NDArray[np.float32]) -> None:
    there = arenas["rock_size"] > 0
    out[..., 0] = arenas["rock_size"]
    for column, name in enumerate(("rock_x", "rock_y", "rock_vx", "rock_vy"), 1):
        out[..., column] = _units(arenas[name])
    out[..., 5] = _COS[arenas["rock_angle"]] * there
    out[..., 6] = _SIN[arenas["rock_angle"]] * there
    out[..., 7] = arenas["rock_spin"] * np.float32(_TURN)


def _bullets(arenas: Arenas, out: NDArray[np.float32]) -> None:
    out[..., 0] = arenas["bullet_life"]
    for column, name in enumerate(("bullet_x", "bullet_y", "bullet_vx", "bullet_vy"), 1):
        out[..., column] = _units(arenas[name])


def _units(raw: NDArray[Any]) -> NDArray[np.float64]:
    """Return raw lengths or velocities in units; the division is exact in float64."""
    return raw / float(UNIT)
