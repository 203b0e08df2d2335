"""Arrays for observations, reused only when nobody holds them.

An observation that was handed out must not change at the next step: users keep them in replay
buffers. A copy at every step would keep that promise and cost as much as the drawing. This pool
keeps it without a copy: a step writes in a buffer that nobody else refers to. A program that drops
its last observation before the step after next, as most do, runs on two buffers for ever; one that
keeps them all gets new ones, which are then its own.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["FramePool"]


class FramePool:
    """Gives arrays of one shape to write in; see the module's text.

    What counts as held: the array itself, every view of it (numpy keeps a reference to the array
    that owns the memory in each), and every tensor made by `torch.from_numpy`. A bare address
    (``array.ctypes.data``) does not.

    Example:
        >>> pool = FramePool((2,), np.uint8)
        >>> first = pool.take()
        >>> pool.take() is first
        False
    """

    KEPT = 4
    """Buffers that the pool remembers; a user who holds more owns the older ones alone."""

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: DTypeLike,
        *,
        reuse: bool = False,
        empty: Callable[[tuple[int, ...], Any], NDArray[Any]] = np.empty,
    ) -> None:
        """Make an empty pool.

        Args:
            shape: Of each array.
            dtype: Of each array.
            reuse: Give the same array every time, held or not.
            empty: Allocates an array, called as `numpy.empty` is.
        """
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self.reuse = reuse
        self._empty = empty
        self._buffers: deque[NDArray[Any]] = deque(maxlen=self.KEPT)

    def take(self) -> NDArray[Any]:
        """Return an array that nobody holds, with whatever was last written in it."""
        for buffer in self._buffers:
            if self.reuse or sys.getrefcount(buffer) <= _UNHELD:
                return buffer
        buffer = self._empty(self.shape, self.dtype)
        self._buffers.append(buffer)
        return buffer


def _count_of_unheld() -> int:
    """Return `sys.getrefcount` of an array that only a deque holds, asked as in `take`."""
    for buffer in deque([np.empty(1)]):
        return sys.getrefcount(buffer)
    raise AssertionError("unreachable")


_UNHELD = _count_of_unheld()
