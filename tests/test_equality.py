"""The native backend and the oracle are two programs for one game: 0 differing bits."""

from __future__ import annotations

import os
import signal
from collections import Counter

import numpy as np
import pytest

from mirage_env.arena import ARENA_DTYPE
from mirage_env.backends.native import NativeSimulator
from mirage_env.backends.oracle import OracleSimulator
from mirage_env.rules import Rules, tuning
from mirage_env.simulator import Autoreset, Simulator, SimulatorConfig

OUTPUTS = ("arenas", "reward", "terminated", "truncated", "begun")

# Rules that differ from arena to arena: both kinds of fragments, waves of every kind and size, few
# shots and many.
VARIED = [
    Rules(
        split=("bullet", "random")[i % 2],
        wave=("random", "ring", "ship", "random", "ship")[i % 5],
        wave_first=1 + i % 6,
        rock_speed=0.2 + 0.05 * (i % 8),
        cooldown=(8, 3, 1, 12)[i // 2 % 4],
        thrust=(0.035, 0.01, 0.1)[i % 3],
    )
    for i in range(64)
]


def config(num_envs: int, **changes) -> SimulatorConfig:
    rows = [tuning(VARIED[i % len(VARIED)]) for i in range(num_envs)]
    return SimulatorConfig(np.array(rows, np.int32), **{"max_ticks": 280, **changes})


def aimed(arenas: np.ndarray) -> np.ndarray:
    """Actions of a player that turns to the nearest rock and keeps firing, int32 [num_envs]."""
    x, y = arenas["rock_x"].astype(np.int64), arenas["rock_y"].astype(np.int64)
    dx = (x - arenas["ship_x"][:, None] + 2**31) % 2**32 - 2**31
    dy = (y - arenas["ship_y"][:, None] + 2**31) % 2**32 - 2**31
    distance = np.where(arenas["rock_size"] > 0, dx**2 + dy**2, np.iinfo(np.int64).max)
    near = distance.argmin(1)[:, None]
    bearing = np.arctan2(
        -np.take_along_axis(dy, near, 1)[:, 0], np.take_along_axis(dx, near, 1)[:, 0]
    )
    off = (np.round(bearing / (2 * np.pi) * 64) - arenas["ship_heading"] + 32) % 64 - 32
    turn = np.where(off > 1, 1, np.where(off < -1, 2, 0))
    return (turn * 4 + 1).astype(np.int32)


def choose(behaviours: np.ndarray, held: np.ndarray, arenas: np.ndarray, rng) -> np.ndarray:
    """Actions by behaviour of each arena: 0 random, 1 keys held for a while, 2 aimed, 3 idle."""
    fresh = rng.integers(0, 12, len(held)).astype(np.int32)
    held[:] = np.where(rng.random(len(held)) < 0.1, fresh, held)
    return np.choose(behaviours, [fresh, held, aimed(arenas), np.zeros_like(held)]).astype(np.int32)


def events(before: np.ndarray, after: np.ndarray, begun: np.ndarray, seen: Counter) -> None:
    """Count what happened in a step, in the arenas that did not begin anew."""
    old, new = before[~begun], after[~begun]
    gained = new["score"].astype(int) - old["score"]
    seen["large rock split"] += int(((old["rock_size"] == 3) & (new["rock_size"] == 2)).sum())
    seen["medium rock split"] += int(((old["rock_size"] == 2) & (new["rock_size"] == 1)).sum())
    seen["small rock shot"] += int(((old["rock_size"] == 1) & (new["rock_size"] == 0)).sum())
    seen["several rocks in one tick"] += int((gained > 100).sum())
    seen["shot"] += int((new["cooldown"] > old["cooldown"]).sum())
    seen["bullet died of age"] += int(((old["bullet_life"] == 1) & (new["bullet_life"] == 0)).sum())
    seen["death"] += int(((old["dying"] == 0) & (new["dying"] > 0)).sum())
    seen["respawn"] += int(((old["shield"] == 0) & (new["shield"] > 0)).sum())
    seen["second wave announced"] += int(((new["wave"] > 1) & (new["wave"] > old["wave"])).sum())
    seen["wave solid"] += int(((old["wave_timer"] == 1) & (new["wave_timer"] == 0)).sum())
    seen["ship wrapped"] += int(
        (np.abs(new["ship_x"].astype(np.int64) - old["ship_x"]) > 2**31).sum()
    )
    seen["top speed braked"] += int(
        (np.hypot(old["ship_vx"].astype(float), old["ship_vy"]) > 0.9 * 2**26).sum()
    )
    seen["episode begun"] += int(begun.sum())


EVENTS = {
    "large rock split",
    "medium rock split",
    "small rock shot",
    "several rocks in one tick",
    "shot",
    "bullet died of age",
    "death",
    "respawn",
    "second wave announced",
    "wave solid",
    "ship wrapped",
    "top speed braked",
    "episode begun",
    "terminated",
    "truncated",
}


def play_both(steps: int, num_envs: int, seed: int, frames_every: int, **changes) -> Counter:
    """Step both backends alike, demand equality at every step, and count events and frames."""
    native, oracle = (
        NativeSimulator(config(num_envs, **changes)),
        OracleSimulator(config(num_envs, **changes)),
    )
    seeds = np.random.default_rng(seed).integers(0, 2**64, num_envs, np.uint64)
    seen, rng = Counter(), np.random.default_rng(seed)
    behaviours, held = np.arange(num_envs) % 4, np.zeros(num_envs, np.int32)
    for simulator in (native, oracle):
        simulator.reset(seeds)
    for t in range(steps):
        before = native.arenas.copy()
        actions = choose(behaviours, held, native.arenas, rng)
        for simulator in (native, oracle):
            poison(simulator)
            simulator.step(actions)
        for name in OUTPUTS:
            got, wanted = getattr(native, name), getattr(oracle, name)
            assert got.tobytes() == wanted.tobytes(), f"{name} differs after step {t}"
        np.testing.assert_array_equal(native.state_hash(), oracle.state_hash())
        ended = native.begun & (native.terminated | native.truncated)
        assert native.final_arenas[ended].tobytes() == oracle.final_arenas[ended].tobytes()
        events(before, native.arenas, native.begun, seen)
        seen["terminated"] += int(native.terminated.sum())
        seen["truncated"] += int(native.truncated.sum())
        if t % frames_every == 0:
            size = (64, 64, 64, 84, 100)[t // frames_every % 5]
            np.testing.assert_array_equal(native.render(size), oracle.render(size))
            seen["frames"] += num_envs
    return seen


def poison(simulator: Simulator) -> None:
    """Fill the outputs of a step with garbage, so that what a backend forgets to write shows."""
    simulator.reward.fill(-1234567)
    for name in ("terminated", "truncated", "begun"):
        getattr(simulator, name).fill(True)


def test_native_is_the_oracle_bit_for_bit_through_every_event():
    seen = play_both(steps=300, num_envs=64, seed=1, frames_every=9)
    missing = {name for name in EVENTS if seen[name] == 0}
    assert not missing, f"these never happened: {missing}; seen {dict(seen)}"
    assert seen["frames"] >= 2000


@pytest.mark.parametrize("autoreset", list(Autoreset))
@pytest.mark.parametrize("frame_skip", [1, 4])
def test_native_is_the_oracle_in_each_autoreset_mode(autoreset, frame_skip):
    seen = play_both(
        steps=150,
        num_envs=24,
        seed=2,
        frames_every=50,
        autoreset=autoreset,
        frame_skip=frame_skip,
        max_ticks=120,
    )
    assert seen["truncated"] > 0


@pytest.mark.slow
def test_native_is_the_oracle_for_a_million_steps():
    seen = play_both(steps=4000, num_envs=256, seed=3, frames_every=200, max_ticks=4500)
    assert not {name for name in EVENTS - {"truncated"} if seen[name] == 0}, dict(seen)


def run_native(num_envs: int, steps: int, num_threads: int) -> tuple[np.ndarray, bytes]:
    """The hashes after each step of seeds 0, 1, ..., by actions that depend on step and seed."""
    simulator = NativeSimulator(config(num_envs, num_threads=num_threads))
    simulator.reset(np.arange(num_envs, dtype=np.uint64))
    hashes, frames = [], np.zeros((num_envs, 64, 64, 3), np.uint8)
    for t in range(steps):
        actions = ((np.arange(num_envs) * 7 + t // 9 * 5) % 12).astype(np.int32)
        simulator.step(actions, frames)
        hashes.append(simulator.state_hash())
    return np.array(hashes), frames[0].tobytes()


def test_histories_do_not_depend_on_threads_or_on_the_run():
    one, again, many = (run_native(1000, 60, threads) for threads in (1, 1, 4))
    np.testing.assert_array_equal(one[0], again[0])
    np.testing.assert_array_equal(one[0], many[0])
    assert one[1] == again[1] == many[1]


def test_an_arena_does_not_depend_on_its_neighbours():
    alone, among = run_native(1, 300, 1), run_native(1000, 300, 0)
    np.testing.assert_array_equal(alone[0][:, 0], among[0][:, 0])
    assert alone[1] == among[1]


def test_a_masked_reset_leaves_the_other_arenas_and_their_results_alone():
    mask = np.arange(8) % 2 == 0
    results = []
    for simulator in (NativeSimulator(config(8)), OracleSimulator(config(8))):
        simulator.reset(np.arange(8, dtype=np.uint64))
        poison(simulator)
        others = simulator.arenas[~mask].copy()
        simulator.reset(mask=mask)
        assert simulator.arenas[~mask].tobytes() == others.tobytes()
        results.append([getattr(simulator, name).tobytes() for name in OUTPUTS])
    assert results[0] == results[1]


def test_each_field_of_the_state_moves_the_hash():
    simulator = NativeSimulator(config(1))
    simulator.reset(np.array([5], np.uint64))
    hashes = {int(simulator.state_hash()[0])}
    for name in ARENA_DTYPE.names:
        field = simulator.arenas[name].view(np.uint8).reshape(-1)
        for i in range(len(field)):
            field[i] ^= 1
            hashes.add(int(simulator.state_hash()[0]))
            field[i] ^= 1
    assert len(hashes) == 1 + ARENA_DTYPE.itemsize


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # Python 3.12 and later
@pytest.mark.parametrize("in_child", ["steps on", "frees it"])
def test_a_forked_process_can_go_on_with_a_threaded_simulator_or_free_it(in_child):
    simulator = NativeSimulator(config(600, num_threads=3))
    simulator.reset(np.arange(600, dtype=np.uint64))
    simulator.step(np.zeros(600, np.int32))
    child = os.fork()
    if child == 0:
        signal.alarm(20)  # a child that waits for its parent's threads ends by this
        if in_child == "steps on":
            simulator.step(np.zeros(600, np.int32))
        del simulator
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
