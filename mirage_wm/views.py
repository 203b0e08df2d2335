"""Several looks at the same picture, of which the mean is taken.

A net takes each 2x2 pixels together, and again, from level to level: a world that is shifted by
whole cells of its lowest level it sees with the same eyes, one that is shifted by a pixel with
others. The game has no special place, so either way the net is wrong as often, but in other ways,
and the mean is nearer to the truth than each. Each further look costs an evaluation. A diffusion
model takes its first evaluation so, of what is not left to chance; what it draws is drawn once.

Measured of v1 on 96 held-out films, in 1, 2 and 4 views: 43.80, 44.27 and 44.49 dB one step, 30.64,
31.30 and 31.57 dB at the tenth frame of a dream. By shifts that are multiples of four there is
nothing to be gained (43.83, 30.71), and eight views give no more than four.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mirage_env import checks

__all__ = ["SHIFTS", "checked_views", "mean_of_views"]

SHIFTS = ((0, 0), (3, 2), (6, 5), (5, 7))
"""Of each view, in pixels down and right: every parity once, and no two alike modulo four."""


def checked_views(views: int | None) -> int:
    """Return a number of views, one for None, or raise `ValueError`."""
    return 1 if views is None else checks.whole_number("views", views, 1, len(SHIFTS))


def mean_of_views(
    xp: Any,
    views: int,
    evaluate: Callable[[Any, Any], Any],
    seen: Any,
    actions: Any,
    seen_axes: tuple[int, int] = (-2, -1),
    told_axes: tuple[int, int] = (-2, -1),
) -> tuple[Any, ...]:
    """Return what a net makes of pictures, on average over views of them.

    Args:
        xp: numpy or torch, of which the arrays are.
        views: How many, 1 to 4.
        evaluate: Takes pictures and actions; returns a picture for each, and what else it tells.
        seen: Pictures [n, ...].
        actions: [n, ...].
        seen_axes: Those of height and width of `seen`.
        told_axes: Those of the pictures that come out of it.
    """
    if views == 1:
        return tuple(evaluate(seen, actions))
    n, shifts = len(seen), SHIFTS[:views]
    picture, *told = evaluate(
        xp.concatenate([xp.roll(seen, shift, seen_axes) for shift in shifts]),
        xp.concatenate([actions] * views),
    )
    looks = (
        xp.roll(picture[i * n : (i + 1) * n], (-down, -right), told_axes)
        for i, (down, right) in enumerate(shifts)
    )
    return sum(looks) / views, *(part.reshape(views, n, *part.shape[1:]).mean(0) for part in told)
