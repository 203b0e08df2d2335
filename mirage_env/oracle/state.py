"""An arena as Python objects, and how it gets out of its record and back in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mirage_env.rules import BULLET_SLOTS, ROCK_SLOTS

__all__ = ["Arena", "Bullet", "Outcome", "Rock", "Ship", "Tuning", "load", "store"]


class Tuning(NamedTuple):
    """The rules that may differ from arena to arena, the integers of `mirage_env.rules.tuning`."""

    thrust: int
    rock_speed: int
    wave_first: int
    cooldown: int
    split_random: int
    wave: int


@dataclass(slots=True)
class Ship:
    """The player."""

    x: int = 0
    y: int = 0
    vx: int = 0
    vy: int = 0
    heading: int = 0
    cooldown: int = 0
    shield: int = 0
    dying: int = 0
    thrusting: int = 0
    lives: int = 0


@dataclass(slots=True)
class Rock:
    """A rock, or an empty slot: size 0 and everything else 0."""

    x: int = 0
    y: int = 0
    vx: int = 0
    vy: int = 0
    size: int = 0
    angle: int = 0
    spin: int = 0


@dataclass(slots=True)
class Bullet:
    """A bullet, or an empty slot: life 0 and everything else 0."""

    x: int = 0
    y: int = 0
    vx: int = 0
    vy: int = 0
    life: int = 0


@dataclass(slots=True)
class Arena:
    """The state of one arena."""

    rocks: list[Rock] = field(default_factory=lambda: [Rock() for _ in range(ROCK_SLOTS)])
    bullets: list[Bullet] = field(default_factory=lambda: [Bullet() for _ in range(BULLET_SLOTS)])
    ship: Ship = field(default_factory=Ship)
    wave_timer: int = 0
    ended: int = 0
    wave: int = 0
    score: int = 0
    tick: int = 0
    episode: int = 0
    seed: int = 0


class Outcome(NamedTuple):
    """What a step gives: `final` is the arena as it ended, where a new episode took its place."""

    reward: int
    terminated: bool
    truncated: bool
    begun: bool
    final: Arena | None


ROCK_FIELDS = tuple(Rock.__dataclass_fields__)
BULLET_FIELDS = tuple(Bullet.__dataclass_fields__)
SHIP_FIELDS = {
    name: f"ship_{name}" if name in ("x", "y", "vx", "vy", "heading") else name
    for name in Ship.__dataclass_fields__
}
"""The ship's attributes, with the names that they have in the record."""

ARENA_FIELDS = ("wave_timer", "ended", "wave", "score", "tick", "episode", "seed")


def load(record: Any) -> Arena:
    """Return the arena of a record of `ARENA_DTYPE`."""
    rocks = zip(*(record[f"rock_{name}"].tolist() for name in ROCK_FIELDS), strict=True)
    bullets = zip(*(record[f"bullet_{name}"].tolist() for name in BULLET_FIELDS), strict=True)
    return Arena(
        rocks=[Rock(*values) for values in rocks],
        bullets=[Bullet(*values) for values in bullets],
        ship=Ship(**{name: int(record[there]) for name, there in SHIP_FIELDS.items()}),
        **{name: int(record[name]) for name in ARENA_FIELDS},
    )


def store(arena: Arena, record: Any) -> None:
    """Write an arena into a record of `ARENA_DTYPE`."""
    for name in ROCK_FIELDS:
        record[f"rock_{name}"] = [getattr(rock, name) for rock in arena.rocks]
    for name in BULLET_FIELDS:
        record[f"bullet_{name}"] = [getattr(bullet, name) for bullet in arena.bullets]
    for name, there in SHIP_FIELDS.items():
        record[there] = getattr(arena.ship, name)
    for name in ARENA_FIELDS:
        record[name] = getattr(arena, name)
