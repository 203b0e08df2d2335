"""Steps of the oracle: frame skip, endings, autoreset; its records, its hash, its imports."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from simulators import make_simulator, sticky_actions

from mirage_env.arena import ARENA_DTYPE, ARENA_WORDS
from mirage_env.oracle.arithmetic import f32
from mirage_env.oracle.hash import hash_word, state_hash
from mirage_env.oracle.picture import picture
from mirage_env.oracle.pixels import blend, dart, octagon, opacity, ring
from mirage_env.oracle.shapes import Dart, Octagon, Sprite
from mirage_env.oracle.sprites import sprites
from mirage_env.oracle.state import Arena, Tuning, load, store
from mirage_env.rules import UNIT, Rules, tuning
from mirage_env.simulator import Autoreset

TUNING = Tuning(*tuning(Rules()))
IDLE = np.zeros(1, np.int32)


def about_to_end(autoreset: Autoreset, *, frame_skip: int = 1, max_ticks: int = 4500):
    """Return a simulator of one arena whose last explosion ends in two ticks."""
    simulator = make_simulator(
        "oracle", 1, autoreset=autoreset, frame_skip=frame_skip, max_ticks=max_ticks
    )
    simulator.set_state({"lives": np.array([0]), "dying": np.array([2]), "score": np.array([70])})
    return simulator


def flags(simulator) -> tuple[bool, bool, bool]:
    return bool(simulator.terminated[0]), bool(simulator.truncated[0]), bool(simulator.begun[0])


def test_next_step_mode_begins_a_new_episode_in_the_step_after_the_end():
    simulator = about_to_end(Autoreset.NEXT_STEP)
    simulator.step(IDLE)
    assert flags(simulator) == (False, False, False)
    simulator.step(IDLE)
    assert flags(simulator) == (True, False, False)
    assert simulator.arenas[0]["ended"] == 1
    simulator.step(IDLE)
    record = simulator.arenas[0]
    assert flags(simulator) == (False, False, True)
    assert (record["episode"], record["tick"], record["lives"], record["score"]) == (1, 0, 3, 0)


def test_same_step_mode_keeps_the_end_and_begins_at_once():
    simulator = about_to_end(Autoreset.SAME_STEP)
    simulator.step(IDLE)
    frames = np.empty((1, 64, 64, 3), np.uint8)
    simulator.step(IDLE, frames)
    final, record = simulator.final_arenas[0], simulator.arenas[0]
    assert flags(simulator) == (True, False, True)
    assert (final["episode"], final["tick"], final["score"], final["ended"]) == (0, 2, 70, 1)
    assert (record["episode"], record["tick"], record["score"], record["ended"]) == (1, 0, 0, 0)
    assert (frames == simulator.render(64)).all()
    assert (frames != simulator.render(64, final=True)).any()


def test_disabled_mode_stands_still_and_says_again_how_it_ended():
    simulator = about_to_end(Autoreset.DISABLED, max_ticks=2)
    simulator.step(IDLE)
    simulator.step(IDLE)
    before = simulator.arenas.tobytes()
    simulator.step(IDLE)
    assert flags(simulator) == (True, True, False)
    assert simulator.reward[0] == 0
    assert simulator.arenas.tobytes() == before
    assert simulator.arenas[0]["ended"] == 3


def test_episode_is_truncated_after_its_last_tick():
    simulator = make_simulator("oracle", 1, max_ticks=3)
    for expected in (False, False, True):
        simulator.step(IDLE)
        assert flags(simulator) == (False, expected, False)
    assert simulator.arenas[0]["ended"] == 2


def test_frame_skip_adds_the_points_of_its_ticks():
    simulator = make_simulator("oracle", 1, frame_skip=4)
    arena = Arena(wave=1)
    arena.ship.lives = 3
    for i, size in enumerate((1, 2, 3)):  # bullets reach their rocks in ticks 2, 3 and 4
        arena.rocks[i].size, arena.rocks[i].x = size, (10 + 20 * i) * UNIT
        arena.rocks[i].y = 32 * UNIT
        bullet, near = arena.bullets[i], (2.4, 3.75, 6.0)[i]
        bullet.life, bullet.vx, bullet.x = 20, UNIT, round((10 + 20 * i - near - 1.5 - i) * UNIT)
        bullet.y = 32 * UNIT
    arena.ship.y = 0
    store(arena, simulator.arenas[0])
    simulator.step(IDLE)
    assert simulator.arenas[0]["tick"] == 4
    assert simulator.reward[0] == simulator.arenas[0]["score"] == 100 + 50 + 20


def test_frame_skip_stops_at_the_end_of_the_episode():
    simulator = about_to_end(Autoreset.NEXT_STEP, frame_skip=5)
    simulator.step(IDLE)
    assert flags(simulator) == (True, False, False)
    assert simulator.arenas[0]["tick"] == 2


def test_reset_without_seeds_goes_to_the_next_episode_of_the_masked_arenas():
    simulator = make_simulator("oracle", 3)
    simulator.step(np.full(3, 2, np.int32))
    before = simulator.arenas.copy()
    simulator.reset(mask=np.array([False, True, False]))
    assert simulator.arenas["episode"].tolist() == [0, 1, 0]
    assert simulator.arenas["seed"].tolist() == [0, 1, 2]
    assert simulator.begun.tolist() == [False, True, False]
    assert simulator.arenas[[0, 2]].tobytes() == before[[0, 2]].tobytes()


def test_reset_with_seeds_is_the_first_episode_whatever_was_before():
    simulator = make_simulator("oracle", 2)
    first = simulator.arenas.tobytes()
    for actions in sticky_actions(2, 50, seed=3):
        simulator.step(actions)
    simulator.reset(np.arange(2, dtype=np.uint64))
    assert simulator.arenas.tobytes() == first


def test_any_record_survives_loading_and_storing():
    rng = np.random.default_rng(0)
    records = np.frombuffer(rng.bytes(20 * ARENA_DTYPE.itemsize), ARENA_DTYPE)
    copies = np.zeros_like(records)
    for record, copy in zip(records, copies, strict=True):
        store(load(record), copy)
    assert copies.tobytes() == records.tobytes()


def test_empty_slots_are_zero_in_every_field():
    simulator = make_simulator("oracle", 4, Rules(cooldown=2, rock_speed=1.0))
    for actions in sticky_actions(4, 400, seed=1):
        simulator.step(actions)
        arenas = simulator.arenas
        for kind, mark in (("rock", "size"), ("bullet", "life")):
            empty = arenas[f"{kind}_{mark}"] == 0
            for name in ARENA_DTYPE.names or ():
                if name.startswith(kind):
                    assert not arenas[name][empty].any(), name


def test_state_hash_is_changed_by_every_bit_of_the_record():
    record = make_simulator("oracle", 1).arenas[0]
    hashes = {state_hash(record)}
    for byte in range(ARENA_DTYPE.itemsize):
        changed = bytearray(record.tobytes())
        changed[byte] ^= 1 << byte % 8
        hashes.add(state_hash(np.frombuffer(bytes(changed), ARENA_DTYPE)[0]))
    assert len(hashes) == 1 + ARENA_DTYPE.itemsize


def test_state_hash_of_nothing_is_the_sum_of_the_hashes_of_zeros():
    # hash_word(0, 0) is the first number of splitmix64 from 0, a published value.
    assert hash_word(0, 0) == 0xE220A8397B1DCDAF
    empty = np.zeros(1, ARENA_DTYPE)[0]
    assert state_hash(empty) == sum(hash_word(i, 0) for i in range(ARENA_WORDS)) % 2**64


def drawn_by_the_pixel(arena: Arena, size: int) -> np.ndarray:
    """Return the picture of an arena made of scalars alone."""
    image = np.zeros((size, size, 3), np.uint8)
    pitch = f32(64) / f32(size)

    def cover(sprite: Sprite, dx: np.float32, dy: np.float32):
        if isinstance(sprite.shape, Octagon):
            return octagon(sprite.shape, dx, dy)
        return (dart if isinstance(sprite.shape, Dart) else ring)(sprite.shape, dx, dy)

    for sprite in sprites(arena, size, TUNING):
        for k in range(sprite.down.width):
            for j in range(sprite.across.width):
                dx = (sprite.across.offset + f32(j)) * pitch
                dy = (sprite.down.offset + f32(k)) * pitch
                assert dx.dtype == dy.dtype == np.float32
                coverage, shade = cover(sprite, dx, dy)
                pixel = image[(sprite.down.first + k) % size, (sprite.across.first + j) % size]
                for c, colour in enumerate(sprite.colour):
                    pixel[c] = blend(int(pixel[c]), colour, opacity(coverage, sprite.alpha), shade)
    return image


@pytest.mark.parametrize("size", [16, 64, 100])
def test_array_of_pixels_is_drawn_as_each_pixel_alone(size):
    simulator = make_simulator("oracle", 1)
    for actions in sticky_actions(1, 61, seed=2):
        simulator.step(actions | 3)
        if simulator.arenas[0]["tick"] in (12, 61):
            arena = load(simulator.arenas[0])
            arena.ship.shield = 30
            assert (picture(arena, size, TUNING) == drawn_by_the_pixel(arena, size)).all()


def test_picture_of_a_large_rock_has_the_area_of_its_outline():
    arena = Arena(wave=1)
    arena.rocks[0].size, arena.rocks[0].x, arena.rocks[0].y = 3, 5 * UNIT, 60 * UNIT
    lit = (picture(arena, 1024, TUNING)[..., 0] > 100).sum() / 16**2  # covered by half or more
    radii = [6 * r / 16 for r in (16, 14, 16, 13, 15, 16, 13, 15)]
    pairs = zip(radii, radii[1:] + radii[:1], strict=True)
    area = sum(a * b for a, b in pairs) * np.sqrt(0.5) / 2
    assert lit == pytest.approx(area, rel=0.005)


def test_oracle_needs_neither_torch_nor_pycuda_nor_the_native_module():
    program = (
        "import sys, mirage_env.backends.oracle\n"
        "bad = {'torch', 'pycuda', 'mirage_env._native', 'mirage_env.backends.native'}\n"
        "print(sorted(bad & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (result.stdout.strip(), result.stderr) == ("[]", "")
