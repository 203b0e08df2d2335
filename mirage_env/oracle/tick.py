"""The order of the rules."""

from __future__ import annotations

from copy import deepcopy

from mirage_env.arena import TERMINATED, TRUNCATED
from mirage_env.oracle.arithmetic import u32
from mirage_env.oracle.bullets import fly, shoot
from mirage_env.oracle.random import Site, draw
from mirage_env.oracle.rocks import drift, fragment, kick
from mirage_env.oracle.ship import alive, clocks, coast, crash, steer, trigger
from mirage_env.oracle.state import Arena, Bullet, Outcome, Rock, Ship, Tuning
from mirage_env.oracle.torus import touches
from mirage_env.oracle.wave import announce
from mirage_env.rules import constants
from mirage_env.simulator import Autoreset, SimulatorConfig

__all__ = ["begin", "step", "strike", "tick"]

C = constants()


def begin(arena: Arena, tuning: Tuning) -> None:
    """Begin an episode: everything but seed and episode is new."""
    fresh = Arena(seed=arena.seed, episode=arena.episode)
    arena.rocks, arena.bullets = fresh.rocks, fresh.bullets
    arena.wave_timer = arena.ended = arena.wave = arena.score = arena.tick = 0
    arena.ship = Ship(
        x=draw(arena, Site.SHIP_X, 0),
        y=draw(arena, Site.SHIP_Y, 0),
        heading=C.HEADING_UP,
        lives=C.LIVES,
    )
    announce(arena, tuning)


def strike(arena: Arena, tuning: Tuning) -> int:
    """Let bullets hit rocks, in the order of their slots; return the points gained."""
    points = 0
    settled = set[int]()  # slots of rocks that were struck or made in this tick
    for i, bullet in enumerate(arena.bullets):
        if bullet.life == 0:
            continue
        for slot, rock in enumerate(arena.rocks):
            if rock.size == 0 or slot in settled:
                continue
            reach = C.ROCK_REACH[rock.size] + C.BULLET_REACH
            if not touches(rock.x, rock.y, bullet.x, bullet.y, reach):
                continue
            points += C.ROCK_POINTS[rock.size]
            settled.add(slot)
            if rock.size == 1:
                arena.rocks[slot] = Rock()
            else:
                parting = kick(arena, slot, bullet, tuning)
                arena.rocks[slot] = fragment(rock, parting, +1)
                empty = next(s for s, other in enumerate(arena.rocks) if other.size == 0)
                arena.rocks[empty] = fragment(rock, parting, -1)
                settled.add(empty)
            arena.bullets[i] = Bullet()
            break
    return points


def tick(arena: Arena, action: int, tuning: Tuning) -> tuple[int, bool]:
    """Advance by 1/30 s; return the points gained and whether the episode terminates."""
    turn, thrust, fire = action // 4, action // 2 % 2, action % 2
    ship = arena.ship

    arena.tick = u32(arena.tick + 1)
    terminates = clocks(ship)
    steer(ship, turn, thrust, tuning)

    coast(ship)
    for rock in arena.rocks:
        if rock.size > 0:
            drift(rock)
    arena.bullets = [fly(bullet) if bullet.life > 0 else bullet for bullet in arena.bullets]

    if trigger(ship, fire):
        room = [i for i, bullet in enumerate(arena.bullets) if bullet.life == 0]
        if room:
            arena.bullets[room[0]] = shoot(ship)
            ship.cooldown = tuning.cooldown

    points = 0
    if arena.wave_timer == 0:
        points = strike(arena, tuning)
        if alive(ship) and ship.shield == 0:
            for rock in arena.rocks:
                reach = C.ROCK_REACH[rock.size] + C.SHIP_REACH
                if rock.size > 0 and touches(rock.x, rock.y, ship.x, ship.y, reach):
                    crash(ship)
                    break

    if arena.wave_timer > 0:
        arena.wave_timer -= 1
    elif all(rock.size == 0 for rock in arena.rocks):
        announce(arena, tuning)

    arena.score = u32(arena.score + points)
    return points, terminates


def step(arena: Arena, action: int, tuning: Tuning, config: SimulatorConfig) -> Outcome:
    """Advance by a step of an environment: some ticks, or what the autoreset mode says."""
    ended = arena.ended
    if ended and config.autoreset == Autoreset.DISABLED:
        return Outcome(0, bool(ended & TERMINATED), bool(ended & TRUNCATED), False, None)
    if ended:
        arena.episode = u32(arena.episode + 1)
        begin(arena, tuning)
        return Outcome(0, False, False, True, None)

    reward, terminated = 0, False
    for _ in range(config.frame_skip):
        points, terminated = tick(arena, action, tuning)
        reward += points
        if terminated:
            break
    truncated = arena.tick >= config.max_ticks
    arena.ended = TERMINATED * terminated + TRUNCATED * truncated

    if arena.ended and config.autoreset == Autoreset.SAME_STEP:
        final = deepcopy(arena)
        arena.episode = u32(arena.episode + 1)
        begin(arena, tuning)
        return Outcome(reward, terminated, truncated, True, final)
    return Outcome(reward, terminated, truncated, False, None)
