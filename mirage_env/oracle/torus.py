"""Integers that wrap: the arena is 2**32 wide, so that to leave it is to overflow."""

from __future__ import annotations

from mirage_env.oracle.arithmetic import i32
from mirage_env.rules import constants

__all__ = ["along", "gap", "touches"]

C = constants()


def along(length: int, angle: int) -> tuple[int, int]:
    """Return the vector of that length in the direction `angle`, 1/256 turn, counter-clockwise."""
    x = i32((C.COSINES[angle] * length) >> 14)
    y = i32((-C.SINES[angle] * length) >> 14)
    return x, y


def gap(a: int, b: int) -> int:
    """Return the shortest way from b to a on one axis."""
    return i32(a - b)


def touches(ax: int, ay: int, bx: int, by: int, reach: int) -> bool:
    """Return whether two points are nearer to each other than `reach`, in 1/1024 unit."""
    dx = gap(ax, bx) >> 16
    dy = gap(ay, by) >> 16
    return dx * dx + dy * dy < reach * reach
