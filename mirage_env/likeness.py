"""How alike two pictures are, as people who play game and dream side by side are told."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["psnr"]


def psnr(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    """Return the peak signal-to-noise ratio of two pictures of one shape, dB.

    It is infinite where they are equal.

    Example:
        >>> import numpy as np
        >>> black, white = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 255, np.uint8)
        >>> psnr(black, black), psnr(black, white)
        (inf, 0.0)
    """
    # Not by a product of vectors: the library for these wakes threads, which then spin.
    error = int(np.square(first.astype(np.int32) - second).sum(dtype=np.int64))
    return math.inf if not error else 10 * math.log10(255**2 * first.size / error)
