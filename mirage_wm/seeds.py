"""Seeds for learning and seeds for testing, disjoint by construction.

An arena's history is decided by its seed and the keys alone. Training takes seeds below 2**62,
evaluation those from 2**62 on, and each refuses the other's: no model has seen what it is measured
on.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["HELD_OUT", "arena_seeds"]

HELD_OUT = 2**62
"""The first seed of those kept for evaluation."""


def arena_seeds(
    purpose: Literal["training", "evaluation"], first: int, count: int
) -> NDArray[np.uint64]:
    """Return the seeds `first` … `first + count - 1` of `count` arenas.

    Raises:
        ValueError: If any of them is not for this purpose.
    """
    low, high = (0, HELD_OUT) if purpose == "training" else (HELD_OUT, 2**63)
    if not low <= first <= first + count <= high:
        raise ValueError(
            f"seeds for {purpose} must lie from {low} to {high - 1}, got {first} to "
            f"{first + count - 1}: those below 2**62 are for training, the others held out"
        )
    return np.arange(first, first + count, dtype=np.uint64)
