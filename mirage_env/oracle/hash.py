"""A number for a state."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["hash_word", "state_hash"]


def hash_word(i: int, word: int) -> int:
    """Return 64 scrambled bits of the i-th word of a record."""
    z = (((i << 32) | word) + 0x9E3779B97F4A7C15) % 2**64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
    return z ^ (z >> 31)


def state_hash(record: Any) -> int:
    """Return the hash of a record of `ARENA_DTYPE`: the sum over its words, in any order."""
    words = np.frombuffer(record.tobytes(), "<u4").tolist()
    return sum(hash_word(i, word) for i, word in enumerate(words)) % 2**64
