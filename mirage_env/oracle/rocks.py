"""Rocks, and how they break."""

from __future__ import annotations

from mirage_env.oracle.arithmetic import i32, u32
from mirage_env.oracle.random import Site, below, draw
from mirage_env.oracle.state import Arena, Bullet, Rock, Tuning
from mirage_env.oracle.torus import along
from mirage_env.rules import constants

__all__ = ["drift", "fragment", "kick"]

C = constants()


def drift(rock: Rock) -> None:
    """Move and spin for a tick."""
    rock.x = u32(rock.x + rock.vx)
    rock.y = u32(rock.y + rock.vy)
    rock.angle = (rock.angle + rock.spin) % 256


def kick(arena: Arena, slot: int, bullet: Bullet, tuning: Tuning) -> tuple[int, int]:
    """Return the velocity at which fragments part: across the path of the bullet, or anywhere."""
    if tuning.split_random:
        course = below(draw(arena, Site.SPLIT_COURSE, slot), 256)
        return along((C.BULLET_SPEED >> 8) * C.KICK, course)
    rock = arena.rocks[slot]
    rx = i32(bullet.vx - rock.vx)
    ry = i32(bullet.vy - rock.vy)
    return i32(-(ry >> 8) * C.KICK), i32((rx >> 8) * C.KICK)


def fragment(rock: Rock, kick: tuple[int, int], side: int) -> Rock:
    """Return the piece of a rock that leaves along the kick (side 1) or against it (side -1)."""
    kick_x, kick_y = kick
    return Rock(
        x=u32(rock.x + side * (kick_x << C.KICK_LEAD)),
        y=u32(rock.y + side * (kick_y << C.KICK_LEAD)),
        vx=i32(rock.vx + side * kick_x),
        vy=i32(rock.vy + side * kick_y),
        size=rock.size - 1,
        angle=rock.angle,
        spin=side * C.ROCK_SPIN[rock.size - 1],
    )
