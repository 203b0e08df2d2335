"""What a model is told beside pictures, as numbers for its first layers; by NumPy alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["ACTION_SWITCHES", "FREQUENCIES", "level_waves"]


def _switches() -> NDArray[np.float32]:
    action = np.arange(12)
    parts = (np.eye(3)[action // 4], np.eye(2)[action // 2 % 2], np.eye(2)[action % 2])
    return np.concatenate(parts, 1).astype(np.float32)


ACTION_SWITCHES = _switches()
"""float32 [12, 7]. An action is turn*4 + thrust*2 + fire: seven switches, of which three are on or
off together (the turn), and two and two."""

FREQUENCIES = (np.pi * 2.0 ** np.arange(-2, 6)).astype(np.float32)
"""Of the waves that a level of noise is told by."""


def level_waves(level: float) -> NDArray[np.float32]:
    """Return a number of about -2 to 2 as waves, float32 [16]."""
    angle = np.float32(level) * FREQUENCIES
    return np.concatenate([np.cos(angle), np.sin(angle)])
