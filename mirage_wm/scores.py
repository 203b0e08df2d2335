"""Figures and how sure they are: PSNR and the two means of it that reports name, shares, medians.

Pictures are compared as the player sees them, rounded to uint8. A picture predicted exactly would
have an infinite PSNR; no error is counted as less than that of rounding, 1/12 of a level squared,
so that the best there is are 58.9 dB.

Intervals are of 95 %. Those of shares are Wilson's; those of other figures come from a bootstrap
over what is independent, that is over arenas and not over the frames of one. One sample says
nothing of how samples differ: but for shares it has no interval, and its ends are NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

__all__ = [
    "BEST_PSNR",
    "Estimate",
    "Rate",
    "Score",
    "estimate",
    "frame_errors",
    "psnr",
    "rate",
    "ratio",
    "resampled",
    "score",
    "scores",
    "share",
]

ROUNDING = 1 / 12
BEST_PSNR = float(10 * np.log10(255**2 / ROUNDING))
"""58.9 dB."""

DRAWS = 400
"""Of a bootstrap."""
Z = 1.959964
"""So many standard deviations to both sides hold 95 % of a normal distribution."""


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


class Rate(NamedTuple):
    """How often something was so.

    Attributes:
        rate: Share of n.
        low: Lower end of the interval by Wilson (1927).
        high: Upper end.
        passed: How often.
        n: Of how many.
    """

    rate: float
    low: float
    high: float
    passed: int
    n: int


class Estimate(NamedTuple):
    """A figure and its interval by bootstrap.

    Attributes:
        value: The figure.
        low: Lower end of the interval.
        high: Upper end.
        n: Independent samples.
    """

    value: float
    low: float
    high: float
    n: int


def frame_errors(frames: Tensor, wanted: Tensor) -> Tensor:
    """Return mean squared errors in levels squared; uint8 [..., H, W, 3] twice -> float [...]."""
    # int16 holds every difference, and its squares are summed exactly as float32 up to 2**24.
    difference = frames.short() - wanted.short()
    return difference.float().square_().mean((-3, -2, -1))


def psnr(errors: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the PSNR in dB of mean squared errors in levels squared."""
    return 10 * np.log10(255**2 / np.maximum(np.asarray(errors, np.float64), ROUNDING))


def score(errors: NDArray[np.floating]) -> Score:
    """Return the figures of n frames from their mean squared errors [n]."""
    return scores(np.asarray(errors)[:, None])[0]


def scores(errors: NDArray[np.floating]) -> list[Score]:
    """Return the figures of each column of mean squared errors [n, columns].

    With a third dimension, of several predictions for the same frame, these are averaged.
    """
    errors = np.asarray(errors, np.float64)
    if errors.ndim == 2:
        errors = errors[..., None]
    n = len(errors)
    each, squared = psnr(errors).mean(2), errors.mean(2)
    low = high = half = np.full(each.shape[1], np.nan)
    if n > 1:
        low, high = np.percentile(psnr(resampled(n) @ squared), [2.5, 97.5], axis=0)
        half = Z * each.std(0, ddof=1) / n**0.5
    whole = psnr(squared.mean(0))
    return [
        Score(float(m), float(w), float(h), (float(a), float(b)), n)
        for m, w, h, a, b in zip(each.mean(0), whole, half, low, high, strict=True)
    ]


def rate(passed: Any) -> Rate:
    """Return how often, of bool [n], and between what it lies by Wilson's interval.

    Example:
        >>> [round(x, 4) for x in rate([True] * 8 + [False] * 2)[:3]]
        [0.8, 0.4902, 0.9433]
    """
    passed = np.asarray(passed, bool)
    return share(int(passed.sum()), passed.size)


def share(k: int, n: int) -> Rate:
    """Return the share k of n with its interval, as `rate` does."""
    if n == 0:
        return Rate(float("nan"), 0.0, 1.0, 0, 0)
    p, z2 = k / n, Z * Z
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z / (1 + z2 / n) * (p * (1 - p) / n + z2 / (4 * n * n)) ** 0.5
    # At the ends the formula gives 0 and 1, but for the rounding.
    return Rate(p, max(middle - half, 0.0) if k else 0.0, middle + half if k < n else 1.0, k, n)


def estimate(
    samples: NDArray[Any], figure: Callable[[NDArray[Any]], Any] | None = None
) -> Estimate:
    """Return a figure of samples [n, ...], the mean by default, with its interval by bootstrap.

    Args:
        samples: Independent along the first axis.
        figure: Takes samples [n, ...] and returns a number.
    """
    samples = np.asarray(samples, np.float64)
    figure = figure or (lambda drawn: drawn.mean())
    n = len(samples)
    if n == 0:
        return Estimate(float("nan"), float("nan"), float("nan"), 0)
    if n == 1:
        return Estimate(float(figure(samples)), float("nan"), float("nan"), 1)
    draws = np.random.default_rng(0).integers(0, n, (DRAWS, n))
    drawn = np.array([figure(samples[rows]) for rows in draws])
    drawn = drawn[~np.isnan(drawn)]  # Draws without what is asked for.
    low, high = np.percentile(drawn, [2.5, 97.5]) if len(drawn) else (np.nan, np.nan)
    return Estimate(float(figure(samples)), float(low), float(high), n)


def ratio(a: NDArray[Any], b: NDArray[Any], *, paired: bool = False) -> Estimate:
    """Return the ratio of the means of two samples [n] and [m], with its interval.

    Args:
        a: Samples.
        b: Samples, independent of those or, `paired`, one for each of them.
        paired: Whether they are drawn together.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if not len(a) or not len(b) or b.mean() == 0:
        return Estimate(float("nan"), float("nan"), float("nan"), len(a))
    value = float(a.mean() / b.mean())
    if len(a) == 1 or len(b) == 1:
        return Estimate(value, float("nan"), float("nan"), len(a))
    above, below = resampled(len(a)) @ a, resampled(len(b), seed=0 if paired else 1) @ b
    low, high = np.percentile(above[below != 0] / below[below != 0], [2.5, 97.5])
    return Estimate(value, float(low), float(high), len(a))


def resampled(n: int, seed: int = 0) -> NDArray[np.float64]:
    """Return the weights of n samples in each draw of a bootstrap, [DRAWS, n]."""
    return np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), DRAWS) / n
