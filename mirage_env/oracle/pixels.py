"""Coverage and blending: functions of one pixel, which take arrays of pixels just as well.

(dx, dy) is the way from the object to the centre of the pixel, in units, float32. Every operation
is rounded to float32 by itself, in the order written.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mirage_env.oracle.arithmetic import f32, trunc
from mirage_env.oracle.shapes import Dart, Octagon, Ring
from mirage_env.rules import constants

__all__ = ["blend", "clip", "dart", "grey", "octagon", "opacity", "ring"]

C = constants()

EDGES = np.array(C.ROCK_EDGES, np.float32) / f32(4096)
"""The edges of the rocks, float32 [size, octant, 2]."""


def clip(t: Any) -> Any:
    """Return a coverage, from 0 (outside) to 256 (inside)."""
    return np.minimum(np.maximum(t, 0), 256)


def octagon(shape: Octagon, dx: Any, dy: Any) -> tuple[Any, Any]:
    """Return coverage and shade of a rock, which is darker in the middle."""
    u = dx * shape.ax + dy * shape.ay
    v = dx * shape.ay - dy * shape.ax
    octant = 1 * (u < 0) + 2 * (v < 0) + 4 * (np.abs(v) > np.abs(u))
    m = EDGES[shape.size, octant]
    g = m[..., 0] * u + m[..., 1] * v  # 0 in the middle, 1 on the edge
    coverage = clip(trunc((f32(1) - g) * shape.steepness + f32(128)))
    shade = 128 + trunc(f32(128) * np.minimum(g, f32(1)))
    return coverage, shade


def dart(shape: Dart, dx: Any, dy: Any) -> tuple[Any, Any]:
    """Return coverage and shade of a hull or a flame."""
    u = dx * shape.fx + dy * shape.fy
    w = np.abs(dx * shape.fy - dy * shape.fx)
    (nu0, nw0, h0), (nu1, nw1, h1) = ([f32(n) / f32(4096) for n in plane] for plane in shape.planes)
    d0 = (nu0 * u + nw0 * w) - h0
    d1 = (nu1 * u + nw1 * w) - h1
    return clip(trunc(f32(128) - np.maximum(d0, d1) * shape.steepness)), 256


def ring(shape: Ring, dx: Any, dy: Any) -> tuple[Any, Any]:
    """Return coverage and shade of a ring; of radius 0, a disc."""
    d = np.abs(np.sqrt(dx * dx + dy * dy) - shape.radius) - shape.width
    return clip(trunc(f32(128) - d * shape.steepness)), 256


def opacity(coverage: Any, alpha: int) -> Any:
    """Return how much of a pixel a sprite hides, from 0 to 256."""
    return (coverage * alpha) >> 8


def blend(under: Any, colour: int, opaque: Any, shade: Any) -> Any:
    """Return one channel of a pixel with a sprite laid over it."""
    c = (colour * shade) >> 8
    return (under * (256 - opaque) + c * opaque) >> 8


def grey(r: Any, g: Any, b: Any) -> Any:
    """Return the luma of a colour (ITU-R BT.601, in 1/256), for those who want one channel."""
    return (77 * r + 150 * g + 29 * b + 128) >> 8
