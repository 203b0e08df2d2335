"""The state of one arena: a record of 640 bytes, the same in numpy, C++ and CUDA.

The fields and their meaning are listed in docs/rules.md; `struct Arena` in cuda/arena.cuh is its
other half.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirage_env.rules import BULLET_SLOTS, ROCK_SLOTS

__all__ = ["ARENA_DTYPE", "ARENA_WORDS", "TERMINATED", "TRUNCATED", "Arenas", "named_arrays"]

_R, _B = (ROCK_SLOTS,), (BULLET_SLOTS,)

ARENA_DTYPE = np.dtype(
    [
        ("rock_x", "<u4", _R),
        ("bullet_x", "<u4", _B),
        ("rock_y", "<u4", _R),
        ("bullet_y", "<u4", _B),
        ("rock_vx", "<i4", _R),
        ("bullet_vx", "<i4", _B),
        ("rock_vy", "<i4", _R),
        ("bullet_vy", "<i4", _B),
        ("rock_size", "u1", _R),
        ("bullet_life", "u1", _B),
        ("rock_angle", "u1", _R),
        ("rock_spin", "i1", _R),
        ("ship_x", "<u4"),
        ("ship_y", "<u4"),
        ("ship_vx", "<i4"),
        ("ship_vy", "<i4"),
        ("ship_heading", "u1"),
        ("cooldown", "u1"),
        ("shield", "u1"),
        ("dying", "u1"),
        ("thrusting", "u1"),
        ("lives", "u1"),
        ("wave_timer", "u1"),
        ("ended", "u1"),
        ("wave", "<u4"),
        ("score", "<u4"),
        ("tick", "<u4"),
        ("episode", "<u4"),
        ("seed", "<u8"),
    ]
)
"""One arena. Rocks and bullets share rows of 32, so that a row of a field is one 128-byte line."""

ARENA_WORDS = ARENA_DTYPE.itemsize // 4
"""The record as uint32 words, over which its hash is taken."""

TERMINATED, TRUNCATED = 1, 2
"""Bits of the field `ended`."""

Arenas = NDArray[np.void]
"""An array of `ARENA_DTYPE` records."""


def named_arrays(arenas: Arenas) -> dict[str, NDArray[Any]]:
    """Return a copy of each field of `arenas` as a contiguous array, by name."""
    names = arenas.dtype.names or ()
    return {name: arenas[name].copy() for name in names}
