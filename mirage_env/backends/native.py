"""The native backend: ``cuda/`` compiled by the host's compiler, threads over arenas."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from mirage_env.rules import RULES_VERSION
from mirage_env.simulator import Simulator, SimulatorConfig

try:
    from mirage_env import _native
except ImportError as error:
    raise ImportError(
        "the native backend is not built: install the package with `pip install .` (a C++17 "
        "compiler such as g++ or clang++ is needed); the slow backend='oracle' works without "
        f"({error})"
    ) from error

if _native.RULES_VERSION != RULES_VERSION:
    raise ImportError(
        f"the native backend was built for rules version {_native.RULES_VERSION} and this is "
        f"version {RULES_VERSION}: build it anew with `pip install .`"
    )

__all__ = ["NativeSimulator"]


class NativeSimulator(Simulator):
    """All arenas in one call, without Python in between and without its global lock."""

    def __init__(self, config: SimulatorConfig) -> None:
        """Bind the native simulator to this object's buffers."""
        super().__init__(config)
        self._tuning = np.ascontiguousarray(config.tuning, np.int32)
        self._native = _native.Native(
            self.arenas.view(np.uint8).reshape(self.num_envs, -1),
            self.final_arenas.view(np.uint8).reshape(self.num_envs, -1),
            self._tuning,
            self.reward,
            self.terminated,
            self.truncated,
            self.begun,
            config.frame_skip,
            config.max_ticks,
            int(config.autoreset),
            config.num_threads or len(os.sched_getaffinity(0)),
        )

    def reset(
        self, seeds: NDArray[np.uint64] | None = None, mask: NDArray[np.bool_] | None = None
    ) -> None:
        """See `Simulator.reset`."""
        self._native.reset(seeds, mask)

    def step(self, actions: NDArray[np.int32], frames: NDArray[np.uint8] | None = None) -> None:
        """See `Simulator.step`."""
        self._native.step(actions, frames)

    def render(
        self,
        size: int,
        indices: NDArray[np.intp] | None = None,
        *,
        final: bool = False,
        out: NDArray[np.uint8] | None = None,
        channels: int = 3,
    ) -> NDArray[np.uint8]:
        """See `Simulator.render`."""
        if out is None:
            count = self.num_envs if indices is None else len(indices)
            out = np.empty((count, size, size, channels), np.uint8)
        self._native.render(out, indices, final)
        return out

    def state_hash(self) -> NDArray[np.uint64]:
        """See `Simulator.state_hash`."""
        out = np.empty(self.num_envs, np.uint64)
        self._native.hash(out)
        return out
