"""Who plays and who waits: so many places of each kind, first come, first served."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

__all__ = ["FullError", "Places"]

Who = TypeVar("Who", bound=Hashable)


class FullError(Exception):
    """Neither a place nor room in the queue is left."""


class Places(Generic[Who]):
    """The places of a server.

    Example:
        >>> places = Places({"dream": 1}, waiting=1)
        >>> places.ask("Ada", "dream"), places.ask("Bob", "dream")
        (True, False)
        >>> places.position("Bob")
        (1, 1)
        >>> places.leave("Ada")
        >>> places.admit()
        ['Bob']
    """

    def __init__(self, places: Mapping[str, int], waiting: int) -> None:
        """Nobody plays.

        Args:
            places: How many there are, by kind.
            waiting: How many may wait, for all kinds together.
        """
        self._places, self._room = dict(places), waiting
        self._playing: dict[Who, str] = {}
        self._queue: dict[Who, str] = {}  # in the order of coming

    @property
    def playing(self) -> int:
        """How many play."""
        return len(self._playing)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._queue)

    def ask(self, who: Who, kind: str) -> bool:
        """Give up what `who` has and ask for a place; return whether there is one at once.

        Raises:
            FullError: If there is none and nobody else may wait; `who` then has nothing.
        """
        if self._playing.get(who) == kind:
            return True
        self.leave(who)
        if self._free(kind) and kind not in self._queue.values():
            self._playing[who] = kind
            return True
        if len(self._queue) >= self._room:
            raise FullError
        self._queue[who] = kind
        return False

    def leave(self, who: Who) -> None:
        """Give up a place, or the queue."""
        self._playing.pop(who, None)
        self._queue.pop(who, None)

    def admit(self) -> list[Who]:
        """Let those who wait have the places that are free; return them."""
        admitted = []
        for who, kind in list(self._queue.items()):
            if self._free(kind):
                del self._queue[who]
                self._playing[who] = kind
                admitted.append(who)
        return admitted

    def position(self, who: Who) -> tuple[int, int]:
        """Return where `who` waits, 1 for next, and how many wait for the same kind."""
        kind = self._queue[who]
        same = [other for other, wanted in self._queue.items() if wanted == kind]
        return same.index(who) + 1, len(same)

    def queue(self) -> list[Who]:
        """Return those who wait, in order."""
        return list(self._queue)

    def _free(self, kind: str) -> int:
        return self._places[kind] - sum(taken == kind for taken in self._playing.values())
