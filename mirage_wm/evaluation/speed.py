"""How fast a model dreams, through the same steps that it is measured by."""

from __future__ import annotations

import time

import numpy as np

from mirage_wm.evaluation.plays import openings
from mirage_wm.evaluation.worlds import Dreamer

__all__ = ["TOGETHER", "frames_per_second"]

TOGETHER = (1, 256)
"""Dreams at a time."""
WARM_UP = 3
ROUNDS = 5


def frames_per_second(dreamer: Dreamer, seconds: float = 1.0) -> dict[str, float]:
    """Return the frames a second by the number of dreams that are stepped together.

    A step has every evaluation of the net, reward, ending and picture, and waits for them. It is
    the median of some turns, for `seconds` in all.
    """
    found = {}
    for n in TOGETHER:
        one = Dreamer(dreamer.predictor)
        one.begin(openings(n, dreamer.predictor.card.learned_rules()))
        keys = np.zeros(n, np.int64)
        for _ in range(WARM_UP):
            one.step(keys)
        rates = []
        for _ in range(ROUNDS):
            began, steps = time.perf_counter(), 0
            while not steps or time.perf_counter() - began < seconds / ROUNDS:
                one.step(keys).frames[:, 0, 0].cpu()
                steps += 1
            rates.append(steps * n / (time.perf_counter() - began))
        found[str(n)] = float(np.median(rates))
    return found
