"""The arithmetic of the machine: integers that wrap at 32 bits, floats rounded to 32 bits."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["f32", "i32", "trunc", "u32"]

f32: Any = np.float32
"""A float32 scalar. Operations among float32 alone, scalars or arrays, each round to float32."""


def u32(value: int) -> int:
    """Return `value` as a uint32: modulo 2**32."""
    return value & 0xFFFFFFFF


def i32(value: int) -> int:
    """Return `value` as an int32: modulo 2**32, from -2**31 to 2**31 - 1."""
    return ((value + 0x80000000) & 0xFFFFFFFF) - 0x80000000


def trunc(value: Any) -> Any:
    """Return floats, a scalar or an array, as integers without their fraction."""
    return np.trunc(value).astype(np.int64)
