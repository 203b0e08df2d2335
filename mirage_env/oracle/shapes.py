"""What a sprite is: a box of pixels and one of three shapes, in one colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Box", "Dart", "Octagon", "Ring", "Sprite"]


@dataclass(frozen=True, slots=True)
class Box:
    """The pixels of a sprite on one axis.

    Attributes:
        first: The first column or row, not yet wrapped.
        width: The number of them.
        offset: How far the centre of the first one lies from the object, in pixels (float32).
    """

    first: int
    width: int
    offset: Any


@dataclass(frozen=True, slots=True)
class Octagon:
    """A rock: `ROCK_EDGES[size]` along (ax, ay), which is a direction over the radius (float32)."""

    size: int
    ax: Any
    ay: Any
    steepness: Any


@dataclass(frozen=True, slots=True)
class Dart:
    """A hull or a flame: two planes in the frame of the direction (fx, fy), mirrored (float32)."""

    planes: tuple[tuple[int, int, int], tuple[int, int, int]]
    fx: Any
    fy: Any
    steepness: Any


@dataclass(frozen=True, slots=True)
class Ring:
    """A circle drawn with a pen: its radius and half the width of the pen, in units (float32)."""

    radius: Any
    width: Any
    steepness: Any


@dataclass(frozen=True, slots=True)
class Sprite:
    """Something to draw."""

    across: Box
    down: Box
    shape: Octagon | Dart | Ring
    colour: tuple[int, int, int]
    alpha: int
