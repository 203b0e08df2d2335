"""One player's game: what is asked of it, and what it does about that at the next tick.

No thread, no clock and no socket in here: `mirage_web.engine` steps the worlds of all sittings
together and tells each what came of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from mirage_env.likeness import psnr
from mirage_env.runs import WAKE
from mirage_web.lanes import DreamLanes, Lanes, Moment, Pictures
from mirage_web.protocol import (
    Begin,
    ClientMessage,
    Frame,
    Keys,
    Notice,
    Pause,
    Record,
    Recording,
    Reset,
    Rewind,
    ServerMessage,
    Start,
    Step,
    Wake,
    WorldFrame,
)
from mirage_web.timeline import Timeline
from mirage_web.wire import UNKNOWN, Mode, NoticeCode, State

__all__ = ["MAX_PLANNED", "Held", "Sitting", "TooManyStepsError"]

MAX_PLANNED = 256
"""Steps and wakes that may wait for their tick."""

WORLDS = {
    Mode.REAL: (Mode.REAL,),
    Mode.DREAM: (Mode.DREAM,),
    Mode.BOTH: (Mode.REAL, Mode.DREAM),
}
"""The worlds of each mode, in the order of a frame."""


class TooManyStepsError(ValueError):
    """More steps wait than may; the client is wrong."""


class Held:
    """The keys that are down, and those tapped since the last tick.

    As in `mirage_env.play.controls`, a key that was pressed and let go between two ticks counts for
    the next one, and of two turns the one pressed last wins.
    """

    def __init__(self) -> None:
        """Nothing is held."""
        self._turn = self._buttons = 0
        self.forget_taps()

    def press(self, action: int) -> None:
        """Take note of the keys that are down from now on."""
        turn, buttons = divmod(action, 4)
        self._tapped |= buttons & ~self._buttons
        if turn and turn != self._turn:
            self._turned = turn
        self._turn, self._buttons = turn, buttons

    def take(self) -> int:
        """Return the action of this tick."""
        action = (self._turn or self._turned) * 4 + (self._buttons | self._tapped)
        self.forget_taps()
        return action

    def forget_taps(self) -> None:
        """Let only what is down count."""
        self._turned = self._tapped = 0


class Sitting:
    """A player's game, from the first `start` on.

    Attributes:
        mode: Which worlds.
        model: Name of the model, or an empty text.
        lanes: That step its worlds, in the order of `Frame`.
        timeline: What has happened since it began.
        generation: One more whenever what is shown does not follow from what was.
        halt: Why no tick is played, but for the ending of all worlds.
        changed: Whether there is something to show that no frame has shown.
    """

    mode: Mode
    model: str
    lanes: tuple[Lanes, ...]
    timeline: Timeline

    def __init__(self) -> None:
        """Nothing is played yet."""
        self.generation = 0
        self.halt = State.RUNNING
        self.changed = self._jumped = False
        self._held = Held()
        self._heard = self._sequence = 0  # the newest that came, the newest that took part
        self._planned: deque[tuple[int, int]] = deque()
        self._serial = 0

    # What is asked

    def start(self, asked: Start, lanes: Sequence[Lanes]) -> Begin:
        """Begin what was asked for, in these lanes; return what to say."""
        self.mode, self.model, self.lanes = Mode(asked.mode), asked.model, tuple(lanes)
        self._held = Held()
        return self._begin(asked.seed, asked.paused)

    def obey(self, message: ClientMessage) -> ServerMessage | None:
        """Do, or plan, what a client asks; return what to say to that.

        Raises:
            TooManyStepsError: If more steps are to wait than may.
        """
        match message:
            case Keys(action=action, sequence=sequence):
                self._held.press(action)
                self._heard = sequence
            case Pause(paused=paused):
                self.stop(State.PAUSED) if paused else self._go_on()
            case Step(action=action, sequence=sequence):
                self._become(State.PAUSED)
                self._plan(action, sequence)
            case Wake() if self._planned:
                self._plan(WAKE, self._sequence)
            case Wake():
                return self._wake()
            case Reset(seed=seed, paused=paused):
                return self._begin(seed, paused)
            case Rewind(step=step):
                return self._rewind(step)
            case Record():
                now, runs = self.timeline.now, self.timeline.runs()
                return Recording(steps=now.step, generation=self.generation, runs=runs)
        return None

    def stop(self, why: State) -> None:
        """Play no more ticks, neither by the keys nor those that wait."""
        self._planned.clear()
        self._become(why)

    def _go_on(self) -> None:
        self._planned.clear()
        self._held.forget_taps()  # those of the time when nothing was played
        self._become(State.RUNNING)

    def _become(self, state: State) -> None:
        self.changed |= state != self.halt
        self.halt = state

    def _plan(self, what: int, sequence: int) -> None:
        if len(self._planned) >= MAX_PLANNED:
            raise TooManyStepsError(f"more than {MAX_PLANNED} steps are waiting to be played")
        self._planned.append((what, sequence))

    def _begin(self, seed: int, paused: bool) -> Begin:
        *before, first = self.lanes[0].begin(seed)
        rest = [lanes.begin(seed)[-1] for lanes in self.lanes[1:]]
        self.timeline = Timeline(before, (first, *rest))
        self._planned.clear()
        self._held.forget_taps()
        self.halt = State.PAUSED if paused else State.RUNNING
        self._jump()
        return Begin(
            mode=self.mode,
            paused=paused,
            generation=self.generation,
            seed=seed,
            model=self.model,
        )

    def _rewind(self, step: int) -> Notice | None:
        if not self.timeline.show(step):
            return self._notice(NoticeCode.STEP_NOT_KEPT)
        self._planned.clear()
        self._jump()
        return None

    def _wake(self) -> Notice | None:
        """Let the dream go on from what the game has shown last."""
        if self.mode != Mode.BOTH or self.moments[0].ended or not self.timeline.may_wake:
            return self._notice(NoticeCode.NOTHING_TO_WAKE)
        game, dream = self.lanes
        assert isinstance(dream, DreamLanes)
        seen = self.timeline.last(dream.opening)
        pictures = game.pictures([entry.moments[0] for entry in seen])
        actions = [0 if entry.step <= 0 else entry.action for entry in seen[1:]]
        awake = dream.wake(self.moments[1], pictures, actions)
        self.timeline.wake((self.moments[0], awake))
        self._jump()
        return None

    def _notice(self, code: NoticeCode) -> Notice:
        return Notice(code=code, step=self.timeline.now.step)

    def _jump(self) -> None:
        self.generation = (self.generation + 1) % 2**16
        self.changed = self._jumped = True

    # What is played

    @property
    def moments(self) -> tuple[Moment, ...]:
        """What each world is like now."""
        return self.timeline.now.moments

    @property
    def over(self) -> bool:
        """Whether all worlds have ended."""
        return all(moment.ended for moment in self.moments)

    def due(self) -> tuple[int | None, Notice | None]:
        """Return the action of the tick to be played now (None for no tick), and what to say.

        Whatever is not the next step of what was shown is shown first: the beginning, a step gone
        back to, a dream just woken.
        """
        notice = None
        if not self._jumped and self._planned and self._planned[0][0] == WAKE:
            self._planned.popleft()
            notice = self._wake()
        if self._jumped:
            return None, notice
        if self._planned and self._planned[0][0] != WAKE:
            action, self._sequence = self._planned.popleft()
        elif self.halt == State.RUNNING:
            action, self._sequence = self._held.take(), self._heard
        else:
            return None, notice
        return None if self.over else action, notice

    def played(self, action: int, moments: Sequence[Moment]) -> None:
        """Take what came of the tick."""
        self.timeline.add(action, tuple(moments))
        self.changed = True

    def frame(self, pictures: Sequence[Pictures], made: float) -> Frame:
        """Return the frame of what is shown now.

        Args:
            pictures: uint8 [64, 64, 3] of each world.
            made: The time, ms.
        """
        self.changed = self._jumped = False
        self._serial += 1
        timeline, entry = self.timeline, self.timeline.now
        return Frame(
            serial=self._serial % 2**32,
            step=entry.step,
            oldest=timeline.oldest,
            newest=timeline.newest,
            generation=self.generation,
            sequence=self._sequence,
            made=made,
            psnr=psnr(pictures[0], pictures[1]) if len(pictures) == 2 else float("nan"),
            action=entry.action,
            state=State.ENDED if self.over else self.halt,
            worlds=tuple(map(_world, WORLDS[self.mode], self.moments, pictures)),
        )


def _world(mode: Mode, moment: Moment, picture: Pictures) -> WorldFrame:
    return WorldFrame(
        world=mode,
        flags=moment.ended,
        lives=UNKNOWN if moment.lives is None else moment.lives,
        wave=UNKNOWN if moment.wave is None else min(moment.wave, UNKNOWN - 1),
        reward=moment.reward,
        score=moment.score,
        pixels=picture.tobytes(),
    )
