"""Waves of rocks around the ship: by default the only part of the game that is random."""

from __future__ import annotations

from mirage_env.oracle.arithmetic import u32
from mirage_env.oracle.random import Site, below, draw
from mirage_env.oracle.state import Arena, Rock, Tuning
from mirage_env.oracle.torus import along
from mirage_env.rules import constants

__all__ = ["announce", "newcomer", "place", "place_in_pattern"]

C = constants()


def newcomer(
    arena: Arena, bearing: int, distance: int, speed: int, course: int, angle: int, spin: int
) -> Rock:
    """Return a large rock at a bearing and distance from the ship, on a course of its own."""
    dx, dy = along(distance, bearing)
    vx, vy = along(speed, course)
    x, y = u32(arena.ship.x + dx), u32(arena.ship.y + dy)
    return Rock(x=x, y=y, vx=vx, vy=vy, size=3, angle=angle, spin=spin)


def place_in_pattern(arena: Arena, slot: int, count: int, bearing: int, tuning: Tuning) -> Rock:
    """Return one rock of a wave in which nothing is drawn: near or far, and past the ship."""
    odd = slot % 2
    bearing = (bearing + (slot * 256) // count) % 256
    distance = C.WAVE_NEAR + (C.WAVE_FAR - C.WAVE_NEAR) // 4 * (3 if odd else 1)
    speed = (tuning.rock_speed * (208 + 16 * slot)) >> 8
    course = (bearing + (96 if odd else 160)) % 256
    spin = C.ROCK_SPIN[3] if odd else -C.ROCK_SPIN[3]
    return newcomer(arena, bearing, distance, speed, course, (43 * slot) % 256, spin)


def place(arena: Arena, slot: int, count: int, bearing: int, tuning: Tuning) -> Rock:
    """Return one rock of a wave of `count`, which stand around the ship at about equal angles."""
    if tuning.wave and arena.wave > 1:
        return place_in_pattern(arena, slot, count, bearing, tuning)
    jitter = below(draw(arena, Site.ROCK_BEARING, slot), 32)
    bearing = (bearing + (slot * 256) // count + jitter) % 256
    distance = C.WAVE_NEAR + below(draw(arena, Site.ROCK_DISTANCE, slot), C.WAVE_FAR - C.WAVE_NEAR)
    speed = (tuning.rock_speed * (192 + below(draw(arena, Site.ROCK_SPEED, slot), 129))) >> 8
    course = below(draw(arena, Site.ROCK_COURSE, slot), 256)
    angle = below(draw(arena, Site.ROCK_ANGLE, slot), 256)
    spin = below(draw(arena, Site.ROCK_SPIN, slot), 2 * C.ROCK_SPIN[3] + 1) - C.ROCK_SPIN[3]
    return newcomer(arena, bearing, distance, speed, course, angle, spin)


def announce(arena: Arena, tuning: Tuning) -> None:
    """Let the next wave appear, as ghosts."""
    arena.wave = u32(arena.wave + 1)
    count = min(tuning.wave_first + arena.wave - 1, C.WAVE_MOST)
    bearing = below(draw(arena, Site.WAVE_BEARING, 0), 256)
    if tuning.wave == 2 and arena.wave > 1:
        bearing = 4 * arena.ship.heading + 128 // count
    for slot in range(count):
        arena.rocks[slot] = place(arena, slot, count, bearing, tuning)
    arena.wave_timer = C.WAVE_TICKS
