"""The simulators that films and openings are played in."""

from __future__ import annotations

from typing import Any

import numpy as np

from mirage_env import backends
from mirage_env.rules import Rules, tuning
from mirage_env.simulator import Autoreset, Simulator, SimulatorConfig

__all__ = ["make_simulator", "make_world"]

FOREVER = 2**31 - 1
"""Ticks after which an episode is truncated: a limit is not in the picture: none is learned."""


def make_simulator(num_envs: int, threads: int = 0, rules: Rules | None = None) -> Simulator:
    """Return the fastest simulator of the host (never the oracle: training would crawl)."""
    return backends.make("auto", _config(num_envs, threads, rules, "auto"))


def make_world(num_envs: int, device: str, rules: Rules | None = None) -> Any:
    """Return the simulator on a GPU whose results stay there.

    Raises:
        BackendUnavailableError: If there is none, with the reason.
    """
    return backends.make("cuda", _config(num_envs, 0, rules, device), tensors=True)


def _config(num_envs: int, threads: int, rules: Rules | None, device: str) -> SimulatorConfig:
    return SimulatorConfig(
        tuning=np.tile(np.array(tuning(rules or Rules()), np.int32), (num_envs, 1)),
        max_ticks=FOREVER,
        autoreset=Autoreset.NEXT_STEP,
        num_threads=threads,
        device=device,
    )
