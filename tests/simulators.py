"""Simulators for tests: any backend by its name, and players for them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from mirage_env.rules import Rules, tuning
from mirage_env.simulator import Autoreset, Simulator, SimulatorConfig

BACKENDS = ("oracle", "native")


def make_simulator(
    backend: str,
    num_envs: int,
    rules: Rules | None = None,
    *,
    frame_skip: int = 1,
    max_ticks: int = 4500,
    autoreset: Autoreset = Autoreset.NEXT_STEP,
) -> Simulator:
    """Return a simulator reset with the seeds 0, 1, 2 ...; skip where the backend is not built."""
    config = SimulatorConfig(
        tuning=np.array([tuning(rules or Rules())] * num_envs, np.int32),
        frame_skip=frame_skip,
        max_ticks=max_ticks,
        autoreset=autoreset,
        num_threads=1,
    )
    if backend == "native":
        reason = "the native backend is not built, so nothing is compared with it"
        pytest.importorskip("mirage_env._native", reason=reason, exc_type=ImportError)
        from mirage_env.backends.native import NativeSimulator as Backend
    else:
        from mirage_env.backends.oracle import OracleSimulator as Backend
    simulator = Backend(config)
    simulator.reset(np.arange(num_envs, dtype=np.uint64))
    return simulator


def sticky_actions(num_envs: int, steps: int, seed: int) -> Iterator[NDArray[np.int32]]:
    """Yield the actions of random players who hold their keys for seven ticks on average."""
    rng = np.random.default_rng(seed)
    actions = rng.integers(0, 12, num_envs)
    for _ in range(steps):
        fresh = rng.integers(0, 12, num_envs)
        actions = np.where(rng.random(num_envs) < 0.15, fresh, actions)
        yield actions.astype(np.int32)
