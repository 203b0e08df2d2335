"""Tables of the rules that are computed once: cosines and sines, the shapes of rocks and ship.

They are rounded to integers here, by Python alone, so that every simulator has the same ones.
"""

from __future__ import annotations

import math

__all__ = ["ANGLES", "OUTLINES", "cosines", "dart_planes", "octagon_edges", "sines"]

ANGLES = 256
"""Steps of a full turn in the tables of cosine and sine; a heading of the ship is four of them."""

OUTLINES = (
    (16, 14, 15, 13, 16, 15, 13, 14),
    (16, 13, 15, 16, 13, 15, 14, 16),
    (16, 14, 16, 13, 15, 16, 13, 15),
)
"""Outlines of the rocks, small, medium, large: the radii of eight vertices, 45 degrees apart.

In sixteenths of the largest radius.
"""


def cosines() -> tuple[int, ...]:
    """Return the cosine of each angle in 1/16384."""
    return tuple(round(math.cos(2 * math.pi * a / ANGLES) * 16384) for a in range(ANGLES))


def sines() -> tuple[int, ...]:
    """Return the sine of each angle in 1/16384."""
    return tuple(round(math.sin(2 * math.pi * a / ANGLES) * 16384) for a in range(ANGLES))


def octagon_edges(outline: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Return the edges of an outline, in 1/4096, indexed by octant.

    Edge (mx, my) of vertices a and b solves mx*ax + my*ay = mx*bx + my*by = 1, so that
    mx*u + my*v is 1 on the edge, less inside and more outside. The octant of (u, v) is
    (u < 0) + 2*(v < 0) + 4*(|v| > |u|).
    """
    edges: dict[int, tuple[int, int]] = {}
    for i in range(8):
        (ax, ay), (bx, by) = (_vertex(outline, j) for j in (i, i + 1))
        det = ax * by - ay * bx
        middle = (i + 0.5) * math.pi / 4
        u, v = math.cos(middle), math.sin(middle)
        octant = (u < 0) + 2 * (v < 0) + 4 * (abs(v) > abs(u))
        edges[octant] = (round((by - ay) / det * 4096), round((ax - bx) / det * 4096))
    return tuple(edges[o] for o in range(8))


def _vertex(outline: tuple[int, ...], j: int) -> tuple[float, float]:
    radius, angle = outline[j % 8] / 16, j * math.pi / 4
    return radius * math.cos(angle), radius * math.sin(angle)


def dart_planes(
    nose: float, wing: tuple[float, float], tail: float
) -> tuple[tuple[int, int, int], ...]:
    """Return the two sides of a dart as planes (nu, nw, h) in 1/4096, for a point (u, w = |v|).

    The dart points along +u: nose (nose, 0), wing tips (wing[0], +-wing[1]), notch (tail, 0). A
    point is inside when nu*u + nw*w - h <= 0 for both planes; the larger of the two is its distance
    in units.
    """

    def plane(ax: float, ay: float, bx: float, by: float) -> tuple[int, int, int]:
        length = math.hypot(bx - ax, by - ay)
        nu, nw = (by - ay) / length, (ax - bx) / length
        return round(nu * 4096), round(nw * 4096), round((nu * ax + nw * ay) * 4096)

    return (
        _outward(plane(nose, 0.0, *wing), tail, 0.0),
        _outward(plane(*wing, tail, 0.0), nose, 0.0),
    )


def _outward(plane: tuple[int, int, int], u: float, w: float) -> tuple[int, int, int]:
    """Return the plane turned so that the point (u, w) lies on its inner side."""
    nu, nw, h = plane
    return plane if nu * u + nw * w <= h else (-nu, -nw, -h)
