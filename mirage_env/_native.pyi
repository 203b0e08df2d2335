"""The extension built from ``cuda/native.cpp``: see there. All arrays are contiguous."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

RULES_VERSION: int

def layout() -> list[tuple[str, int, int]]: ...

class Native:
    def __init__(
        self,
        arenas: NDArray[np.uint8],
        final_arenas: NDArray[np.uint8],
        tuning: NDArray[np.int32],
        reward: NDArray[np.int32],
        terminated: NDArray[np.bool_],
        truncated: NDArray[np.bool_],
        begun: NDArray[np.bool_],
        frame_skip: int,
        max_ticks: int,
        autoreset: int,
        num_threads: int,
        /,
    ) -> None: ...
    def reset(self, seeds: NDArray[np.uint64] | None, mask: NDArray[np.bool_] | None) -> None: ...
    def step(self, actions: NDArray[np.int32], frames: NDArray[np.uint8] | None) -> None: ...
    def render(
        self, frames: NDArray[np.uint8], indices: NDArray[Any] | None, final_state: bool
    ) -> None: ...
    def hash(self, out: NDArray[np.uint64]) -> None: ...
