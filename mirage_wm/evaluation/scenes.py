"""Set-up scenes: moments of the game in which one rule is about to act, n variations of each.

Where, how fast, in which direction, in which wave and with how many lives is drawn at random.
Everything is as it could be in play: a bullet was fired by a ship that stands where it must have
stood. Lengths are in units, velocities in units a tick, y points down.

A scene begins `HISTORY` ticks before the dream does: these ticks are its visible past.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mirage_env.arena import ARENA_DTYPE, Arenas
from mirage_env.rules import UNIT, Rules
from mirage_wm.evaluation.worlds import PAST
from mirage_wm.seeds import HELD_OUT

__all__ = ["HISTORY", "Scenes"]

R = Rules()
HISTORY = PAST - 1
"""Ticks of the past."""

SMALL, MEDIUM, LARGE = 1, 2, 3
UP = 16
LEFT_KEY, RIGHT_KEY, THRUST_KEY, FIRE_KEY = 4, 8, 2, 1

Floats = NDArray[Any]


class Scenes(NamedTuple):
    """n variations of a scene.

    Attributes:
        arenas: Records [n], at the first frame of the past.
        actions: int32 [n, HISTORY + ticks].
    """

    arenas: Arenas
    actions: NDArray[np.int32]


class Stage:
    """n arenas to set up: a ship at rest at a random place, nothing else."""

    def __init__(self, n: int, rng: np.random.Generator, ticks: int) -> None:
        """Set the stage.

        Args:
            n: Arenas.
            rng: Draws what varies.
            ticks: Of the scene, after its past.
        """
        self.n, self.rng = n, rng
        self.arenas: Arenas = np.zeros(n, ARENA_DTYPE)
        self.actions = np.zeros((n, HISTORY + ticks), np.int32)
        self.ship = rng.uniform(0, 64, (2, n))
        heading = rng.integers(0, R.headings, n)
        self.arenas["ship_heading"] = heading
        self.forward = direction(heading * (2 * np.pi / R.headings))
        self.aside = np.stack([-self.forward[1], self.forward[0]])
        self.arenas["wave"] = rng.integers(1, 7, n)
        self.arenas["lives"] = rng.integers(1, R.lives + 1, n)
        self.arenas["tick"] = rng.integers(200, 2000, n)
        self.arenas["seed"] = HELD_OUT + rng.integers(0, 2**60, n)
        self.move_ship(self.ship)

    def between(self, low: float, high: float) -> Floats:
        """Return n numbers from low to high."""
        return self.rng.uniform(low, high, self.n)

    def anywhere(self) -> Floats:
        """Return n directions [2, n] of length 1."""
        return direction(self.between(0, 2 * np.pi))

    def move_ship(self, place: Floats, velocity: Floats | float = 0.0) -> None:
        """Put the ship to [2, n], with a velocity [2, n]."""
        self.ship = place
        velocity = np.zeros((2, self.n)) + velocity
        for i, axis in enumerate("xy"):
            self.arenas[f"ship_{axis}"] = coordinate(place[i])
            self.arenas[f"ship_v{axis}"] = np.rint(velocity[i] * UNIT)

    def rock(self, slot: int, size: int, place: Floats, velocity: Floats | None = None) -> None:
        """Put a rock to [2, n], as it drifts by [2, n] (slowly in any direction without)."""
        if velocity is None:
            velocity = self.anywhere() * self.between(0.05, 0.3)
        for i, axis in enumerate("xy"):
            self.arenas[f"rock_{axis}"][:, slot] = coordinate(place[i])
            self.arenas[f"rock_v{axis}"][:, slot] = np.rint(velocity[i] * UNIT)
        spin = R.rock_spin[size - 1]
        self.arenas["rock_size"][:, slot] = size
        self.arenas["rock_angle"][:, slot] = self.rng.integers(0, 256, self.n)
        self.arenas["rock_spin"][:, slot] = self.rng.integers(-spin, spin + 1, self.n)

    def rock_aside(self, slot: int = 0) -> None:
        """Put a large rock beside the ship, where it takes no part."""
        side = self.rng.choice([-1.0, 1.0], self.n)
        self.rock(slot, LARGE, self.ship + self.aside * side * self.between(21, 26))

    def bullet(self, age: NDArray[Any]) -> Floats:
        """Put a bullet where the ship at rest shot it `age` [n] ticks ago; return its place."""
        place = self.ship + self.forward * (R.muzzle + R.bullet_speed * age)
        for i, axis in enumerate("xy"):
            self.arenas[f"bullet_{axis}"][:, 0] = coordinate(place[i])
            self.arenas[f"bullet_v{axis}"][:, 0] = np.rint(self.forward[i] * R.bullet_speed * UNIT)
        self.arenas["bullet_life"][:, 0] = R.bullet_ticks - age
        self.arenas["cooldown"] = np.maximum(R.cooldown - age, 0)
        return place

    def hold(self, keys: int, ticks: int) -> None:
        """Hold keys down for the first ticks after the past."""
        self.actions[:, HISTORY : HISTORY + ticks] = keys

    def scenes(self) -> Scenes:
        """Return what was set up."""
        return Scenes(self.arenas, self.actions)


def direction(angle: Floats) -> Floats:
    """Return [2, n], of length 1: counter-clockwise as seen, y down."""
    return np.stack([np.cos(angle), -np.sin(angle)])


def coordinate(units: Floats) -> NDArray[np.uint32]:
    """Return the integers of coordinates in units, around the torus."""
    return (np.rint(units * UNIT).astype(np.int64) % 2**32).astype(np.uint32)


def shot(size: int, ticks: int, decoy: bool = False) -> Callable[[int, Any], Scenes]:
    """Return scenes in which a bullet is about to hit a rock, in one to four ticks."""
    reach = R.rock_reach[size - 1] + R.bullet_radius

    def make(n: int, rng: np.random.Generator) -> Scenes:
        stage = Stage(n, rng, ticks)
        if size == SMALL and not decoy:  # The wave that follows has a colour of its own.
            stage.arenas["wave"] = rng.integers(1, 6, n)
        bullet = stage.bullet(rng.integers(2, 9, n))
        # Off the centre, so much nearer is the edge of the reach.
        off = stage.between(-0.6, 0.6) * reach
        near = np.sqrt(reach**2 - off**2)
        ahead = near + R.bullet_speed * (HISTORY + stage.between(0.2, 3.5))
        stage.rock(0, size, bullet + stage.forward * ahead + stage.aside * off)
        if decoy:
            stage.rock_aside(1)
        return stage.scenes()

    return make


def bullet_of_age(n: int, rng: np.random.Generator) -> Scenes:
    """A bullet has two to six ticks to live."""
    stage = Stage(n, rng, 9)
    stage.bullet(R.bullet_ticks - HISTORY - rng.integers(2, 7, n))
    stage.rock_aside()
    return stage.scenes()


def edge(axis: int, side: int) -> Callable[[int, Any], Scenes]:
    """Return scenes in which a rock and the ship are about to cross an edge.

    Args:
        axis: 0 for left and right, 1 for top and bottom.
        side: -1 for the edge at 0, +1 for that at 64.
    """

    def make(n: int, rng: np.random.Generator) -> Scenes:
        stage = Stage(n, rng, 20)
        along = stage.between(0, 64)

        def place(across: Floats, along: Floats) -> Floats:
            across = np.where(side > 0, 64 - across, across)
            return np.stack([across, along] if axis == 0 else [along, across])

        def velocity() -> Floats:
            parts = [side * stage.between(0.4, 0.7), stage.between(-0.1, 0.1)]
            return np.stack(parts if axis == 0 else parts[::-1])

        stage.move_ship(place(stage.between(2.5, 5), along), velocity())
        stage.rock(0, MEDIUM, place(stage.between(2.5, 5), along + 32), velocity())
        return stage.scenes()

    return make


def held(keys: int, ticks: int, after: int = 0) -> Callable[[int, Any], Scenes]:
    """Return scenes in which keys are held for some ticks and then none, by a ship at rest."""

    def make(n: int, rng: np.random.Generator) -> Scenes:
        stage = Stage(n, rng, ticks + after)
        stage.rock_aside()
        stage.hold(keys, ticks)
        return stage.scenes()

    return make


def coasting(n: int, rng: np.random.Generator) -> Scenes:
    """The ship moves and no key is pressed."""
    stage = Stage(n, rng, 15)
    course = stage.anywhere()
    stage.move_ship(stage.ship, course * stage.between(0.35, 0.8))
    stage.rock(0, LARGE, stage.ship - course * stage.between(22, 26))
    return stage.scenes()


def drifting(n: int, rng: np.random.Generator) -> Scenes:
    """A rock of any size drifts past a ship at rest."""
    stage = Stage(n, rng, 30)
    course = stage.anywhere()
    stage.rock(
        0, LARGE, stage.ship + course * stage.between(20, 26), course * stage.between(0, 0.4)
    )
    size = rng.integers(SMALL, LARGE + 1, n)
    stage.arenas["rock_size"][:, 0] = size
    return stage.scenes()


def collision(n: int, rng: np.random.Generator) -> Scenes:
    """A rock is about to hit the ship, in one to four ticks."""
    stage = Stage(n, rng, 12)
    course, speed = stage.anywhere(), stage.between(0.35, 0.6)
    reach = R.rock_reach[MEDIUM - 1] + R.ship_radius
    distance = reach + speed * (HISTORY + stage.between(0.2, 3.5))
    stage.rock(0, MEDIUM, stage.ship - course * distance, course * speed)
    return stage.scenes()


def exploding(lives: tuple[int, int]) -> Callable[[int, Any], Scenes]:
    """Return scenes in which the explosion has two to five ticks left; `lives` are left then."""

    def make(n: int, rng: np.random.Generator) -> Scenes:
        stage = Stage(n, rng, 9)
        stage.arenas["dying"] = HISTORY + rng.integers(2, 6, n)
        stage.arenas["lives"] = rng.integers(lives[0], lives[1] + 1, n)
        stage.arenas["ship_heading"] = UP
        stage.rock_aside()
        return stage.scenes()

    return make


def shielded(n: int, rng: np.random.Generator) -> Scenes:
    """A small rock goes right through a ship that cannot be hit."""
    stage = Stage(n, rng, 24)
    stage.arenas["shield"] = rng.integers(36, R.shield_ticks, n)
    course, speed = stage.anywhere(), stage.between(0.6, 0.9)
    aside = np.stack([-course[1], course[0]]) * stage.between(-1, 1)
    past = course * speed * HISTORY
    stage.rock(0, SMALL, stage.ship - course * stage.between(5, 7) - past + aside, course * speed)
    return stage.scenes()


def shield_ending(n: int, rng: np.random.Generator) -> Scenes:
    """The shield has four to nine ticks left."""
    stage = Stage(n, rng, 13)
    stage.arenas["shield"] = HISTORY + rng.integers(4, 10, n)
    stage.rock_aside()
    return stage.scenes()
