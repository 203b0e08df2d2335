"""The constants of the game, each in one place, in units a person can read.

`Rules` is the whole of it: a frozen dataclass in units, ticks and points. `constants` turns it into
the integers that the simulators compute with: the oracle reads them from here, and
``python -m mirage_env.header`` writes them to ``cuda/generated.cuh`` for the C++ and CUDA builds.

Units: the arena is 64 units wide and high, a tick is 1/30 s, and a 64x64 picture has one pixel a
unit.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from numbers import Integral, Real
from typing import Any, Literal

from mirage_env import tables

__all__ = [
    "ARENA",
    "BULLET_SLOTS",
    "COLOURS",
    "ROCK_SLOTS",
    "RULES_VERSION",
    "TUNABLE",
    "UNIT",
    "Constants",
    "Rules",
    "constants",
    "tuning",
]

RULES_VERSION = 2
"""Raised by every change that alters a state or a pixel; recorded in weights and replays."""

ARENA = 64
"""Width and height of the torus in units."""

UNIT = 2**26
"""One unit of length in the integers of a coordinate: 64 are 2**32, so wrapping is overflow."""

ROCK_SLOTS = 24
BULLET_SLOTS = 8

TUNABLE = ("thrust", "rock_speed", "wave_first", "cooldown", "split", "wave")
"""The fields of `Rules` that may differ from arena to arena."""

WAVES = ("random", "ring", "ship")
"""The kinds of `Rules.wave`, by their number in `struct Tuning`."""


@dataclass(frozen=True)
class Rules:
    """The rules of Mirage, in units and ticks.

    Only the fields in `TUNABLE` may be changed for an environment; the others are compiled into the
    simulators, and changing one of them is a change of `RULES_VERSION`.

    Example:
        >>> Rules(rock_speed=0.5, split="random", cooldown=8)
        Rules(rock_speed=0.5, split='random')
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
    wave: Literal["random", "ring", "ship"] = "random"
    """Where the waves after the first appear: each rock at a place and with a course drawn at
    random; in a fixed pattern around the ship, turned by an angle drawn at random; or in that
    pattern, turned so that the ship points into a gap of it."""

    # The ship.
    ticks_per_second: int = 30
    headings: int = 64
    """Directions the ship can point in."""
    turn: int = 3
    """Headings turned in a tick."""
    drag_shift: int = 7
    """Each tick the ship loses 1/2**drag_shift of its velocity."""
    top_speed: float = 0.9
    """Above this speed, units/tick, each tick the ship loses a further 1/2**brake_shift of it."""
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
    """Speed of a fragment across the bullet's path: a share of the bullet's, seen from the rock."""
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

    def __repr__(self) -> str:
        """Return what differs from the standard rules, as it is written."""
        own = ", ".join(f"{name}={value!r}" for name, value in self.differing().items())
        return f"Rules({own})"

    def differing(self) -> dict[str, Any]:
        """Return the fields that are not those of the standard rules, by name."""
        own = ((field, getattr(self, field.name)) for field in fields(self))
        return {field.name: value for field, value in own if value != field.default}

    def __post_init__(self) -> None:
        """Raise `ValueError` for a tunable field outside of its range."""
        _in_range("thrust", self.thrust, 0.0, 0.25)
        _in_range("rock_speed", self.rock_speed, 0.0, 1.5)
        _in_range("wave_first", self.wave_first, 1, self.wave_most, whole=True)
        _in_range("cooldown", self.cooldown, 1, 60, whole=True)
        if self.split not in ("bullet", "random"):
            raise ValueError(f"Rules.split must be 'bullet' or 'random', got {self.split!r}")
        if self.wave not in WAVES:
            raise ValueError(f"Rules.wave must be 'random', 'ring' or 'ship', got {self.wave!r}")

    def replace(self, **changes: Any) -> Rules:
        """Return a copy with some fields changed (as `dataclasses.replace`)."""
        return replace(self, **changes)


def _in_range(name: str, value: Any, low: float, high: float, whole: bool = False) -> None:
    kind = "a whole number" if whole else "a number"
    ok = isinstance(value, Integral if whole else Real)  # numpy's numbers too
    if isinstance(value, bool) or not ok or not low <= float(value) <= high:
        raise ValueError(f"Rules.{name} must be {kind} from {low} to {high}, got {value!r}")


def tuning(rules: Rules) -> tuple[int, int, int, int, int, int]:
    """Return the tunable part of `rules` as integers, in the order of `TUNABLE` (`struct Tuning`).

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
        fixed(float(rules.thrust)),
        fixed(float(rules.rock_speed)),
        int(rules.wave_first),
        int(rules.cooldown),
        int(rules.split == "random"),
        WAVES.index(rules.wave),
    )


def fixed(units: float) -> int:
    """Return a length in units, or a velocity in units/tick, as an integer of a coordinate."""
    return round(units * UNIT)


def reach(units: float) -> int:
    """Return a length in units in the coarser integers of collisions and boxes: 1/1024 unit."""
    return round(units * 1024)


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
    """The constants of the game: integers and tuples of them, by their names in the header."""

    def __getattr__(self, name: str) -> Any:
        """Return a constant as an attribute."""
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def constants(rules: Rules | None = None) -> Constants:
    """Return the integers that the simulators compute with, in the order of the header."""
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
        HULL_PLANES=tables.dart_planes(2.8, (-2.2, 2.0), -1.2),
        FLAME_PLANES=tables.dart_planes(-3.8, (-1.4, 0.9), -1.0),
        ROCK_EDGES=(((0, 0),) * 8, *map(tables.octagon_edges, tables.OUTLINES)),
        **COLOURS,
        COSINES=tables.cosines(),
        SINES=tables.sines(),
    )
