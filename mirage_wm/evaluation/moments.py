"""What happens on the way from one frame to the next: one word for each step of the game."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from mirage_env.arena import Arenas
from mirage_env.rules import Rules

__all__ = ["Moment", "classify"]


class Moment(IntEnum):
    """Kinds of steps. Of those that fit, a step is the last of this list."""

    PLAIN = 0
    """Everything moves, nothing else."""
    WRAP = 1
    """The middle of an object goes over an edge."""
    FIRE = 2
    """A bullet is shot."""
    SMALL = 3
    """A small rock dies."""
    MEDIUM = 4
    """A medium rock splits."""
    LARGE = 5
    """A large rock splits."""
    RETURN = 6
    """The ship comes back."""
    DEATH = 7
    """The ship dies."""
    WAVE = 8
    """A wave is announced."""
    END = 9
    """The episode ends."""


BULLET_TICKS = Rules().bullet_ticks


def classify(before: Arenas, after: Arenas, terminated: NDArray[np.bool_]) -> NDArray[np.int8]:
    """Return the moment of each step, int8 [n], from the states around it.

    Args:
        before: Records [n].
        after: Records [n], a step later and of the same episode.
        terminated: bool [n], came with the step.
    """

    def fewer(size: int) -> NDArray[np.bool_]:
        count, rest = ((a["rock_size"] == size).sum(1) for a in (before, after))
        return rest < count

    exploding = before["dying"] > 0
    happened = {
        Moment.WRAP: wrapped(before, after),
        Moment.FIRE: (after["bullet_life"] == BULLET_TICKS).any(1),
        Moment.SMALL: fewer(1),
        Moment.MEDIUM: fewer(2),
        Moment.LARGE: fewer(3),
        Moment.RETURN: exploding & (after["dying"] == 0) & ~terminated,
        Moment.DEATH: ~exploding & (after["dying"] > 0),
        Moment.WAVE: before["wave"] != after["wave"],
        Moment.END: terminated,
    }
    moments = np.full(len(before), Moment.PLAIN, np.int8)
    for moment, where in happened.items():
        moments[where] = moment
    return moments


def wrapped(before: Arenas, after: Arenas) -> NDArray[np.bool_]:
    """Return where an object that is there before and after has gone over an edge, bool [n]."""
    crossed = np.zeros(len(before), bool)
    there = {"ship": np.ones((len(before), 1), bool)}
    for name, slot in (("rock", "rock_size"), ("bullet", "bullet_life")):
        there[name] = (before[slot] > 0) & (after[slot] > 0)
    for name, here in there.items():
        for axis in "xy":
            a, b = (s[f"{name}_{axis}"].reshape(len(before), -1) for s in (before, after))
            forward = (b - a).view(np.int32) >= 0
            crossed |= (here & (forward != (b >= a))).any(1)
    return crossed
