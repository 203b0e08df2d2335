"""Random numbers that are a hash of who wants them and when, not a stream that is used up.

The noise of a frame is decided by the dream's seed, episode and tick alone. So a dream repeats
exactly, whatever else is dreamt beside it in the batch, and a copy of it at a tick dreams on as the
original does. The players of the training data draw from it too: what an arena plays does not
depend on how many there are, or on which device. The mixing is the game's own (`docs/rules.md`,
random).

The same lines run on arrays of numpy and on tensors: both wrap integers of 64 bits, of which 32 are
used.
"""

from __future__ import annotations

import math
from typing import Any

__all__ = ["frame_noise", "stream_keys", "uniform"]

WORD = 0xFFFFFFFF


def mix(h: Any) -> Any:
    """Return a hash of 32-bit words held in int64."""
    h = h ^ (h >> 16)
    h = h * 0x21F0AAAD & WORD
    h = h ^ (h >> 15)
    h = h * 0xD35A2D97 & WORD
    return h ^ (h >> 15)


def stream_keys(seed: Any, episode: Any, tick: Any) -> Any:
    """Return a 32-bit key for each dream's next frame, from int64 [B] arrays of a kind."""
    h = seed * 0
    for word in (seed & WORD, seed >> 32 & WORD, episode & WORD, tick & WORD):
        h = mix((h ^ word) + 0x9E3779B9 & WORD)
    return h


def uniform(keys: Any, site: int, xp: Any) -> Any:
    """Return a number from 0 to 1, float32 [B], for each key; another one for each site."""
    return _unit(mix((keys ^ mix(site + 0x9E3779B9 & WORD)) + 0x9E3779B9 & WORD), xp)


def frame_noise(keys: Any, index: Any, xp: Any) -> Any:
    """Return standard normal numbers, float32 [B, 2 * len(index)] (Box and Muller).

    Args:
        keys: int64 [B], from `stream_keys`.
        index: int64 [n], 0 to n - 1, on the same device.
        xp: The module of both: numpy or torch.
    """
    first = mix((keys[:, None] ^ mix(2 * index + 0x9E3779B9 & WORD)) + 0x9E3779B9 & WORD)
    second = mix((keys[:, None] ^ mix(2 * index + 1 + 0x9E3779B9 & WORD)) + 0x9E3779B9 & WORD)
    # 24 bits each are exact in float32; half a step keeps the logarithm from zero.
    radius = xp.sqrt(-2 * xp.log(_unit(first, xp)))
    angle = 2 * math.pi * _unit(second, xp)
    return xp.concatenate([radius * xp.cos(angle), radius * xp.sin(angle)], 1)


def _unit(bits: Any, xp: Any) -> Any:
    whole = xp.asarray(bits >> 8, dtype=xp.float32)
    return (whole + 0.5) * 2.0**-24
