"""The oracle as a backend: one arena after another, the measure of the faster ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mirage_env.oracle.hash import state_hash
from mirage_env.oracle.picture import picture
from mirage_env.oracle.state import Tuning, load, store
from mirage_env.oracle.tick import begin, step
from mirage_env.simulator import Simulator, SimulatorConfig

__all__ = ["OracleSimulator"]


class OracleSimulator(Simulator):
    """The arenas of `Simulator`, run by the rules in `mirage_env.oracle`."""

    def __init__(self, config: SimulatorConfig) -> None:
        """Allocate the buffers."""
        super().__init__(config)
        self.tuning = [Tuning(*map(int, row)) for row in config.tuning]

    def reset(
        self, seeds: NDArray[np.uint64] | None = None, mask: NDArray[np.bool_] | None = None
    ) -> None:
        """Begin an episode in each arena of `mask`, see `Simulator.reset`."""
        self.begun[:] = True if mask is None else mask
        for i in np.flatnonzero(self.begun):
            arena = load(self.arenas[i])
            if seeds is None:
                arena.episode = (arena.episode + 1) % 2**32
            else:
                arena.seed, arena.episode = int(seeds[i]), 0
            begin(arena, self.tuning[i])
            store(arena, self.arenas[i])
            self.reward[i], self.terminated[i], self.truncated[i] = 0, False, False

    def step(self, actions: NDArray[np.int32], frames: NDArray[np.uint8] | None = None) -> None:
        """Step each arena by its action, see `Simulator.step`."""
        for i, tuning in enumerate(self.tuning):
            arena = load(self.arenas[i])
            outcome = step(arena, int(actions[i]), tuning, self.config)
            store(arena, self.arenas[i])
            if outcome.final is not None:
                store(outcome.final, self.final_arenas[i])
            self.reward[i] = outcome.reward
            self.terminated[i] = outcome.terminated
            self.truncated[i] = outcome.truncated
            self.begun[i] = outcome.begun
            if frames is not None:
                frames[i] = picture(arena, frames.shape[1], tuning, frames.shape[3])

    def render(
        self,
        size: int,
        indices: NDArray[np.intp] | None = None,
        *,
        final: bool = False,
        out: NDArray[np.uint8] | None = None,
        channels: int = 3,
    ) -> NDArray[np.uint8]:
        """Return pictures of some arenas, see `Simulator.render`."""
        chosen = np.arange(self.num_envs) if indices is None else indices
        records = self.final_arenas if final else self.arenas
        if out is None:
            out = np.empty((len(chosen), size, size, channels), np.uint8)
        for frame, i in zip(out, chosen, strict=True):
            frame[:] = picture(load(records[i]), size, self.tuning[i], out.shape[3])
        return out

    def state_hash(self) -> NDArray[np.uint64]:
        """Return a hash of each arena's state, uint64 [num_envs]."""
        return np.array([state_hash(record) for record in self.arenas], np.uint64)
