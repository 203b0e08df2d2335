"""One client on its websocket: messages in, messages out, and always the newest frame."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Protocol

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from mirage_web.engine import Delivery, Gone, Halt
from mirage_web.limits import Allowance, Limits, cost
from mirage_web.protocol import (
    Ack,
    ClientMessage,
    Hello,
    Keys,
    Ping,
    Pong,
    ProtocolError,
    Queue,
    Start,
    decode_client,
    encode,
)
from mirage_web.window import Window
from mirage_web.wire import Close, Message, State

__all__ = ["Connection", "House"]

MAX_UNREAD = 256
"""Messages other than frames that may wait for a client to read."""


class House(Protocol):
    """What a connection needs of the server around it."""

    limits: Limits
    hello: Hello

    def ask(self, connection: Connection, asked: Start) -> None:
        """Note what it asks for, and let it `play` that, or `wait`; or `end` it."""
        ...

    def post(self, connection: Connection, message: ClientMessage | Gone | Halt) -> None:
        """Pass a message on to the engine."""
        ...


class Connection:
    """A client.

    Attributes:
        asked: What it wants to play, as soon as it has said so.
        playing: Whether it has a place.
    """

    def __init__(self, socket: ServerConnection, house: House) -> None:
        """Greet the client; `run` does the rest."""
        now = time.monotonic()
        self.asked: Start | None = None
        self.playing = False
        self._socket, self._house = socket, house
        self._allowance = Allowance(house.limits.messages_per_second, now)
        self._window = Window()
        self._outbox: deque[bytes] = deque([encode(house.hello)])
        self._frame: tuple[int, bytes] | None = None
        self._something = asyncio.Event()
        self._something.set()
        self._end: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        self._since = self._active = now
        self._action, self._place = 0, (0, 0)
        self._idle = self._stalled = False

    async def run(self) -> tuple[int, str]:
        """Serve the client until it leaves or is to leave; return code and reason."""
        tasks = [asyncio.ensure_future(work) for work in (self._read(), self._write(), self._end)]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks[:2]:
                if task.done():
                    task.result()  # a mistake of ours comes to light
            return self._end.result() if self._end.done() else (1000, "")
        finally:
            for task in tasks:
                task.cancel()

    # From the house

    def play(self) -> None:
        """Begin what was asked for: it has a place."""
        assert self.asked is not None
        self.playing, self._place = True, (0, 0)
        self._active = time.monotonic()
        self._idle = False
        self._house.post(self, self.asked)

    def wait(self, position: int, waiting: int) -> None:
        """Say where in the queue it stands."""
        self.playing = False
        if (position, waiting) != self._place:
            self._place = position, waiting
            self._say(Queue(position=position, waiting=waiting))

    def take(self, delivery: Delivery) -> None:
        """Send what a tick has brought; a frame takes the place of one that still waits."""
        self._outbox += delivery.messages
        if delivery.frame is not None:
            self._frame = delivery.frame
        if delivery.close is not None:
            self.end(*delivery.close)
        if len(self._outbox) > MAX_UNREAD:
            self.end(Close.POLICY, "nothing that the server says is read")
        self._something.set()

    def end(self, code: int, reason: str) -> None:
        """Close the connection, unless it is being closed already."""
        if not self._end.done():
            self._end.set_result((code, reason))

    def look(self, now: float) -> None:
        """Look after the clock: called about once a second."""
        limits, since = self._house.limits, self._window.waiting_since
        if self.asked is None and now - self._since > limits.start_seconds:
            self.end(Close.POLICY, f"nothing was started within {limits.start_seconds:g} seconds")
        if not self.playing:
            return
        if now - self._active > limits.idle_close:
            self.end(Close.IDLE, f"no key was pressed for {limits.idle_close} seconds")
        elif now - self._active > limits.idle_pause and not self._idle:
            self._idle = True
            self._house.post(self, Halt(State.IDLE))
        if since is not None and now - since > limits.stalled_seconds and not self._stalled:
            self._stalled = True
            self._house.post(self, Halt(State.UNACKNOWLEDGED))

    # From and to the client

    async def _read(self) -> None:
        try:
            async for data in self._socket:
                if isinstance(data, str):
                    return self.end(Close.TEXT, "messages are binary, a text came")
                now = time.monotonic()
                message = decode_client(data)
                if not self._allowance.take(cost(message), now):
                    return self.end(Close.POLICY, "too many messages")
                self._hear(message, now)
        except ProtocolError as error:
            self.end(Close.POLICY, str(error))
        except ConnectionClosed:
            pass

    def _hear(self, message: ClientMessage, now: float) -> None:
        match message:
            case Ack(serial=serial):
                self._window.acknowledged(serial, now)
                self._stalled = False
                self._something.set()
                return
            case Ping(token=token):
                return self._say(Pong(token=token, clock=1000 * now))
            case Keys(action=self._action):
                pass  # It says what is known: nobody need be there.
            case _:
                self._active, self._idle = now, False
        if isinstance(message, Keys):
            self._action = message.action
        if isinstance(message, Start):
            self._house.ask(self, message)
        elif self.playing:
            self._house.post(self, message)

    def _say(self, message: Message) -> None:
        self._outbox.append(encode(message))
        self._something.set()

    async def _write(self) -> None:
        try:
            while True:
                await self._something.wait()
                self._something.clear()
                while self._outbox:
                    await self._socket.send(self._outbox.popleft())
                now = time.monotonic()
                if self._frame is not None and self._window.open(now):
                    (serial, data), self._frame = self._frame, None
                    self._window.sent(serial, now)
                    await self._socket.send(data)
                    self._something.set()  # There may be more by now.
        except ConnectionClosed:
            pass
