"""What a server allows: how much, how fast, how long."""

from __future__ import annotations

from dataclasses import dataclass

from mirage_web.protocol import ClientMessage, Record, Reset, Start

__all__ = ["Allowance", "Limits", "cost"]

COSTLY = (Start, Reset, Record)
COST = 10


@dataclass(frozen=True)
class Limits:
    """The limits of a server.

    Attributes:
        games: Players in mode real at the same time.
        dreams: Players in the modes dream and both at the same time.
        waiting: Players in the queue.
        per_address: Connections from one address.
        messages_per_second: That a client may send in the long run; as many at once. Some count as
            `COST` (see `cost`).
        start_seconds: Within which a client must say what it wants to play.
        stalled_seconds: After which a client that acknowledges nothing is paused.
        idle_pause: Seconds without a key after which a sitting is paused.
        idle_close: Seconds without a key after which a connection is closed.
    """

    games: int = 64
    dreams: int = 1
    waiting: int = 64
    per_address: int = 8
    messages_per_second: int = 90
    start_seconds: float = 10.0
    stalled_seconds: float = 10.0
    idle_pause: int = 60
    idle_close: int = 600

    @property
    def connections(self) -> int:
        """How many there can be together."""
        return self.games + self.dreams + self.waiting


class Allowance:
    """Messages that a client may still send: filled evenly, up to what a second brings."""

    def __init__(self, per_second: int, now: float) -> None:
        """Begin with a second's worth."""
        self._per_second = self._left = float(per_second)
        self._at = now

    def take(self, count: int, now: float) -> bool:
        """Take so many, at a time in seconds; return whether they were left."""
        filled = self._left + (now - self._at) * self._per_second
        self._left, self._at = min(self._per_second, filled) - count, now
        return self._left >= 0


def cost(message: ClientMessage) -> int:
    """Return as how many messages one counts: those that make work for the engine as `COST`."""
    return COST if isinstance(message, COSTLY) else 1
