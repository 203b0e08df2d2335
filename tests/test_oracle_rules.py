"""Each rule of docs/rules.md as a small scene, with numbers worked out by hand."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from mirage_env.oracle.state import Arena, Bullet, Rock, Ship, Tuning
from mirage_env.oracle.tick import begin, strike, tick
from mirage_env.oracle.torus import gap, touches
from mirage_env.oracle.wave import announce
from mirage_env.rules import UNIT, Rules, tuning

TUNING = Tuning(*tuning(Rules()))
NOTHING, FIRE, THRUST, LEFT, RIGHT = 0, 1, 2, 4, 8
SMALL, MEDIUM, LARGE = 1, 2, 3


def units(length: float) -> int:
    """Return a velocity in the integers of the record."""
    return round(length * UNIT)


def at(place: float) -> int:
    """Return a coordinate in the integers of the record."""
    return round(place * UNIT) % 2**32


def rock(x: float, y: float, size: int = LARGE, vx: float = 0, vy: float = 0, **more: int) -> Rock:
    return Rock(at(x), at(y), units(vx), units(vy), size, **more)


def bullet(x: float, y: float, vx: float = 0, vy: float = 0, life: int = 10) -> Bullet:
    return Bullet(at(x), at(y), units(vx), units(vy), life)


def scene(*things: Rock | Bullet, x: float = 32, y: float = 32, heading: int = 16) -> Arena:
    """Return an arena of solid rocks and bullets in the lowest slots and a ship of three lives."""
    arena = Arena(ship=Ship(at(x), at(y), heading=heading, lives=3), wave=1)
    rocks = [thing for thing in things if isinstance(thing, Rock)]
    bullets = [thing for thing in things if isinstance(thing, Bullet)]
    arena.rocks[: len(rocks)] = rocks
    arena.bullets[: len(bullets)] = bullets
    return arena


def quiet(**ship: float) -> Arena:
    """Return an arena with a ship and one rock far away that keeps the next wave from coming."""
    return scene(rock(0, 0, SMALL), **ship)  # type: ignore[arg-type]


def play(arena: Arena, action: int, ticks: int) -> int:
    """Advance with the same keys; return the points."""
    return sum(tick(arena, action, TUNING)[0] for _ in range(ticks))


def sizes(arena: Arena) -> list[int]:
    return [rock.size for rock in arena.rocks if rock.size]


# The torus ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "y", "vx", "vy", "x_after", "y_after"),
    [
        (63.75, 20, 0.5, 0, 0.25, 20),
        (0.25, 20, -0.5, 0, 63.75, 20),
        (20, 63.75, 0, 0.5, 20, 0.25),
        (20, 0.25, 0, -0.5, 20, 63.75),
        (63.75, 0.25, 0.5, -0.5, 0.25, 63.75),
    ],
)
def test_what_leaves_by_an_edge_comes_in_at_the_opposite_one(x, y, vx, vy, x_after, y_after):
    arena = scene(rock(x, y, LARGE, vx, vy), bullet(x, y + 20, vx, vy))
    arena.ship = Ship(at(x + 20), at(y), lives=3)
    tick(arena, NOTHING, TUNING)
    assert (arena.rocks[0].x, arena.rocks[0].y) == (at(x_after), at(y_after))
    assert (arena.bullets[0].x, arena.bullets[0].y) == (at(x_after), at(y_after + 20))


def test_ship_leaves_by_the_right_edge_and_comes_in_at_the_left():
    arena = quiet(x=63.75, y=32)
    arena.ship.vx = units(0.5)
    tick(arena, NOTHING, TUNING)
    assert arena.ship.x == at(63.75 + 0.5 * 127 / 128 - 64)  # the drag takes 1/128


def test_things_touch_across_an_edge():
    assert gap(at(0.5), at(63.5)) == units(1)
    assert gap(at(63.5), at(0.5)) == -units(1)
    assert touches(at(0.5), at(63.5), at(63.5), at(0.5), 1449)  # sqrt 2 = 1448.2/1024
    assert not touches(at(0.5), at(63.5), at(63.5), at(0.5), 1448)


# The ship ----------------------------------------------------------------------------------------


def test_ship_turns_three_headings_a_tick_either_way_and_around():
    arena = quiet(heading=16)
    play(arena, LEFT, 1)
    assert arena.ship.heading == 19
    play(arena, RIGHT, 7)
    assert arena.ship.heading == 62  # 19 - 21 = -2
    play(arena, LEFT, 1)
    assert arena.ship.heading == 1


def test_thrust_pushes_forward_and_drag_takes_its_share_at_once():
    arena = quiet(heading=16)
    tick(arena, THRUST, TUNING)
    # 0.035 units/tick = 2348810 upwards; -2348810 >> 7 = -18351 (rounded down) is taken away.
    assert (arena.ship.vx, arena.ship.vy) == (0, -2330459)
    assert arena.ship.y == at(32) - 2330459
    assert arena.ship.thrusting == 1
    tick(arena, NOTHING, TUNING)
    assert arena.ship.thrusting == 0
    assert arena.ship.vy == -2330459 + 18207  # 2330459 / 128 = 18206.7


@pytest.mark.parametrize(
    ("before", "after"), [(128, 127), (127, 127), (0, 0), (-1, 0), (-129, -127)]
)
def test_drag_rounds_down(before, after):
    arena = quiet()
    arena.ship.vx = before
    tick(arena, NOTHING, TUNING)
    assert arena.ship.vx == after


def test_brake_holds_a_ship_that_is_too_fast():
    arena = quiet()
    arena.ship.vx = units(1)
    tick(arena, NOTHING, TUNING)
    assert arena.ship.vx == 66584576 - 4161536  # 127/128 of a unit is over 0.9, so 1/16 goes too
    arena.ship.vx = units(0.9)
    tick(arena, NOTHING, TUNING)
    assert arena.ship.vx == 60397978 - 471859  # below 0.9 after the drag: the brake stays open


def test_brake_opens_at_the_top_speed_and_not_a_bit_above():
    # 60397978 is 0.9 units/tick, and what the drag leaves of 60873552.
    for before, after in ((60873552, 60397978), (60873553, 60397979 - 3774873)):
        arena = quiet()
        arena.ship.vx = before
        tick(arena, NOTHING, TUNING)
        assert arena.ship.vx == after


def test_full_thrust_settles_at_the_top_speed():
    arena = quiet()
    play(arena, THRUST, 300)
    speeds = []
    for _ in range(100):
        tick(arena, THRUST, TUNING)
        speeds.append(-arena.ship.vy / UNIT)
    assert 0.83 < min(speeds) < max(speeds) < 0.94


# The gun and its bullets -------------------------------------------------------------------------


def test_gun_fires_every_eight_ticks_while_the_key_is_held():
    arena = quiet()
    shots = []
    for now in range(1, 27):
        tick(arena, FIRE, TUNING)
        if any(bullet.life == 24 for bullet in arena.bullets):
            shots.append(now)
    assert shots == [1, 9, 17, 25]


def test_bullet_starts_at_the_nose_with_the_velocity_of_the_ship_added():
    arena = quiet(heading=0)
    arena.ship.vx = units(0.5)
    tick(arena, FIRE, TUNING)
    made, ship = arena.bullets[0], arena.ship
    assert made.x == ship.x + 174483046  # 2.6 units
    assert made.y == ship.y
    assert made.vx == ship.vx + 107374182  # 1.6 units/tick
    assert (made.vy, made.life, ship.cooldown) == (0, 24, 8)


def test_bullet_is_seen_24_times_and_then_gone():
    arena = quiet(heading=0)
    tick(arena, FIRE, TUNING)
    x = arena.bullets[0].x
    play(arena, NOTHING, 23)
    assert arena.bullets[0].life == 1
    assert arena.bullets[0].x == (x + 23 * 107374182) % 2**32
    play(arena, NOTHING, 1)
    assert arena.bullets[0] == Bullet()


def test_ninth_bullet_waits_for_a_slot_and_costs_no_cooldown():
    arena = quiet(heading=0)
    every_tick = TUNING._replace(cooldown=1)
    for _ in range(9):
        tick(arena, FIRE, every_tick)
    assert [bullet.life for bullet in arena.bullets] == [16, 17, 18, 19, 20, 21, 22, 23]
    assert arena.ship.cooldown == 0
    arena.bullets[3] = Bullet()
    tick(arena, FIRE, every_tick)
    assert arena.bullets[3].life == 24
    assert arena.ship.cooldown == 1


def test_dying_ship_neither_turns_nor_thrusts_nor_fires():
    arena = quiet()
    arena.ship.dying = 10
    play(arena, LEFT + THRUST + FIRE, 5)
    assert (arena.ship.heading, arena.ship.vy, arena.ship.thrusting) == (16, 0, 0)
    assert all(bullet == Bullet() for bullet in arena.bullets)


# Rocks -------------------------------------------------------------------------------------------


def test_rock_spins_modulo_a_turn():
    arena = scene(rock(5, 5, angle=255, spin=3), rock(5, 40, angle=1, spin=-2))
    tick(arena, NOTHING, TUNING)
    assert (arena.rocks[0].angle, arena.rocks[1].angle) == (2, 255)


def test_large_rock_splits_into_two_medium_across_the_path_of_the_bullet():
    arena = scene(rock(10, 10, LARGE, 0, 0.125, angle=7, spin=1), bullet(5, 10, 1.6, 0.125))
    points, _ = tick(arena, NOTHING, TUNING)
    one, other = arena.rocks[:2]
    kick = (107374182 >> 8) * 48  # 0.3 units/tick: 48/256 of the bullet's 1.6, seen from the rock
    assert points == arena.score == 20
    assert sizes(arena) == [MEDIUM, MEDIUM]
    assert (one.vx, one.vy) == (0, units(0.125) + kick)
    assert (other.vx, other.vy) == (0, units(0.125) - kick)
    assert (one.x, one.y) == (at(10), at(10.125) + 8 * kick)
    assert (other.x, other.y) == (at(10), at(10.125) - 8 * kick)
    assert (one.angle, one.spin, other.angle, other.spin) == (8, 3, 8, -3)
    assert arena.bullets[0] == Bullet()


def test_kick_is_taken_from_the_bullet_as_the_rock_sees_it():
    arena = scene(rock(10, 10, LARGE, 0.5, 0), bullet(10, 15, 0.5, -1))
    tick(arena, NOTHING, TUNING)
    kick = (
        3 / 16
    )  # seen from the rock the bullet comes up at 1, so that the fragments part sideways
    assert [(r.vx, r.vy) for r in arena.rocks[:2]] == [
        (units(0.5 + kick), 0),
        (units(0.5 - kick), 0),
    ]


def test_random_split_ignores_the_bullet_and_keeps_the_momentum():
    drawn = set()
    for seed in range(20):
        arena = scene(rock(10, 10), bullet(5, 10, 1.6))
        arena.seed = seed
        tick(arena, NOTHING, TUNING._replace(split_random=1))
        one, other = arena.rocks[:2]
        assert (one.vx, one.vy) == (-other.vx, -other.vy)
        assert math.hypot(one.vx, one.vy) == pytest.approx(units(0.3), rel=1e-3)
        drawn.add((one.vx, one.vy))
    assert len(drawn) > 15


def test_rocks_are_worth_20_50_and_100_and_a_small_one_is_gone():
    for size, points, left in ((LARGE, 20, [2, 2]), (MEDIUM, 50, [1, 1]), (SMALL, 100, [])):
        arena = scene(rock(10, 10, size), rock(50, 10), bullet(10, 10))
        assert tick(arena, NOTHING, TUNING)[0] == points
        assert sorted(sizes(arena)) == [*left, LARGE]


def test_six_large_rocks_fill_the_24_slots_with_small_ones():
    arena = scene(*(rock(10 * i, 0) for i in range(6)))
    for _ in range(18):
        target = max(arena.rocks, key=lambda r: r.size)
        arena.bullets[0] = Bullet(target.x, target.y, units(1.6), 0, life=2)
        arena.rocks.remove(target)  # the lowest slot is the one that is hit
        arena.rocks.insert(0, target)
        assert strike(arena, TUNING) in (20, 50)
    assert sizes(arena) == [SMALL] * 24


def test_two_bullets_on_one_rock_score_once_and_the_second_flies_on():
    arena = scene(rock(10, 10), rock(50, 50), bullet(10, 10, 1.6), bullet(10, 10, 1.6))
    assert tick(arena, NOTHING, TUNING)[0] == 20
    assert [bullet.life for bullet in arena.bullets[:2]] == [0, 9]


def test_one_bullet_on_two_rocks_takes_the_lowest_slot():
    arena = scene(rock(10, 12), rock(10, 10), bullet(10, 10, 1.6))
    tick(arena, NOTHING, TUNING)
    assert [rock.size for rock in arena.rocks[:4]] == [MEDIUM, LARGE, MEDIUM, 0]


def test_fragment_takes_a_slot_freed_in_the_same_tick_and_is_safe_there():
    small, large = rock(10, 10, SMALL), rock(40, 10)
    shots = bullet(10, 10), bullet(40, 10, 1.6), bullet(40, 10), bullet(40, 10)
    arena = scene(small, large, *shots)
    assert tick(arena, NOTHING, TUNING)[0] == 120
    assert [rock.size for rock in arena.rocks[:3]] == [MEDIUM, MEDIUM, 0]
    assert [bullet.life for bullet in arena.bullets[:4]] == [0, 0, 9, 9]
    assert arena.rocks[0].vy < 0 < arena.rocks[1].vy  # side +1 keeps the slot of the rock


def test_second_rock_under_a_struck_one_is_there_for_the_next_bullet():
    arena = scene(rock(10, 10), rock(10, 10), bullet(10, 10, 1.6), bullet(10, 10, 1.6))
    assert tick(arena, NOTHING, TUNING)[0] == 40
    assert sizes(arena) == [MEDIUM] * 4


# Lives -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "reach"), [(SMALL, 3.4), (MEDIUM, 4.75), (LARGE, 7.0)])
def test_ship_crashes_within_the_reach_of_a_rock(size, reach):
    for distance, lives in ((reach - 0.01, 2), (reach + 0.01, 3)):
        arena = scene(rock(32, 32 + distance, size))
        tick(arena, NOTHING, TUNING)
        assert arena.ship.lives == lives


def test_ship_dies_for_16_ticks_comes_back_in_place_pointing_up_and_is_safe_for_60():
    arena = scene(rock(32, 32), heading=5)
    arena.ship.vx, arena.ship.cooldown = units(0.5), 6
    tick(arena, THRUST, TUNING)
    x, y = arena.ship.x, arena.ship.y
    assert arena.ship == Ship(x, y, heading=16, dying=16, lives=2)
    play(arena, NOTHING, 15)
    assert (arena.ship.dying, arena.ship.shield) == (1, 0)
    play(arena, NOTHING, 1)
    assert (arena.ship.dying, arena.ship.shield, arena.ship.heading) == (0, 60, 16)
    assert (arena.ship.x, arena.ship.y) == (x, y)
    play(arena, NOTHING, 59)
    assert (arena.ship.shield, arena.ship.lives) == (1, 2)
    play(arena, NOTHING, 1)
    assert (arena.ship.lives, arena.ship.dying) == (1, 16)


def test_ship_that_came_back_can_steer_and_shoot_in_that_very_tick():
    arena = quiet()
    arena.ship.dying = 1
    tick(arena, LEFT + FIRE, TUNING)
    assert arena.ship.heading == 19
    assert arena.bullets[0].life == 24


def test_fragment_made_in_this_tick_can_kill():
    # 7.05 away: the large rock (reach 7.0) misses, its fragment starts 2.4 nearer (reach 4.75).
    arena = scene(rock(32, 39.05), bullet(28, 39.05, 1.6))
    tick(arena, NOTHING, TUNING)
    assert sizes(arena) == [MEDIUM, MEDIUM]
    assert arena.ship.lives == 2


def test_episode_terminates_when_the_last_explosion_is_over():
    arena = scene(rock(32, 32))
    arena.ship.lives = 1
    ends = [tick(arena, NOTHING, TUNING)[1] for _ in range(18)]
    assert ends == [False] * 16 + [True, False]
    assert (arena.ship.lives, arena.ship.shield) == (0, 0)


# Waves -------------------------------------------------------------------------------------------


def test_wave_is_announced_with_the_last_rock_and_solid_24_ticks_later():
    arena = scene(rock(10, 10, SMALL), bullet(10, 10))
    tick(arena, NOTHING, TUNING)
    assert (arena.score, arena.wave, arena.wave_timer) == (100, 2, 24)
    assert sizes(arena) == [LARGE] * 4
    play(arena, NOTHING, 23)
    assert arena.wave_timer == 1
    play(arena, NOTHING, 1)
    assert arena.wave_timer == 0


def test_ghosts_move_and_spin_but_touch_nothing_until_they_are_solid():
    ghost = rock(32, 32, vx=0.125, spin=2)
    arena = scene(ghost, bullet(32, 32, life=24))
    arena.wave_timer = 2
    play(arena, NOTHING, 2)
    assert (arena.rocks[0].x, arena.rocks[0].angle, arena.rocks[0].size) == (at(32.25), 4, LARGE)
    assert (arena.ship.lives, arena.score, arena.wave_timer) == (3, 0, 0)
    play(arena, NOTHING, 1)
    assert (arena.score, arena.ship.lives) == (20, 2)


@pytest.mark.parametrize(("first", "counts"), [(3, [3, 4, 5, 6, 6]), (1, [1, 2, 3, 4, 5, 6, 6])])
def test_each_wave_has_one_rock_more_up_to_six(first, counts):
    arena = Arena(seed=5)
    for count in counts:
        arena.rocks = Arena().rocks
        announce(arena, TUNING._replace(wave_first=first))
        assert sizes(arena) == [LARGE] * count


def test_wave_stands_around_the_ship_at_the_right_distance_and_speed():
    for seed in range(100):
        arena = Arena(seed=seed)
        begin(arena, TUNING)
        ship = arena.ship
        bearings = []
        for r in arena.rocks[:3]:
            dx, dy = gap(r.x, ship.x) / UNIT, gap(r.y, ship.y) / UNIT
            assert 17.99 <= math.hypot(dx, dy) <= 28.01
            assert 0.75 * 0.3 - 1e-3 <= math.hypot(r.vx, r.vy) / UNIT <= 1.25 * 0.3 + 1e-3
            assert -2 <= r.spin <= 2
            bearings.append(math.atan2(-dy, dx) / (2 * math.pi))
        apart = [(b - a) % 1 for a, b in pairwise(bearings)]
        assert all(1 / 3 - 1 / 8 - 0.01 < turn < 1 / 3 + 1 / 8 + 0.01 for turn in apart)


def pattern(kind: int, seed: int, heading: int, number: int) -> list[tuple[int, ...]]:
    """Return the rocks of a wave as they lie around the ship: offsets, velocities, the rest."""
    arena = Arena(seed=seed, ship=Ship(at(50), at(20), heading=heading, lives=3), wave=number - 1)
    announce(arena, TUNING._replace(wave=kind))
    ship, rocks = arena.ship, [r for r in arena.rocks if r.size]
    return [
        (gap(r.x, ship.x), gap(r.y, ship.y), r.vx, r.vy, r.size, r.angle, r.spin) for r in rocks
    ]


def turns(rocks: list[tuple[int, ...]]) -> list[float]:
    return [math.atan2(-dy, dx) / (2 * math.pi) % 1 for dx, dy, *_ in rocks]


@pytest.mark.parametrize("number", [2, 3, 4, 7])
def test_a_wave_by_the_ship_draws_nothing_and_leaves_a_gap_before_its_nose(number):
    for heading in range(64):
        rocks = pattern(2, 1, heading, number)
        assert rocks == pattern(2, 99, heading, number)
        half = 1 / len(rocks) / 2
        ahead = [(turn - heading / 64) % 1 for turn in turns(rocks)]
        assert min(ahead) == pytest.approx(half, abs=0.01)
        assert max(ahead) == pytest.approx(1 - half, abs=0.01)
        for dx, dy, vx, vy, size, *_ in rocks:
            assert 18 <= math.hypot(dx, dy) / UNIT <= 28
            assert 0.75 * 0.3 <= math.hypot(vx, vy) / UNIT <= 1.25 * 0.3
            assert size == LARGE
            assert dx * vx + dy * vy < 0, "it comes nearer at first"
    assert pattern(2, 1, 0, number) != pattern(2, 1, 1, number)


def test_a_ring_is_the_same_pattern_turned_by_a_drawn_angle():
    rings = [pattern(1, seed, 0, 3) for seed in range(40)]
    assert pattern(1, 5, 30, 3) == rings[5], "the ship's heading has no part in it"
    assert len({ring[0][:2] for ring in rings}) > 30
    for ring in rings:
        first = turns(ring)[0]
        assert [(t - first) % 1 for t in turns(ring)[1:]] == pytest.approx(
            [0.2, 0.4, 0.6, 0.8], abs=0.01
        )
        assert [r[4:] for r in ring] == [r[4:] for r in rings[0]]


@pytest.mark.parametrize("kind", [1, 2])
def test_the_first_wave_is_drawn_by_whatever_rule(kind):
    for seed in range(5):
        assert pattern(kind, seed, 3, 1) == pattern(0, seed, 3, 1)
        assert pattern(kind, seed, 3, 2) != pattern(0, seed, 3, 2)


def test_episode_begins_anew_but_for_seed_and_episode():
    arena = scene(rock(1, 1), bullet(2, 2))
    arena.seed, arena.episode, arena.ended, arena.score, arena.tick = 7, 3, 1, 99, 500
    begin(arena, TUNING)
    fresh = Arena(seed=7, episode=3)
    begin(fresh, TUNING)
    assert arena == fresh
    assert arena.ship == Ship(arena.ship.x, arena.ship.y, heading=16, lives=3)
    assert (arena.wave, arena.wave_timer, arena.tick, arena.score, arena.ended) == (1, 24, 0, 0, 0)


def test_each_episode_of_each_seed_opens_differently():
    opened = set()
    for seed in (0, 1, 2**32, 2**63):
        for episode in range(5):
            arena = Arena(seed=seed, episode=episode)
            begin(arena, TUNING)
            opened.add((arena.ship.x, arena.ship.y, arena.rocks[0].x))
    assert len(opened) == 20
