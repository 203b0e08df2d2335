"""A hash instead of a generator: chance is a pure function of where and when it is asked for."""

from __future__ import annotations

from enum import IntEnum

from mirage_env.oracle.arithmetic import u32
from mirage_env.oracle.state import Arena

__all__ = ["Site", "below", "draw", "mix"]


class Site(IntEnum):
    """The places in the rules that ask for a random number."""

    SHIP_X = 0
    SHIP_Y = 1
    WAVE_BEARING = 2
    ROCK_BEARING = 3
    ROCK_DISTANCE = 4
    ROCK_COURSE = 5
    ROCK_SPEED = 6
    ROCK_ANGLE = 7
    ROCK_SPIN = 8
    SPLIT_COURSE = 9


def mix(h: int) -> int:
    """Return `h` with its 32 bits scrambled, one to one."""
    h ^= h >> 16
    h = u32(h * 0x21F0AAAD)
    h ^= h >> 15
    h = u32(h * 0xD35A2D97)
    h ^= h >> 15
    return h


def draw(arena: Arena, site: Site, index: int) -> int:
    """Return 32 random bits for the `index`-th object at a site in this tick of this episode."""
    h = 0
    for word in (u32(arena.seed), arena.seed >> 32, arena.episode, arena.tick, site * 256 + index):
        h = mix(u32((h ^ word) + 0x9E3779B9))
    return h


def below(bits: int, n: int) -> int:
    """Return a whole number from 0 to n - 1, made of 32 random bits."""
    return (bits * n) >> 32
