"""The CUDA backend beside other batched environments, in turns on one machine.

    python -m benchmarks.peers             # prints the table; leaves out what is not installed
    python -m benchmarks.peers --save      # and writes benchmarks/results/peers.json

The others are other games, and what they show differs: the table says what each draws. Arcade
games of ALE run on the CPU; Craftax-Classic and the MinAtar games of Pgx are written in JAX and run
on the GPU, compiled whole, many steps a call, which is how their authors run them. All take random
actions and begin anew when an episode ends.

    pip install ale-py craftax pgx 'jax[cuda13]'
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import argparse
import importlib.util
import os
from collections.abc import Callable
from typing import Any

from benchmarks.cpu import ale
from benchmarks.measure import gpu, print_table, rates, save

STEPS = 16
"""Steps in a call, and between two waits for the GPU."""


def mirage(num_envs: int, **kwargs: Any) -> Callable[[], int]:
    """Step and draw 64x64x3, actions already on the GPU."""
    import torch

    from mirage_env import MirageVectorEnv

    envs = MirageVectorEnv(num_envs, backend="cuda", output="torch", **kwargs)
    envs.reset(seed=0)
    actions = torch.randint(0, 12, (STEPS, num_envs), device="cuda")

    def work() -> int:
        for row in actions:
            envs.step(row)
        torch.cuda.synchronize()
        return STEPS * num_envs

    for _ in range(20):
        work()
    return work


def craftax(num_envs: int) -> Callable[[], int]:
    """Step Craftax-Classic; its pictures are 63x63x3 float32, of which only the sum is kept."""
    import jax
    from craftax.craftax_env import make_craftax_env_from_name

    env = make_craftax_env_from_name("Craftax-Classic-Pixels-v1", auto_reset=True)
    params = env.default_params

    @jax.jit
    def many(state: Any, key: Any) -> tuple[Any, Any]:
        def one(state: Any, key: Any) -> tuple[Any, Any]:
            keys = jax.random.split(key, num_envs + 1)
            actions = jax.random.randint(keys[0], (num_envs,), 0, env.action_space(params).n)
            observations, state, *_ = jax.vmap(env.step, in_axes=(0, 0, 0, None))(
                keys[1:], state, actions, params
            )
            return state, observations.sum()  # so that the compiler does not leave them out

        return jax.lax.scan(one, state, jax.random.split(key, STEPS))

    key = jax.random.PRNGKey(0)
    _, state = jax.jit(jax.vmap(env.reset, in_axes=(0, None)))(
        jax.random.split(key, num_envs), params
    )
    return _running(many, state, key, num_envs)


def pgx(num_envs: int) -> Callable[[], int]:
    """Step a MinAtar game; its observations are 10x10 bool planes, nothing is drawn."""
    import jax
    import pgx as library
    from pgx.experimental import auto_reset

    env = library.make("minatar-asterix")
    step = jax.vmap(auto_reset(env.step, env.init))

    @jax.jit
    def many(state: Any, key: Any) -> tuple[Any, Any]:
        def one(state: Any, key: Any) -> tuple[Any, Any]:
            keys = jax.random.split(key, num_envs + 1)
            actions = jax.random.randint(keys[0], (num_envs,), 0, env.num_actions)
            state = step(state, actions, keys[1:])
            return state, state.observation.sum()

        return jax.lax.scan(one, state, jax.random.split(key, STEPS))

    key = jax.random.PRNGKey(0)
    return _running(
        many, jax.jit(jax.vmap(env.init))(jax.random.split(key, num_envs)), key, num_envs
    )


def _running(many: Any, state: Any, key: Any, num_envs: int) -> Callable[[], int]:
    import jax

    def work() -> int:
        nonlocal state, key
        key, now = jax.random.split(key)
        state, _ = jax.block_until_ready(many(state, now))
        return STEPS * num_envs

    return work


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="turns that each contestant takes")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a turn")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/peers.json")
    options = parser.parse_args()

    cores = len(os.sched_getaffinity(0))
    entries: list[tuple[str, str, str, Callable[[], Callable[[], int]]]] = [
        ("", "Mirage, 64x64x3 drawn, 65,536 arenas", "frames/s", lambda: mirage(65536)),
        ("", "Mirage, 64x64x3 drawn, 4,096 arenas", "frames/s", lambda: mirage(4096)),
        ("", "Mirage, 64x64x3 drawn, 512 arenas", "frames/s", lambda: mirage(512)),
        (
            "",
            "Mirage, state vectors, 65,536 arenas",
            "steps/s",
            lambda: mirage(65536, obs_type="state"),
        ),
        (
            "ale_py",
            f"ALE Asteroids, 84x84 grey, 256 envs on {cores} CPU cores",
            "raw frames/s",
            lambda: ale(256, cores),
        ),
        (
            "craftax",
            "Craftax-Classic, 63x63x3 drawn, 4,096 envs",
            "frames/s",
            lambda: craftax(4096),
        ),
        (
            "pgx",
            "Pgx MinAtar Asterix, 10x10 planes, 65,536 envs",
            "steps/s",
            lambda: pgx(65536),
        ),
    ]
    contestants: dict[str, tuple[str, Callable[[], int]]] = {}
    for module, name, unit, make in entries:
        if module and importlib.util.find_spec(module) is None:
            print(f"left out, {module} is not installed: {name}")
            continue
        contestants[name] = (unit, make())
        print(f"ready: {name}", flush=True)
    figures = rates(contestants, options.rounds, options.seconds)
    print_table(figures)
    if options.save:
        print(f"wrote {save('peers', figures, {}, gpu())}")


if __name__ == "__main__":
    main()
