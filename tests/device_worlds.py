"""A stand-in for the simulator on a GPU: the native one, behind tensors of the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from mirage_env import backends
from mirage_env.rules import Rules, tuning
from mirage_env.simulator import Autoreset, SimulatorConfig


class NativeWorld:
    """Behaves as `mirage_env.backends.cuda_world.CudaWorld` does, as far as dreams need it.

    Its `arenas` are the simulator's own memory.
    """

    device = torch.device("cpu")

    def __init__(self, num_envs: int, rules: Rules | None = None, max_ticks: int = 4500) -> None:
        config = SimulatorConfig(
            np.tile(np.array(tuning(rules or Rules()), np.int32), (num_envs, 1)),
            max_ticks=max_ticks,
            autoreset=Autoreset.NEXT_STEP,
            num_threads=1,
        )
        self.num_envs = num_envs
        self.simulator = backends.make("native", config)
        words = self.simulator.arenas.view(np.int32).reshape(num_envs, -1)
        self.arenas = torch.from_numpy(words)

    def reset(self, seeds: Any = None, mask: Any = None) -> None:
        self.simulator.reset(seeds, mask)

    def step(self, actions: torch.Tensor, frames: torch.Tensor | None = None) -> None:
        simulator = self.simulator
        simulator.step(actions.numpy().astype(np.int32), None if frames is None else frames.numpy())
        self.reward = torch.from_numpy(simulator.reward.astype(np.float32))
        self.terminated = torch.from_numpy(simulator.terminated.copy())
        self.truncated = torch.from_numpy(simulator.truncated.copy())
        self.begun = torch.from_numpy(simulator.begun.copy())

    def vectors(self) -> torch.Tensor:
        return torch.from_numpy(self.simulator.vectors())

    def close(self) -> None:
        self.simulator.close()
