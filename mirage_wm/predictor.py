"""What runs a model, seen from outside, and what all that run one share."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mirage_wm.noise import stream_keys
from mirage_wm.sampler import Sampler
from mirage_wm.weights import Card

__all__ = ["FRAME", "SHAPE", "Keys", "Predictor", "sampler_of"]

SHAPE = (3, 64, 64)
"""Of a frame and its noise: channels, height, width."""
FRAME = SHAPE[0] * SHAPE[1] * SHAPE[2]


class Predictor(Protocol):
    """Predicts one step of n dreams. Frames stay where it computes, in arrays of its own kind.

    Attributes:
        card: Of the weights.
        context: Frames, and actions, that it sees.
    """

    card: Card
    context: int

    def take(self, frames: NDArray[np.uint8]) -> Any:
        """Return frames from the host as an array of its own kind."""
        ...

    def give(self, frames: Any) -> NDArray[np.uint8]:
        """Return frames of its own kind as an array of the host."""
        ...

    def append(self, seen: Any, frames: Any) -> Any:
        """Return seen [n, context, ...] without the oldest and with the newest frames [n, ...]."""
        ...

    def predict(
        self, seen: Any, actions: NDArray[np.int64], keys: NDArray[np.int64] | None = None
    ) -> tuple[Any, NDArray[np.int32], NDArray[np.bool_]]:
        """Return the next frames, the likeliest rewards, and which dreams end (`ENDS`).

        Args:
            seen: Frames [n, context, ...].
            actions: int64 [n, context].
            keys: int64 [n], what decides the noise where a model draws (`mirage_wm.noise`); None
                takes others at each call, and the same again with a new predictor.
        """
        ...


class Keys:
    """Keys of noise for whoever has no dreams with seeds and ticks."""

    def __init__(self) -> None:
        self._calls = 0

    def following(self, n: int) -> NDArray[np.int64]:
        """Return n keys, others at each call."""
        self._calls += 1
        return stream_keys(np.arange(n), np.zeros(n, np.int64), np.full(n, self._calls))


def sampler_of(card: Card, steps: int | None) -> Sampler | None:
    """Return how a model draws its frames, or None if it does not.

    Raises:
        ValueError: If it does not and more than one step is asked for.
    """
    if card.kind == "diffusion":
        return Sampler() if steps is None else Sampler(steps=steps)
    if steps not in (None, 1):
        raise ValueError(
            f"steps must be None or 1: {card.name} is no diffusion model and takes one evaluation "
            f"a frame, got {steps!r}"
        )
    return None
