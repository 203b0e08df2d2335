"""The extension built from ``mirage_wm/native/``: see there. All arrays are contiguous."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

class Net:
    def __init__(
        self,
        weights: dict[str, NDArray[np.float32]],
        edge: int,
        frames: int,
        extra: int,
        widths: Sequence[int],
        blocks: int,
        embedding: int,
        told: int,
        kernels: int,
        num_threads: int,
        instructions: Literal["auto", "v4", "v3", "plain"] = "auto",
    ) -> None: ...
    def run(
        self,
        seen: NDArray[np.uint8],
        more: NDArray[np.float32] | None,
        condition: NDArray[np.float32],
        pictures: NDArray[np.float32],
        told: NDArray[np.float32],
    ) -> None: ...
