"""Bullets."""

from __future__ import annotations

from mirage_env.oracle.arithmetic import i32, u32
from mirage_env.oracle.state import Bullet, Ship
from mirage_env.oracle.torus import along
from mirage_env.rules import constants

__all__ = ["fly", "shoot"]

C = constants()


def shoot(ship: Ship) -> Bullet:
    """Return a new bullet at the nose of the ship."""
    muzzle_x, muzzle_y = along(C.MUZZLE, 4 * ship.heading)
    speed_x, speed_y = along(C.BULLET_SPEED, 4 * ship.heading)
    return Bullet(
        x=u32(ship.x + muzzle_x),
        y=u32(ship.y + muzzle_y),
        vx=i32(ship.vx + speed_x),
        vy=i32(ship.vy + speed_y),
        life=C.BULLET_TICKS,
    )


def fly(bullet: Bullet) -> Bullet:
    """Return the bullet a tick later: older and further, or an empty slot when its life is over."""
    if bullet.life == 1:
        return Bullet()
    return Bullet(
        x=u32(bullet.x + bullet.vx),
        y=u32(bullet.y + bullet.vy),
        vx=bullet.vx,
        vy=bullet.vy,
        life=bullet.life - 1,
    )
