"""An even rate for a loop: the window's, and the server's."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

__all__ = ["Pace"]


class Pace:
    """Keeps a loop at an even rate.

    Attributes:
        rate: Turns a second, as measured over the last second.
    """

    def __init__(
        self,
        per_second: int,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Begin now."""
        self._period = 1 / per_second
        self._clock, self._sleep = clock, sleep
        self._due = clock() + self._period
        self._turns: deque[float] = deque([clock()], maxlen=per_second + 1)

    def wait(self) -> None:
        """Wait until the next turn is due; after a long halt, do not hurry to catch up."""
        now = self._clock()
        if now < self._due:
            self._sleep(self._due - now)
        elif now > self._due + 4 * self._period:
            self._due = now
        self._due += self._period
        self._turns.append(self._clock())

    @property
    def rate(self) -> float:
        """Turns a second."""
        span = self._turns[-1] - self._turns[0]
        return (len(self._turns) - 1) / span if span > 0 else 0.0
