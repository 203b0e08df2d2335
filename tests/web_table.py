"""An engine that is ticked by hand, for the tests of what players see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from web_players import Fading

from mirage_env.runs import WAKE, from_runs
from mirage_web.engine import Delivery, Engine, Gone, Halt
from mirage_web.lanes import DreamLanes
from mirage_web.protocol import (
    ClientMessage,
    Frame,
    Record,
    Recording,
    ServerMessage,
    Start,
    Step,
    Wake,
    decode_server,
)
from mirage_web.wire import Mode

MODES = [Mode.REAL, Mode.DREAM, Mode.BOTH]


class Table:
    """An engine that is ticked by hand, and what it has said to each player."""

    def __init__(self, **models: DreamLanes) -> None:
        self.engine = Engine(models or {"fading": DreamLanes(Fading(), 4)}, self._take)
        self.said: dict[Any, list[ServerMessage]] = {}
        self.closed: dict[Any, tuple[int, str]] = {}

    def _take(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            said = self.said.setdefault(delivery.player, [])
            said += map(decode_server, delivery.messages)
            if delivery.frame is not None:
                frame = decode_server(delivery.frame[1])
                assert isinstance(frame, Frame)
                assert frame.serial == delivery.frame[0]
                said.append(frame)
            if delivery.close is not None:
                self.closed[delivery.player] = delivery.close

    def tick(self, count: int = 1) -> None:
        for _ in range(count):
            self.engine.tick()

    def ask(self, player: Any, *messages: ClientMessage | Gone | Halt, ticks: int = 1) -> Any:
        """Post messages, tick, and return the last thing said to the player."""
        for message in messages:
            self.engine.post(player, message)
        self.tick(ticks)
        return self.said[player][-1] if self.said.get(player) else None

    def play(self, player: Any, actions: Sequence[int]) -> list[Frame]:
        """Play exactly these actions; return the frames that came of them."""
        before = len(self.frames(player))
        for action in actions:
            self.ask(player, Step(action=action))
        return self.frames(player)[before:]

    def frames(self, player: Any) -> list[Frame]:
        return [message for message in self.said.get(player, []) if isinstance(message, Frame)]


def start(mode: Mode, seed: int = 7, model: str = "fading", paused: bool = True) -> Start:
    return Start(mode=mode, seed=seed, model="" if mode == Mode.REAL else model, paused=paused)


def shown(frame: Frame) -> tuple[Any, ...]:
    """What a player sees of a step: all but when it came and how it was counted."""
    return frame.step, frame.action, repr(frame.psnr), frame.worlds


def actions(count: int, seed: int = 0) -> list[int]:
    """Keys as a person presses them: each held for some ticks."""
    rng = np.random.default_rng(seed)
    return np.repeat(rng.integers(0, 12, count), rng.integers(1, 12, count))[:count].tolist()


def pixels(frame: Frame, world: int = 0) -> np.ndarray:
    return np.frombuffer(frame.worlds[world].pixels, np.uint8).reshape(64, 64, 3)


def recording(table: Table, player: str) -> Recording:
    table.ask(player, Record())
    return [said for said in table.said[player] if isinstance(said, Recording)][-1]


def replay(table: Table, player: str, mode: Mode, runs: bytes, model: str = "fading") -> None:
    """Play a recording as a page does with a share link."""
    table.ask(player, start(mode, model=model))
    for done in from_runs(runs):
        table.ask(player, Wake() if done == WAKE else Step(action=done))
