"""How near a predicted picture is to the real one: PSNR, and the two means of it that reports name.

Pictures are compared as the player sees them, rounded to uint8. A picture predicted exactly would
have an infinite PSNR; no error is counted as less than that of rounding, 1/12 of a level squared,
so that the best there is are 58.9 dB.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["BEST_PSNR", "Score", "frame_errors", "psnr", "score"]

ROUNDING = 1 / 12
BEST_PSNR = float(10 * np.log10(255**2 / ROUNDING))
"""58.9 dB."""


class Score(NamedTuple):
    """What n predicted frames are worth.

    Attributes:
        mean_psnr: Mean of the PSNR of each frame, dB: how a usual frame looks.
        psnr_of_mean: PSNR of the mean squared error over all frames, dB ("mMSE"): rare large errors
            decide it.
        mean_psnr_ci: Half the width of the 95 % interval of `mean_psnr` over the n frames, dB.
        psnr_of_mean_ci: The 95 % interval of `psnr_of_mean` by bootstrap, dB.
        n: Frames, each from an arena of its own.
    """

    mean_psnr: float
    psnr_of_mean: float
    mean_psnr_ci: float
    psnr_of_mean_ci: tuple[float, float]
    n: int


def frame_errors(frames: Tensor, wanted: Tensor) -> Tensor:
    """Return mean squared errors in levels squared; uint8 [..., H, W, 3] twice -> float [...]."""
    return torch.stack(
        [
            (a.float() - b.float()).square().mean((-3, -2, -1))
            for a, b in zip(frames, wanted, strict=True)
        ]
    )


def psnr(errors: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the PSNR in dB of mean squared errors in levels squared."""
    return 10 * np.log10(255**2 / np.maximum(np.asarray(errors, np.float64), ROUNDING))


def score(errors: NDArray[np.floating]) -> Score:
    """Return the figures of n frames from their mean squared errors [n]."""
    errors = np.asarray(errors, np.float64)
    n, each = len(errors), psnr(errors)
    draws = np.random.default_rng(0).integers(0, n, (400, n))
    low, high = np.percentile(psnr(errors[draws].mean(1)), [2.5, 97.5])
    half = 1.96 * float(each.std(ddof=1)) / n**0.5 if n > 1 else float("inf")
    return Score(float(each.mean()), float(psnr(errors.mean())), half, (float(low), float(high)), n)
