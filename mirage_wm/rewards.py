"""The rewards that a model tells apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["REWARDS", "reward_class"]

REWARDS = (0, 20, 40, 50, 70, 100, 120, 150, 200)
"""What one bullet or two can gain in a tick. Other rewards count as the nearest of these."""


def reward_class(reward: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Return for each reward the index of the nearest of `REWARDS`."""
    edges = (np.asarray(REWARDS[:-1]) + np.asarray(REWARDS[1:])) / 2
    return np.searchsorted(edges, reward).astype(np.uint8)
