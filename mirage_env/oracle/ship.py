"""The player's ship."""

from __future__ import annotations

from mirage_env.oracle.arithmetic import i32, u32
from mirage_env.oracle.state import Ship, Tuning
from mirage_env.oracle.torus import along
from mirage_env.rules import constants

__all__ = ["alive", "clocks", "coast", "crash", "steer", "trigger"]

C = constants()


def alive(ship: Ship) -> bool:
    """Return whether there is a ship to fly."""
    return ship.dying == 0 and ship.lives != 0


def clocks(ship: Ship) -> bool:
    """Run down shield and explosion; return whether the episode ends with the explosion."""
    if ship.shield > 0:
        ship.shield -= 1
    if ship.dying > 0:
        ship.dying -= 1
        if ship.dying == 0:
            if ship.lives == 0:
                return True
            ship.shield = C.SHIELD_TICKS
    return False


def steer(ship: Ship, turn: int, thrust: int, tuning: Tuning) -> None:
    """Turn (1 left, 2 right) and thrust; lose speed to the drag and, above top speed, the brake."""
    if not alive(ship):
        ship.thrusting = 0
        return
    left, right = turn == 1, turn == 2
    ship.heading = (ship.heading + C.TURN * (left - right)) % C.HEADINGS
    ship.thrusting = thrust
    if thrust:
        ax, ay = along(tuning.thrust, 4 * ship.heading)
        ship.vx = i32(ship.vx + ax)
        ship.vy = i32(ship.vy + ay)
    ship.vx -= ship.vx >> C.DRAG_SHIFT
    ship.vy -= ship.vy >> C.DRAG_SHIFT
    if ship.vx * ship.vx + ship.vy * ship.vy > C.TOP_SPEED * C.TOP_SPEED:
        ship.vx -= ship.vx >> C.BRAKE_SHIFT
        ship.vy -= ship.vy >> C.BRAKE_SHIFT


def coast(ship: Ship) -> None:
    """Move by the velocity."""
    ship.x = u32(ship.x + ship.vx)
    ship.y = u32(ship.y + ship.vy)


def trigger(ship: Ship, fire: int) -> bool:
    """Run down the cooldown; return whether the gun goes off, if there is room for a bullet."""
    if ship.cooldown > 0:
        ship.cooldown -= 1
    return alive(ship) and fire == 1 and ship.cooldown == 0


def crash(ship: Ship) -> None:
    """Lose a life and start to explode."""
    ship.lives -= 1
    ship.dying = C.DEATH_TICKS
    ship.vx = ship.vy = 0
    ship.heading = C.HEADING_UP
    ship.cooldown = 0
    ship.thrusting = 0
