"""From noise to a frame: the deterministic sampler of EDM (Karras et al. 2022, Algorithm 1).

It draws what chance has to decide; what is known without is taken from its first evaluation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from mirage_env import checks

__all__ = ["SIGMA_MAX", "Sampler"]

SIGMA_MAX = 5.0
"""The highest level of noise, where a frame is begun; pixels are from -1 to 1."""


@dataclass(frozen=True)
class Sampler:
    """How a frame is drawn.

    EDM's levels fall from `SIGMA_MAX` to 0.002 (Eq. 5). Here the first evaluation is not shown its
    noise, and what it gives is right where nothing is left to chance; what is, places of objects
    some pixels wide, is decided between one level at which noise looks as if it hid such an object
    (about 1) and one at which it hides none (about 0.2). The other evaluations fall between these.

    Attributes:
        steps: Levels of noise, and evaluations of the net (N).
        sigma_high: The second level.
        sigma_min: The last one, before none.
        rho: How much closer the low levels lie than the high ones.
        heun: Correct each step but the last by a second evaluation (Heun), not Euler's alone.
        decided: Mean square, around a pixel, of the difference between what is drawn and what the
            first evaluation says, up to which nothing has been left to chance there: then the first
            evaluation stands, which is more exact. Above twice that all is as drawn. 0: everywhere.
    """

    steps: int = 4
    sigma_high: float = 1.0
    sigma_min: float = 0.25
    rho: float = 7.0
    heun: bool = False
    decided: float = 0.005

    def __post_init__(self) -> None:
        """Raise `ValueError` for what is no way down."""
        checks.whole_number("steps", self.steps, 1, 64)
        if not 0 < self.sigma_min <= self.sigma_high < SIGMA_MAX:
            raise ValueError(
                f"sigma_min and sigma_high must rise from 0 to {SIGMA_MAX}, got {self.sigma_min} "
                f"and {self.sigma_high}"
            )
        if not self.decided >= 0:
            raise ValueError(f"decided must be at least 0, got {self.decided}")

    def levels(self) -> list[float]:
        """Return the levels sigma_0 = SIGMA_MAX, sigma_1 … sigma_(N-1), and sigma_N = 0."""
        high, low = self.sigma_high ** (1 / self.rho), self.sigma_min ** (1 / self.rho)
        n = self.steps - 1
        # A single level between the first and none lies in the middle.
        shares = [i / (n - 1) for i in range(n)] if n != 1 else [0.5]
        return [SIGMA_MAX, *((high + s * (low - high)) ** self.rho for s in shares), 0.0]

    def sample(self, denoise: Callable[[Any, float], Any], noise: Any) -> Any:
        """Return what the noise becomes.

        Args:
            denoise: D(x; sigma), the mean of what x may have been before noise of this level came
                to it.
            noise: Standard normal, of the shape of what is sampled; tensors and arrays alike.
        """
        levels, mean = self.levels(), None
        x = levels[0] * noise
        for sigma, lower in pairwise(levels):
            denoised = denoise(x, sigma)
            mean = denoised if mean is None else mean
            slope = (x - denoised) / sigma  # dx/dsigma (Eq. 3)
            following = x + (lower - sigma) * slope
            if self.heun and lower > 0:
                again = (following - denoise(following, lower)) / lower
                following = x + (lower - sigma) * (slope + again) / 2
            x = following
        if self.steps == 1 or not self.decided:
            return x
        off = x - mean
        square = _around(_around((off * off).mean(1)).swapaxes(-1, -2)).swapaxes(-1, -2)
        return mean + (square / self.decided - 1).clip(0, 1)[:, None] * off


def _around(a: Any) -> Any:
    """Return the mean of five neighbours along the last axis of a torus."""
    total = a * 1
    for k in (1, 2):
        total[..., k:] += a[..., :-k]
        total[..., :k] += a[..., -k:]
        total[..., :-k] += a[..., k:]
        total[..., -k:] += a[..., :k]
    return total / 5
