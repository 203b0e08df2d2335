"""How a dream begins: the first frames of a real episode.

A dream with a seed begins as the game with that seed does when no key is pressed, so that both can
be played side by side from the same history. After these frames no code of the game runs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mirage_env.rules import Rules
from mirage_wm.simulators import make_simulator

__all__ = ["Openings"]


class Openings:
    """The real beginnings of `num_envs` dreams, one after another for each.

    Attributes:
        seed: uint64 [num_envs], of each dream.
        episode: uint32 [num_envs], number of its present episode.
    """

    def __init__(self, num_envs: int, context: int, rules: Rules | None = None) -> None:
        """Make the simulator that gives them."""
        self._simulator = make_simulator(num_envs, 1 if num_envs < 256 else 0, rules)
        self._idle = np.zeros(num_envs, np.int32)
        self._context = context
        self.seed = np.zeros(num_envs, np.uint64)
        self.episode = np.zeros(num_envs, np.uint32)

    def begin(self, seeds: NDArray[np.uint64] | None, mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """Begin episodes in the dreams of `mask`: episode 0 of `seeds`, without them the next one.

        Returns:
            uint8 [n, context, 64, 64, 3] for the n dreams of `mask`.
        """
        if seeds is None:
            self.episode[mask] += np.uint32(1)
        else:
            self.seed[mask], self.episode[mask] = seeds[mask], 0
        simulator, indices = self._simulator, np.flatnonzero(mask)
        # A reset without seeds begins the episode after the one that the state says.
        simulator.arenas["seed"], simulator.arenas["episode"] = (
            self.seed,
            self.episode - np.uint32(1),
        )
        simulator.reset(None, mask)
        frames = np.empty((len(indices), self._context, 64, 64, 3), np.uint8)
        for t in range(self._context):
            if t:
                simulator.step(self._idle)
            frames[:, t] = simulator.render(64, indices)
        return frames

    def close(self) -> None:
        """Free the simulator."""
        self._simulator.close()
