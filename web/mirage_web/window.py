"""How many frames may be on the way to a client: as many as its line holds, and one more."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from mirage_web.wire import TICKS_PER_SECOND

__all__ = ["LEAST", "MOST", "REMEMBERED", "Window"]

LEAST, MOST = 2, 8
"""Frames that may be on the way at least, and at most."""
REMEMBERED = 10.0
"""Seconds for which what was measured counts."""
SLACK = 0.25
"""Of a frame; so that a line that holds just a frame is not taken to hold two."""


@dataclass(frozen=True, slots=True)
class _Sent:
    """A frame on the way.

    Attributes:
        serial: Its number.
        when: It was sent, s.
        arrived: How many frames had arrived by then.
        alone: Whether no other was on the way.
    """

    serial: int
    when: float
    arrived: int
    alone: bool


class _Least:
    """The least of what was measured lately."""

    def __init__(self) -> None:
        self._measured: deque[tuple[float, float]] = deque()  # later ones are larger

    def add(self, value: float, now: float) -> None:
        while self._measured and self._measured[-1][1] >= value:
            self._measured.pop()
        self._measured.append((now, value))

    def get(self, now: float) -> float | None:
        while self._measured and now - self._measured[0][0] > REMEMBERED:
            self._measured.popleft()
        return self._measured[0][1] if self._measured else None


class Window:
    """The frames on the way to one client.

    A line holds as many frames as it delivers in the time that one takes; one more is there while
    the client draws. Whatever is sent beyond that waits somewhere and is old when it is seen. The
    time is that of frames that had the line for themselves, as others have waited behind frames;
    where none had lately, the next one has. (That a line's time and its rate are measured, each
    when the other does not hide it, is the idea of the congestion control BBR: Cardwell et al.,
    2016.)
    """

    def __init__(self) -> None:
        """Nothing is on the way, and nothing is known of the line."""
        self._on_the_way: deque[_Sent] = deque()
        self._arrived = 0
        self._seconds = _Least()  # from sending to acknowledgement, of frames that were alone
        self._spacing = _Least()  # seconds from one arrival to the next

    def size(self, now: float) -> int:
        """Return how many frames may be on the way at a time in seconds."""
        seconds, spacing = self._seconds.get(now), self._spacing.get(now)
        if seconds is None or spacing is None:
            return 1 if self._arrived else LEAST
        held = seconds / max(spacing, 1 / TICKS_PER_SECOND)
        return min(max(1 + math.ceil(held - SLACK), LEAST), MOST)

    def open(self, now: float) -> bool:
        """Return whether another frame may be sent."""
        return len(self._on_the_way) < self.size(now)

    @property
    def waiting_since(self) -> float | None:
        """When the oldest frame on the way was sent; None if there is none."""
        return self._on_the_way[0].when if self._on_the_way else None

    def sent(self, serial: int, now: float) -> None:
        """A frame has been sent."""
        self._on_the_way.append(_Sent(serial, now, self._arrived, not self._on_the_way))

    def acknowledged(self, serial: int, now: float) -> None:
        """The client is done with a frame and all before it; what was never sent is no matter."""
        if all(serial != frame.serial for frame in self._on_the_way):
            return
        while True:
            frame = self._on_the_way.popleft()
            self._arrived += 1
            if frame.serial == serial:
                break
        seconds = now - frame.when
        self._spacing.add(seconds / (self._arrived - frame.arrived), now)
        if frame.alone:
            self._seconds.add(seconds, now)
