"""How many frames may be on the way to a client: enough for its line, and too few to queue up."""

from __future__ import annotations

import math
from collections import deque

from mirage_web.wire import TICKS_PER_SECOND

__all__ = ["LEAST", "MOST", "Window"]

LEAST, MOST = 2, 8
"""Frames that may be on the way at least, and at most."""
REMEMBERED = 10 * TICKS_PER_SECOND
"""The round trip is the least of so many frames."""


class Window:
    """The frames on the way to one client.

    Of the times from sending to acknowledgement the least is the line's own: longer ones have
    waited behind other frames. In that time the game makes so many frames, and one more is being
    drawn; more on the way would wait somewhere, and be old when they are seen.
    """

    def __init__(self) -> None:
        """Nothing is on the way."""
        self._on_the_way: deque[tuple[int, float]] = deque()
        self._times: deque[float] = deque(maxlen=REMEMBERED)

    @property
    def size(self) -> int:
        """How many frames may be on the way."""
        least = min(self._times, default=0.0)
        return min(max(1 + math.ceil(least * TICKS_PER_SECOND), LEAST), MOST)

    @property
    def open(self) -> bool:
        """Whether another frame may be sent."""
        return len(self._on_the_way) < self.size

    @property
    def waiting_since(self) -> float | None:
        """When the oldest frame on the way was sent; None if there is none."""
        return self._on_the_way[0][1] if self._on_the_way else None

    def sent(self, serial: int, now: float) -> None:
        """A frame has been sent at a time in seconds."""
        self._on_the_way.append((serial, now))

    def acknowledged(self, serial: int, now: float) -> None:
        """The client is done with a frame and all before it; what was never sent is no matter."""
        if all(serial != known for known, _ in self._on_the_way):
            return
        while True:
            known, when = self._on_the_way.popleft()
            if known == serial:
                self._times.append(now - when)
                return
