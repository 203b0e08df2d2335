"""What has happened in a sitting: all of it as a recording, ten seconds of it to go back to."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mirage_env.runs import MAX_WAKES, WAKE, to_runs
from mirage_web.lanes import Moment
from mirage_web.wire import NO_ACTION, TICKS_PER_SECOND

__all__ = ["REWIND_STEPS", "Entry", "Timeline"]

REWIND_STEPS = 10 * TICKS_PER_SECOND


@dataclass(frozen=True, slots=True)
class Entry:
    """One step.

    Attributes:
        step: Its number; those of the opening are below 0.
        action: That led to it, or `NO_ACTION`.
        moments: One of each world; before step 0 of the game alone.
        done: How much of the recording led to it, wakes at this very step included.
    """

    step: int
    action: int
    moments: tuple[Moment, ...]
    done: int


class Timeline:
    """Steps up to the newest, and the one that is shown now.

    Attributes:
        now: The step that is shown.
    """

    def __init__(self, before: Sequence[Moment], moments: tuple[Moment, ...]) -> None:
        """Begin at step 0.

        Args:
            before: The game's opening without its last moment; empty where there is no game.
            moments: Step 0 of each world.
        """
        self._before = len(before)
        self._entries: deque[Entry] = deque(maxlen=len(before) + 1 + REWIND_STEPS)
        for i, moment in enumerate(before):
            action = 0 if i else NO_ACTION
            self._entries.append(Entry(i - len(before), action, (moment,), 0))
        self._entries.append(Entry(0, NO_ACTION, moments, 0))
        self._done = bytearray()
        self.now = self._entries[-1]

    @property
    def oldest(self) -> int:
        """The oldest step that can be shown: those that its dream would wake from are kept, too."""
        return self._entries[self._before].step

    @property
    def newest(self) -> int:
        """The newest step that can be shown."""
        return self._entries[-1].step

    def add(self, action: int, moments: tuple[Moment, ...]) -> None:
        """Go a step on by an action; what had been ahead of it is gone."""
        self._forget_what_is_ahead()
        self._done.append(action)
        self.now = Entry(self.now.step + 1, action, moments, len(self._done))
        self._entries.append(self.now)

    def wake(self, moments: tuple[Moment, ...]) -> None:
        """Replace this step's moments by those after a wake."""
        self._forget_what_is_ahead()
        self._done.append(WAKE)
        self.now = replace(self.now, moments=moments, done=len(self._done))
        self._entries[-1] = self.now

    @property
    def may_wake(self) -> bool:
        """Whether the recording has room for another wake."""
        return self._done[: self.now.done].count(WAKE) < MAX_WAKES

    def show(self, step: int) -> bool:
        """Go to a step; return whether it is kept."""
        if not self.oldest <= step <= self.newest:
            return False
        self.now = self._entries[step - self._entries[0].step]
        return True

    def last(self, count: int) -> list[Entry]:
        """Return the `count` entries up to the one shown now, the oldest first."""
        end = self.now.step - self._entries[0].step + 1
        return [self._entries[i] for i in range(end - count, end)]

    def runs(self) -> bytes:
        """Return what was done up to the step shown now, as runs (`mirage_env.runs`)."""
        return to_runs(bytes(self._done[: self.now.done]))

    def _forget_what_is_ahead(self) -> None:
        while self._entries[-1] is not self.now:
            self._entries.pop()
        del self._done[self.now.done :]
