"""The constants of the game, each in one place, in units a person can read.

`Rules` is the whole of it: a frozen dataclass in units, ticks and points. `constants` turns it into the
integers that the simulator computes with, and ``python -m mirage_env.rules`` writes those to
``cuda/generated.cuh`` for the C++ and CUDA builds. The oracle reads them from here.

Units: the arena is 64 units wide and high, a tick is 1/30 s, and a 64x64 picture has one pixel a unit.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

__all__ = ["RULES_VERSION", "TUNABLE", "Constants", "Rules", "constants", "header", "tuning"]

RULES_VERSION = 1
"""Raised by every change that alters a state or a pixel; recorded in weights and replays."""

ARENA = 64
"""Width and height of the torus in units."""

UNIT = 2**26
"""One unit of length in the integers of a coordinate: 64 units are 2**32, so wrapping is overflow."""

ROCK_SLOTS = 24
BULLET_SLOTS = 8

TUNABLE = ("thrust", "rock_speed", "wave_first", "cooldown", "split")
"""The fields of `Rules` that may differ from environment to environment, and from arena to arena."""


@dataclass(frozen=True)
class Rules:
    """The rules of Mirage, version 1.

    Only the fields in `TUNABLE` may be changed for an environment; the others are compiled into the
    simulators, and changing one of them is a change of `RULES_VERSION`.

    Example:
        >>> Rules(rock_speed=0.5, split="random").rock_speed
        0.5
    """

    # Tunable, by environment or by arena.
    thrust: float = 0.035
    """Acceleration of the ship under thrust, units/tick^2 (0 to 0.25)."""
    rock_speed: float = 0.3
    """Mean speed of a new large rock, units/tick (0 to 1.5)."""
    wave_first: int = 3
    """Large rocks in the first wave (1 to 6); each later wave has one more, up to `wave_most`."""
    cooldown: int = 8
    """Ticks from one shot to the next (1 to 60)."""
    split: Literal["bullet", "random"] = "bullet"
    """Where fragments go: across the path of the bullet, or in a direction drawn at random."""

    # The ship.
    ticks_per_second: int = 30
    headings: int = 64
    """Directions the ship can point in."""
    turn: int = 3
    """Headings turned in a tick."""
    drag_shift: int = 7
    """Each tick the ship loses 1/2**drag_shift of its velocity."""
    top_speed: float = 0.9
    """Above this speed (units/tick) the ship loses a further 1/2**brake_shift of its velocity a tick."""
    brake_shift: int = 4
    ship_radius: float = 1.6
    """For collisions, units."""
    lives: int = 3
    death_ticks: int = 16
    """How long an explosion lasts, ticks."""
    shield_ticks: int = 60
    """How long a ship that came back cannot be hit, ticks."""

    # The gun.
    muzzle: float = 2.6
    """Distance from the ship's centre to its nose, units."""
    bullet_speed: float = 1.6
    """Of a bullet relative to the ship, units/tick."""
    bullet_ticks: int = 24
    """Life of a bullet, ticks."""
    bullet_radius: float = 0.6
    """For collisions, units."""

    # The rocks; tuples are by size: small, medium, large.
    rock_radius: tuple[float, float, float] = (2.0, 3.5, 6.0)
    """Largest radius of the outline, units."""
    rock_reach: tuple[float, float, float] = (1.8, 3.15, 5.4)
    """For collisions, units."""
    rock_points: tuple[int, int, int] = (100, 50, 20)
    rock_spin: tuple[int, int, int] = (4, 3, 2)
    """Of a fragment, 1/256 turn a tick; a new large rock spins at most at its rate."""
    kick: float = 48 / 256
    """Speed of a fragment across the bullet's path, as a share of the bullet's speed seen from the rock."""
    kick_lead: int = 3
    """A fragment starts 2**kick_lead ticks along the way that the kick takes it."""

    # The waves.
    wave_most: int = 6
    wave_ticks: int = 24
    """How long a wave is announced before it is solid, ticks."""
    wave_near: float = 18.0
    """Nearest a new rock is placed to the ship, units."""
    wave_far: float = 28.0
    """Farthest a new rock is placed from the ship, units."""

    def __post_init__(self) -> None:
        """Raise `ValueError` for a tunable field outside of its range."""
        _in_range("thrust", self.thrust, 0.0, 0.25)
        _in_range("rock_speed", self.rock_speed, 0.0, 1.5)
        _in_range("wave_first", self.wave_first, 1, self.wave_most, whole=True)
        _in_range("cooldown", self.cooldown, 1, 60, whole=True)
        if self.split not in ("bullet", "random"):
            raise ValueError(f"Rules.split must be 'bullet' or 'random', got {self.split!r}")

    def replace(self, **changes: Any) -> Rules:
        """Return a copy with some fields changed (as `dataclasses.replace`)."""
        return replace(self, **changes)


def _in_range(name: str, value: Any, low: float, high: float, whole: bool = False) -> None:
    kind = "a whole number" if whole else "a number"
    ok = isinstance(value, int) if whole else isinstance(value, (int, float))
    if isinstance(value, bool) or not ok or not low <= value <= high:
        raise ValueError(f"Rules.{name} must be {kind} from {low} to {high}, got {value!r}")


def tuning(rules: Rules) -> tuple[int, int, int, int, int]:
    """Return the tunable part of `rules` as the integers of `struct Tuning`, in the order of `TUNABLE`.

    Raises:
        ValueError: If a field that is not in `TUNABLE` differs from its default.
    """
    standard = Rules()
    for field in fields(Rules):
        wanted, got = getattr(standard, field.name), getattr(rules, field.name)
        if field.name not in TUNABLE and got != wanted:
            raise ValueError(
                f"Rules.{field.name} is compiled into the simulators as {wanted!r} and cannot be "
                f"{got!r} in one environment; what can be changed is {', '.join(TUNABLE)}"
            )
    return (
        fixed(rules.thrust),
        fixed(rules.rock_speed),
        rules.wave_first,
        rules.cooldown,
        int(rules.split == "random"),
    )


def fixed(units: float) -> int:
    """Return a length in units, or a velocity in units/tick, as an integer of a coordinate."""
    return round(units * UNIT)


def reach(units: float) -> int:
    """Return a length in units in the coarser integers of collisions and boxes: 1/1024 unit."""
    return round(units * 1024)


# Tables ---------------------------------------------------------------------------------------------

ANGLES = 256
"""Steps of a full turn in the tables of cosine and sine; a heading of the ship is four of them."""

OUTLINES = {
    "small": (16, 14, 15, 13, 16, 15, 13, 14),
    "medium": (16, 13, 15, 16, 13, 15, 14, 16),
    "large": (16, 14, 16, 13, 15, 16, 13, 15),
}
"""Outlines of the rocks: the radius of each of eight vertices, 45 degrees apart, in sixteenths of the largest."""


def _cosines() -> tuple[int, ...]:
    return tuple(round(math.cos(2 * math.pi * a / ANGLES) * 16384) for a in range(ANGLES))


def _sines() -> tuple[int, ...]:
    return tuple(round(math.sin(2 * math.pi * a / ANGLES) * 16384) for a in range(ANGLES))


def octagon_edges(outline: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Return the edges of an outline, in 1/4096, indexed by octant.

    Edge (mx, my) of vertices a and b solves mx*ax + my*ay = mx*bx + my*by = 1, so that mx*u + my*v is 1 on
    the edge, less inside and more outside. The octant of (u, v) is (u < 0) + 2*(v < 0) + 4*(|v| > |u|).
    """
    edges: dict[int, tuple[int, int]] = {}
    for i in range(8):
        (ax, ay), (bx, by) = (
            (outline[j % 8] / 16 * math.cos(j * math.pi / 4), outline[j % 8] / 16 * math.sin(j * math.pi / 4))
            for j in (i, i + 1)
        )
        det = ax * by - ay * bx
        middle = (i + 0.5) * math.pi / 4
        u, v = math.cos(middle), math.sin(middle)
        octant = (u < 0) + 2 * (v < 0) + 4 * (abs(v) > abs(u))
        edges[octant] = (round((by - ay) / det * 4096), round((ax - bx) / det * 4096))
    return tuple(edges[o] for o in range(8))


def dart_planes(nose: float, wing: tuple[float, float], tail: float) -> tuple[tuple[int, int, int], ...]:
    """Return the two sides of a dart as planes (nu, nw, h) in 1/4096, for a point (u, w = |v|).

    The dart points along +u: nose (nose, 0), wing tips (wing[0], +-wing[1]), notch (tail, 0). A point is
    inside when nu*u + nw*w - h <= 0 for both planes; the larger of the two is its distance in units.
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


COLOURS = {
    "ROCK_COLOURS": (
        (214, 170, 112),
        (222, 118, 134),
        (164, 124, 232),
        (124, 196, 120),
        (148, 164, 184),
        (206, 104, 176),
    ),
    "SHIP_COLOURS": ((128, 128, 128), (255, 88, 88), (255, 206, 64), (84, 224, 255)),
    "BULLET_COLOUR": (255, 242, 156),
    "FLAME_COLOUR": (255, 128, 32),
    "GUN_COLOUR": (255, 255, 255),
    "SHIELD_COLOUR": (112, 144, 255),
}
"""Red, green, blue. Rocks by wave (the sixth stays), ships by lives left."""


class Constants(dict[str, Any]):
    """The constants of the game as integers (and tuples of them), by the names of ``cuda/generated.cuh``."""

    def __getattr__(self, name: str) -> Any:
        """Return a constant as an attribute."""
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def constants(rules: Rules | None = None) -> Constants:
    """Return the integers that the simulators compute with, in the order in which the header lists them."""
    r = rules or Rules()
    return Constants(
        RULES_VERSION=RULES_VERSION,
        UNIT=UNIT,
        ROCK_SLOTS=ROCK_SLOTS,
        BULLET_SLOTS=BULLET_SLOTS,
        HEADINGS=r.headings,
        HEADING_UP=r.headings // 4,
        TURN=r.turn,
        DRAG_SHIFT=r.drag_shift,
        TOP_SPEED=fixed(r.top_speed),
        BRAKE_SHIFT=r.brake_shift,
        LIVES=r.lives,
        DEATH_TICKS=r.death_ticks,
        SHIELD_TICKS=r.shield_ticks,
        MUZZLE=fixed(r.muzzle),
        BULLET_SPEED=fixed(r.bullet_speed),
        BULLET_TICKS=r.bullet_ticks,
        ROCK_POINTS=(0, *r.rock_points),
        ROCK_SPIN=(0, *r.rock_spin),
        KICK=round(r.kick * 256),
        KICK_LEAD=r.kick_lead,
        WAVE_MOST=r.wave_most,
        WAVE_TICKS=r.wave_ticks,
        WAVE_NEAR=fixed(r.wave_near),
        WAVE_FAR=fixed(r.wave_far),
        # Collisions, in 1/1024 unit.
        SHIP_REACH=reach(r.ship_radius),
        BULLET_REACH=reach(r.bullet_radius),
        ROCK_REACH=(0, *map(reach, r.rock_reach)),
        # Pictures: extents of boxes and radii in 1/1024 unit, planes and edges in 1/4096.
        ROCK_EXTENT=(0, *map(reach, r.rock_radius)),
        BULLET_EXTENT=reach(1.0),
        BULLET_DISC=reach(0.9),
        HULL_EXTENT=reach(3.0),
        FLAME_EXTENT=reach(4.0),
        GUN_EXTENT=reach(1.0),
        GUN_DISC=reach(0.8),
        GUN_AT=fixed(1.7),
        SHIELD_EXTENT=reach(5.5),
        SHIELD_RADIUS=(reach(2.9), reach(5.0)),
        SHIELD_WIDTH=reach(0.35),
        BLAST_EXTENT=reach(6.0),
        BLAST_RADIUS=(reach(1.0), reach(4.8)),
        BLAST_WIDTH=(reach(0.25), reach(1.0)),
        SHIELD_ALPHA=200,
        GHOST_ALPHA=128,
        GHOST_START=9,
        BULLET_ALPHA=(88, 7),
        HULL_PLANES=dart_planes(2.8, (-2.2, 2.0), -1.2),
        FLAME_PLANES=dart_planes(-3.8, (-1.4, 0.9), -1.0),
        ROCK_EDGES=((((0, 0),) * 8), *(octagon_edges(OUTLINES[size]) for size in ("small", "medium", "large"))),
        **COLOURS,
        COSINES=_cosines(),
        SINES=_sines(),
    )


# The header -----------------------------------------------------------------------------------------


def _shape(value: Any) -> tuple[int, ...]:
    return (len(value), *_shape(value[0])) if isinstance(value, tuple) else ()


def _literal(value: Any) -> str:
    return "{" + ", ".join(map(_literal, value)) + "}" if isinstance(value, tuple) else str(value)


def _wrapped(text: str, width: int = 100) -> str:
    lines, line = [], ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = "    " + word
        else:
            line = f"{line} {word}" if line else word
    return "\n".join([*lines, line])


def header(values: Mapping[str, Any] | None = None) -> str:
    """Return the text of ``cuda/generated.cuh``."""
    parts = [
        "// Written by `python -m mirage_env.rules` from mirage_env/rules.py: change the rules there.",
        "// clang-format off",
        "#pragma once",
        '#include "compiler.cuh"',
        "",
    ]
    for name, value in (values or constants()).items():
        dimensions = "".join(f"[{n}]" for n in _shape(value))
        keyword = "TABLE" if dimensions else "CONSTANT"
        parts.append(_wrapped(f"{keyword} int {name}{dimensions} = {_literal(value)};"))
    return "\n".join([*parts, "// clang-format on", ""])


def main() -> int:
    """Write ``cuda/generated.cuh`` beside this package's source."""
    target = Path(__file__).resolve().parent.parent / "cuda" / "generated.cuh"
    if not target.parent.is_dir():
        print(f"no folder {target.parent}: run this in a checkout of the source", file=sys.stderr)
        return 1
    target.write_text(header())
    print(f"wrote {target}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
