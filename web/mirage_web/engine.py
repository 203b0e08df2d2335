"""The thread that plays: thirty times a second it steps the worlds of all players together.

It owns every simulator and every model. Players reach it by `Engine.post`, from any thread, and get
what comes of it by `Engine.deliver`, once a tick for all of them; so the event loop that holds the
sockets never waits for a world, and the engine never for a socket.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mirage_env.play.pace import Pace
from mirage_web.lanes import OPENING, DreamLanes, GameLanes, Lanes, Moment, Pictures
from mirage_web.protocol import ClientMessage, Notice, Start, encode
from mirage_web.sitting import Sitting, TooManyStepsError
from mirage_web.wire import TICKS_PER_SECOND, Close, Message, Mode, NoticeCode, State

__all__ = ["Delivery", "Engine", "Gone", "Halt"]

LOG = logging.getLogger("mirage_web.engine")

HALTED_SECONDS = 5.0
"""An engine that has not finished a tick for so long has halted, as far as its health is asked."""
MEASURED_TICKS = 2 * TICKS_PER_SECOND
BUSY_RATE = 0.9 * TICKS_PER_SECOND
"""Players are told when so many ticks were played at less than this rate."""
BUSY_EVERY = 10 * TICKS_PER_SECOND
"""Ticks between two notices that the server is busy."""


class Gone(NamedTuple):
    """A player has left."""


class Halt(NamedTuple):
    """Pause a player for a reason of the server's own."""

    why: State


@dataclass
class Delivery:
    """What a tick has for one player: some messages in their order, then a frame, or the end.

    Attributes:
        player: Whose it is.
        messages: To be sent, every one.
        frame: Its serial and its bytes, or None; takes the place of one that is not sent yet.
        close: Code and reason to close the connection with, or None.
    """

    player: Any
    messages: list[bytes] = field(default_factory=list)
    frame: tuple[int, bytes] | None = None
    close: tuple[int, str] | None = None


@dataclass
class _Turn:
    """A sitting that plays this tick, and what comes of it."""

    player: Any
    sitting: Sitting
    action: int
    after: list[Moment]


class Engine:
    """Plays the sittings of all players.

    Attributes:
        dreams: Lanes of each model, by its name.
        ticks: How many have been played.
    """

    def __init__(
        self,
        dreams: Mapping[str, DreamLanes],
        deliver: Callable[[list[Delivery]], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make an engine; `start` runs it in a thread of its own, `tick` plays one tick here.

        Args:
            dreams: Lanes of each model, by its name.
            deliver: Called in the engine's thread with what a tick has for players.
            clock: Seconds.
        """
        self.dreams = dict(dreams)
        self.ticks = 0
        self._games: dict[int, GameLanes] = {}
        self._deliver, self._clock = deliver, clock
        self._posted: deque[tuple[Any, ClientMessage | Gone | Halt]] = deque()
        self._sittings: dict[Any, Sitting] = {}
        self._deliveries: dict[Any, Delivery] = {}
        self._busy_at = -BUSY_EVERY
        self._finished = clock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mirage-engine", daemon=True)

    # For other threads

    def start(self) -> None:
        """Play in a thread, until `stop`."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread after its tick, and wait for it."""
        self._stop.set()
        self._thread.join()

    def post(self, player: Any, message: ClientMessage | Gone | Halt) -> None:
        """Let the engine know what a player wants; it will have it before its next tick.

        Args:
            player: Anything that can be a key; a `Start` that has been admitted comes first.
            message: A message other than `Ack` and `Ping`, or what the server has to say of it.
        """
        self._posted.append((player, message))

    @property
    def healthy(self) -> bool:
        """Whether the thread plays ticks."""
        return self._thread.is_alive() and self._clock() - self._finished < HALTED_SECONDS

    # In its own thread

    def _run(self) -> None:
        pace, since = Pace(TICKS_PER_SECOND), self._clock()
        while not self._stop.is_set():
            late = False
            if self.ticks % MEASURED_TICKS == 0:
                since, before = self._clock(), since
                late = self.ticks > 0 and since - before > MEASURED_TICKS / BUSY_RATE
            self.tick(late)
            pace.wait()

    def tick(self, late: bool = False) -> None:
        """Obey what was posted, play a tick of every sitting that is due, deliver what is new.

        Args:
            late: Whether ticks have come late for a while, of which players are told.
        """
        for _ in range(len(self._posted)):
            player, message = self._posted.popleft()
            with self._trouble_of(player):
                self._obey(player, message)
        self._play()
        self._show()
        if late:
            self._tell_of_delay()
        if self._deliveries:
            self._deliver(list(self._deliveries.values()))
            self._deliveries = {}
        self.ticks += 1
        self._finished = self._clock()

    def _obey(self, player: Any, message: ClientMessage | Gone | Halt) -> None:
        sitting = self._sittings.get(player)
        match message:
            case Gone():
                self._sittings.pop(player, None)
            case Start():
                sitting = self._sittings.setdefault(player, Sitting())
                self._say(player, sitting.start(message, self._lanes(message)))
            case _ if sitting is None:
                return  # It came before the first start, or after the end.
            case Halt(why):
                if sitting.halt == State.RUNNING:
                    sitting.stop(why)
            case _:
                self._say(player, sitting.obey(message))

    def _lanes(self, asked: Start) -> list[Lanes]:
        """Return the lanes of what was asked for."""
        if asked.mode == Mode.REAL:
            return [self._game(OPENING)]
        dream = self.dreams[asked.model]
        return [dream] if asked.mode == Mode.DREAM else [self._game(dream.opening), dream]

    def _game(self, opening: int) -> GameLanes:
        return self._games.setdefault(opening, GameLanes(opening))

    def _play(self) -> None:
        """Play a tick of each sitting that is due: one step of each kind of lanes."""
        turns = []
        for player, sitting in list(self._sittings.items()):
            with self._trouble_of(player):
                action, notice = sitting.due()
                self._say(player, notice)
                if action is not None:
                    after = [m.still() if m.ended else m for m in sitting.moments]
                    turns.append(_Turn(player, sitting, action, after))
        jobs: dict[Lanes, list[tuple[_Turn, int]]] = {}
        for turn in turns:
            for i, lanes in enumerate(turn.sitting.lanes):
                if not turn.after[i].ended:
                    jobs.setdefault(lanes, []).append((turn, i))
        for lanes, them in jobs.items():
            with self._trouble_of(*(turn.player for turn, _ in them)):
                moments = [turn.sitting.moments[i] for turn, i in them]
                stepped = lanes.step(moments, [turn.action for turn, _ in them])
                for (turn, i), moment in zip(them, stepped, strict=True):
                    turn.after[i] = moment
        for turn in turns:
            turn.sitting.played(turn.action, turn.after)

    def _show(self) -> None:
        """Make a frame of each sitting that has changed: one drawing of each kind of lanes."""
        changed = {p: sitting for p, sitting in self._sittings.items() if sitting.changed}
        shown: dict[Lanes, list[tuple[Any, Moment]]] = {}
        for player, sitting in changed.items():
            for lanes, moment in zip(sitting.lanes, sitting.moments, strict=True):
                shown.setdefault(lanes, []).append((player, moment))
        views: dict[tuple[Any, Lanes], Pictures] = {}
        for lanes, them in shown.items():
            with self._trouble_of(*(player for player, _ in them)):
                pictures = lanes.pictures([moment for _, moment in them])
                for (player, _), picture in zip(them, pictures, strict=True):
                    views[player, lanes] = picture
        made = 1000 * self._clock()
        for player, sitting in changed.items():
            if player in self._sittings:  # and has not just been ended
                with self._trouble_of(player):
                    frame = sitting.frame([views[player, each] for each in sitting.lanes], made)
                    self._delivery(player).frame = (frame.serial, encode(frame))

    def _tell_of_delay(self) -> None:
        running = {p: s for p, s in self._sittings.items() if s.halt == State.RUNNING}
        if running and self.ticks - self._busy_at >= BUSY_EVERY:
            self._busy_at = self.ticks
            for player, sitting in running.items():
                step = sitting.timeline.now.step
                self._say(player, Notice(code=NoticeCode.SERVER_BUSY, step=step))

    # What becomes of it

    def _delivery(self, player: Any) -> Delivery:
        return self._deliveries.setdefault(player, Delivery(player))

    def _say(self, player: Any, message: Message | None) -> None:
        if message is not None:
            self._delivery(player).messages.append(encode(message))

    @contextmanager
    def _trouble_of(self, *players: Any) -> Iterator[None]:
        """Where something fails, end the sittings of these players, and of no others."""
        try:
            yield
        except TooManyStepsError as error:
            self._end(players, Close.POLICY, str(error))
        except Exception:
            LOG.exception("a tick failed for %d players", len(players))
            self._end(players, Close.MISTAKE, "the server made a mistake: please begin again")

    def _end(self, players: tuple[Any, ...], code: Close, reason: str) -> None:
        for player in players:
            self._sittings.pop(player, None)
            self._delivery(player).close = (code, reason)
