"""What is drawn where. `size` is the width of the picture in pixels."""

from __future__ import annotations

from mirage_env.oracle.arithmetic import f32, u32
from mirage_env.oracle.shapes import Box, Dart, Octagon, Ring, Sprite
from mirage_env.oracle.ship import alive
from mirage_env.oracle.state import Arena, Tuning
from mirage_env.oracle.torus import along
from mirage_env.rules import constants

__all__ = [
    "box",
    "bullet_sprite",
    "flame_sprite",
    "gun_sprite",
    "halo_sprite",
    "hull_sprite",
    "rock_sprite",
    "sprites",
]

C = constants()


def box(x: int, extent: int, size: int) -> Box:
    """Return the pixels within `extent` (1/1024 unit) of a coordinate, on one axis."""
    p = (x * size) >> 16  # the place in 1/65536 pixel
    first = (p - extent * size) >> 16
    width = ((2 * extent * size) >> 16) + 1
    offset = f32((first << 16) + 32768 - p) / f32(65536)
    return Box(first, width, offset)


def rock_sprite(arena: Arena, i: int, size: int) -> Sprite:
    """Return the rock of slot i: a shaded octagon; as a ghost it is faint and still growing."""
    rock = arena.rocks[i]
    extent = C.ROCK_EXTENT[rock.size]
    scale = f32(size) / f32(64)
    radius = f32(extent) / f32(1024)
    alpha = 256
    if arena.wave_timer > 0:
        grown = C.WAVE_TICKS + C.GHOST_START - arena.wave_timer
        radius = radius * (f32(grown) / f32(C.WAVE_TICKS + C.GHOST_START))
        alpha = C.GHOST_ALPHA
    fx = f32(C.COSINES[rock.angle]) / f32(16384)
    fy = f32(-C.SINES[rock.angle]) / f32(16384)
    inverse = f32(1) / radius
    shape = Octagon(rock.size, fx * inverse, fy * inverse, steepness=(f32(256) * radius) * scale)
    colour = C.ROCK_COLOURS[min(arena.wave, 6) - 1]
    return Sprite(box(rock.x, extent, size), box(rock.y, extent, size), shape, colour, alpha)


def bullet_sprite(arena: Arena, i: int, size: int) -> Sprite:
    """Return the bullet of slot i: a disc that fades with age."""
    bullet = arena.bullets[i]
    scale = f32(size) / f32(64)
    shape = Ring(f32(0), f32(C.BULLET_DISC) / f32(1024), steepness=f32(256) * scale)
    alpha = min(C.BULLET_ALPHA[0] + C.BULLET_ALPHA[1] * bullet.life, 256)
    across, down = box(bullet.x, C.BULLET_EXTENT, size), box(bullet.y, C.BULLET_EXTENT, size)
    return Sprite(across, down, shape, C.BULLET_COLOUR, alpha)


def flame_sprite(arena: Arena, size: int) -> Sprite | None:
    """Return the flame behind a ship that thrusts."""
    ship = arena.ship
    if not (alive(ship) and ship.thrusting):
        return None
    scale = f32(size) / f32(64)
    fx = f32(C.COSINES[4 * ship.heading]) / f32(16384)
    fy = f32(-C.SINES[4 * ship.heading]) / f32(16384)
    shape = Dart(C.FLAME_PLANES, fx, fy, steepness=f32(256) * scale)
    across, down = box(ship.x, C.FLAME_EXTENT, size), box(ship.y, C.FLAME_EXTENT, size)
    return Sprite(across, down, shape, C.FLAME_COLOUR, 256)


def hull_sprite(arena: Arena, size: int) -> Sprite | None:
    """Return the ship itself, coloured by the lives left."""
    ship = arena.ship
    if not alive(ship):
        return None
    scale = f32(size) / f32(64)
    fx = f32(C.COSINES[4 * ship.heading]) / f32(16384)
    fy = f32(-C.SINES[4 * ship.heading]) / f32(16384)
    shape = Dart(C.HULL_PLANES, fx, fy, steepness=f32(256) * scale)
    across, down = box(ship.x, C.HULL_EXTENT, size), box(ship.y, C.HULL_EXTENT, size)
    return Sprite(across, down, shape, C.SHIP_COLOURS[min(ship.lives, 3)], 256)


def gun_sprite(arena: Arena, size: int, tuning: Tuning) -> Sprite | None:
    """Return the light near the nose, which fades until the gun is ready."""
    ship = arena.ship
    if not (alive(ship) and ship.cooldown > 0):
        return None
    scale = f32(size) / f32(64)
    dx, dy = along(C.GUN_AT, 4 * ship.heading)
    shape = Ring(f32(0), f32(C.GUN_DISC) / f32(1024), steepness=f32(256) * scale)
    alpha = min((ship.cooldown * 256) // tuning.cooldown, 256)
    across = box(u32(ship.x + dx), C.GUN_EXTENT, size)
    down = box(u32(ship.y + dy), C.GUN_EXTENT, size)
    return Sprite(across, down, shape, C.GUN_COLOUR, alpha)


def halo_sprite(arena: Arena, size: int) -> Sprite | None:
    """Return the ring around the ship: the growing blast of its death, or its shrinking shield."""
    ship = arena.ship
    steepness = f32(256) * (f32(size) / f32(64))
    if ship.dying > 0:
        left = f32(ship.dying) / f32(C.DEATH_TICKS)
        b0, b1 = (f32(n) / f32(1024) for n in C.BLAST_RADIUS)
        w0, w1 = (f32(n) / f32(1024) for n in C.BLAST_WIDTH)
        shape = Ring(b0 + (b1 - b0) * (f32(1) - left), w0 + (w1 - w0) * left, steepness)
        across, down = box(ship.x, C.BLAST_EXTENT, size), box(ship.y, C.BLAST_EXTENT, size)
        return Sprite(across, down, shape, C.SHIP_COLOURS[min(ship.lives, 3)], 256)
    if alive(ship) and ship.shield > 0:
        left = f32(ship.shield) / f32(C.SHIELD_TICKS)
        s0, s1 = (f32(n) / f32(1024) for n in C.SHIELD_RADIUS)
        shape = Ring(s0 + (s1 - s0) * left, f32(C.SHIELD_WIDTH) / f32(1024), steepness)
        across, down = box(ship.x, C.SHIELD_EXTENT, size), box(ship.y, C.SHIELD_EXTENT, size)
        return Sprite(across, down, shape, C.SHIELD_COLOUR, C.SHIELD_ALPHA)
    return None


def sprites(arena: Arena, size: int, tuning: Tuning) -> list[Sprite]:
    """Return all that is to be drawn, in order: what comes later covers what came before."""
    rocks, bullets = list(enumerate(arena.rocks)), enumerate(arena.bullets)
    drawn = [
        *(rock_sprite(arena, i, size) for i, rock in rocks if rock.size == 3),
        *(rock_sprite(arena, i, size) for i, rock in rocks if rock.size == 2),
        *(bullet_sprite(arena, i, size) for i, bullet in bullets if bullet.life > 0),
        flame_sprite(arena, size),
        hull_sprite(arena, size),
        gun_sprite(arena, size, tuning),
        *(rock_sprite(arena, i, size) for i, rock in rocks if rock.size == 1),
        halo_sprite(arena, size),
    ]
    return [sprite for sprite in drawn if sprite is not None]
