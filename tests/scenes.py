"""States written by hand, in units, for environments to start from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirage_env import MirageVectorEnv
from mirage_env.arena import ARENA_DTYPE
from mirage_env.rules import UNIT

UP = 16
"""The heading of a ship that points up."""

SMALL, MEDIUM, LARGE = 1, 2, 3


def scene(
    *,
    ship: tuple[float, float] = (32.0, 32.0),
    rocks: list[tuple[int, float, float]] | None = None,
    bullets: list[tuple[float, float, float, float]] | None = None,
    **fields: int,
) -> NDArray[Any]:
    """Return a record of an arena in its first wave, everything at rest but the bullets.

    Args:
        ship: Where it is; it points up.
        rocks: (size, x, y) of each.
        bullets: (x, y, vx, vy) of each, with 10 ticks to live.
        fields: Other fields of the record.
    """
    record = np.zeros((), ARENA_DTYPE)
    record["ship_x"], record["ship_y"] = (round(v * UNIT) for v in ship)
    record["ship_heading"], record["lives"], record["wave"] = UP, 3, 1
    for slot, (size, x, y) in enumerate(rocks or []):
        record["rock_size"][slot] = size
        record["rock_x"][slot], record["rock_y"][slot] = round(x * UNIT), round(y * UNIT)
    for slot, (x, y, vx, vy) in enumerate(bullets or []):
        record["bullet_life"][slot] = 10
        record["bullet_x"][slot], record["bullet_y"][slot] = round(x * UNIT), round(y * UNIT)
        record["bullet_vx"][slot], record["bullet_vy"][slot] = round(vx * UNIT), round(vy * UNIT)
    for name, value in fields.items():
        record[name] = value
    return record


def put(envs: MirageVectorEnv, *scenes: NDArray[Any]) -> None:
    """Put a scene into each environment; seeds and episodes stay."""
    records = np.stack(scenes)
    names = [name for name in ARENA_DTYPE.names or () if name not in ("seed", "episode")]
    envs.set_state({name: records[name] for name in names})
