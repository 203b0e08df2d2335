"""How fast the native backend steps and draws, beside ALE's vector Asteroids, in one run.

    python -m benchmarks.cpu                 # prints the table
    python -m benchmarks.cpu --save          # and writes benchmarks/results/cpu.json

A frame is a tick of a game. For ALE that is an agent's step times its frame skip of 4: it emulates
every frame and draws the last two of four into an 84x84 grey picture. Mirage steps and draws each
frame, 64x64x3, through the public step() of its vector environment.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable

import numpy as np

from benchmarks.measure import print_table, rates, save
from mirage_env import MirageVectorEnv, Rules
from mirage_env.backends.native import NativeSimulator
from mirage_env.rules import tuning
from mirage_env.simulator import SimulatorConfig

STEPS = 16  # of a vector environment in one call of a contestant


def mirage(num_envs: int, num_threads: int, obs_type: str) -> Callable[[], int]:
    """Step MirageVectorEnv with random actions."""
    envs = MirageVectorEnv(num_envs, obs_type=obs_type, num_threads=num_threads, backend="native")
    envs.reset(seed=0)
    actions = np.random.default_rng(0).integers(0, 12, (STEPS, num_envs))

    def work() -> int:
        for row in actions:
            envs.step(row)
        return STEPS * num_envs

    return work


def simulator(num_envs: int, num_threads: int) -> Callable[[], int]:
    """Step the native simulator alone: no pictures, no environment."""
    rows = np.tile(np.array(tuning(Rules()), np.int32), (num_envs, 1))
    native = NativeSimulator(SimulatorConfig(rows, num_threads=num_threads))
    native.reset(np.arange(num_envs, dtype=np.uint64))
    actions = np.random.default_rng(0).integers(0, 12, (STEPS, num_envs)).astype(np.int32)

    def work() -> int:
        for row in actions:
            native.step(row)
        return STEPS * num_envs

    return work


def ale(num_envs: int, num_threads: int) -> Callable[[], int]:
    """Step ALE's vector Asteroids with random actions; count its raw frames."""
    from ale_py.vector_env import AtariVectorEnv

    frameskip = 4
    envs = AtariVectorEnv(
        game="asteroids", num_envs=num_envs, num_threads=num_threads, frameskip=frameskip
    )
    envs.reset(seed=0)
    choices = envs.single_action_space.n  # pyright: ignore[reportAttributeAccessIssue]
    actions = np.random.default_rng(0).integers(0, choices, (STEPS, num_envs))

    def work() -> int:
        for row in actions:
            envs.step(row)
        return STEPS * num_envs * frameskip

    return work


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--num-envs", type=int, default=256, help="arenas in a batch")
    parser.add_argument("--ale-envs", type=int, default=64, help="ALE environments in a batch")
    parser.add_argument("--rounds", type=int, default=5, help="turns that each contestant takes")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a turn")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/cpu.json")
    options = parser.parse_args()

    n, cores = options.num_envs, len(os.sched_getaffinity(0))
    contestants: dict[str, tuple[str, Callable[[], int]]] = {}
    for threads in sorted({1, cores}):
        on = f"{threads} thread{'s' * (threads > 1)}"
        contestants |= {
            f"Mirage step(), pictures 64x64x3, {on}": ("frames/s", mirage(n, threads, "rgb")),
            f"Mirage step(), state vectors, {on}": ("frames/s", mirage(n, threads, "state")),
            f"Mirage simulator alone, no pictures, {on}": ("frames/s", simulator(n, threads)),
            f"ALE Asteroids, 84x84 grey, {on}": ("raw frames/s", ale(options.ale_envs, threads)),
        }
    figures = rates(contestants, options.rounds, options.seconds)
    print_table(figures)
    ratios = {}
    for threads in sorted({1, cores}):
        on = f"{threads} thread{'s' * (threads > 1)}"
        ours = figures[f"Mirage step(), pictures 64x64x3, {on}"].median
        ratios[f"Mirage / ALE, {on}"] = ours / figures[f"ALE Asteroids, 84x84 grey, {on}"].median
    for name, ratio in ratios.items():
        print(f"{name}: {ratio:.1f}")
    if options.save:
        print(f"wrote {save('cpu', figures, ratios)}")


if __name__ == "__main__":
    main()
