"""The last few observations of each world, for `frame_stack` greater than one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["FrameStack"]


class FrameStack:
    """The last `depth` observations of each of `num_envs` worlds.

    A ring: step t is written in layer t modulo `depth`, so that nothing moves. Read out, the oldest
    comes first, and an episode's first observation stands for the ones before it (as in Gymnasium's
    `FrameStackObservation`).
    """

    def __init__(self, num_envs: int, depth: int, shape: tuple[int, ...], dtype: DTypeLike) -> None:
        """Allocate the ring; `fill` every world before reading."""
        self.depth = depth
        self._ring = np.zeros((depth, num_envs, *shape), dtype)
        self._newest = 0

    def advance(self) -> NDArray[Any]:
        """Forget the oldest observations and return their layer [num_envs, ...] for the newest."""
        self._newest = (self._newest + 1) % self.depth
        return self._ring[self._newest]

    def fill(self, indices: NDArray[np.intp], observations: NDArray[Any]) -> None:
        """Set all layers of some worlds, to observations [n, ...] or to stacks [n, depth, ...]."""
        if observations.ndim == self._ring.ndim:
            self._ring[self._order(), indices[:, None]] = observations
        else:
            self._ring[:, indices] = observations

    def read(self, out: NDArray[Any], begun: NDArray[np.bool_] | None = None) -> None:
        """Write the stacks of all worlds to `out` [num_envs, depth, ...], the oldest first.

        Where `begun` (bool [num_envs]) says that an episode has just begun, its first observation,
        the newest, stands for those before it from here on.
        """
        if begun is not None and begun.any():
            self._ring[:, begun] = self._ring[self._newest, begun]
        for place, layer in enumerate(self._order()):
            out[:, place] = self._ring[layer]

    def ending_with(self, last: NDArray[Any], indices: Any) -> NDArray[Any]:
        """Return the stacks [n, depth, ...] of some worlds with `last` [n, ...] as the newest."""
        stacks = self.stacks(indices)
        stacks[:, -1] = last
        return stacks

    def stacks(self, indices: NDArray[np.intp]) -> NDArray[Any]:
        """Return the stacks [n, depth, ...] of some worlds, the oldest first."""
        return self._ring[self._order(), indices[:, None]]

    def _order(self) -> NDArray[np.intp]:
        return (self._newest + 1 + np.arange(self.depth)) % self.depth
