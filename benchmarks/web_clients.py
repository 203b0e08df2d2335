"""Many players in one process: just enough of a websocket to count frames and to acknowledge them.

A client that did more would take the time of the server that it measures.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import time
from dataclasses import dataclass, field, replace

from mirage_web.client_messages import Ack, Keys, Reset, Start
from mirage_web.protocol import encode
from mirage_web.server_messages import Frame, Notice
from mirage_web.wire import Message, State

__all__ = ["Player", "Seen", "join"]

HANDSHAKE = (
    "GET /socket HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: mirage.v1\r\n\r\n"
)
BINARY, CLOSE, PING, PONG = 0x82, 0x88, 0x89, 0x8A
STATE = 37
"""The byte of a frame that says whether it goes on."""
SMALL_BUFFER = 4096
"""Bytes that wait in the kernel of a slow client."""


@dataclass
class Seen:
    """What a player has received since it was last asked.

    Attributes:
        ages: Of each frame, from when it was made until it was received, ms.
        bytes: Received.
        busy: How often the server said that it is late.
        lost: Whether the connection has ended.
        since: When it began, s.
        seconds: For how long, as soon as it is over.
    """

    ages: list[float] = field(default_factory=list)
    bytes: int = 0
    busy: int = 0
    lost: bool = False
    since: float = field(default_factory=time.monotonic)
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Frames a second."""
        return len(self.ages) / self.seconds


class Player(asyncio.Protocol):
    """A player who presses random keys.

    Attributes:
        seen: What it has received.
        lost: Whether the connection has ended.
    """

    transport: asyncio.Transport

    def __init__(self, start: Start, bytes_per_second: float | None) -> None:
        """Make a player; `join` connects it."""
        self.seen = Seen()
        self.lost = False
        self.begun = asyncio.get_running_loop().create_future()
        self._start, self._slow = start, bytes_per_second
        self._buffer = bytearray()
        self._open = False
        self._rng = random.Random(start.seed)
        self._read_until = time.monotonic()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for a websocket."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(HANDSHAKE.encode())

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that it is over."""
        self.lost = True
        if not self.begun.done():
            self.begun.set_exception(ConnectionError("the server sent the player away"))

    def data_received(self, data: bytes) -> None:
        """Take what has come, and where the line is slow, wait as long as it would have taken."""
        self.seen.bytes += len(data)
        self._buffer += data
        if self._slow is not None:
            now = time.monotonic()
            self._read_until = max(now, self._read_until) + len(data) / self._slow
            self.transport.pause_reading()
            asyncio.get_running_loop().call_at(self._loop_time(self._read_until), self._go_on)
        else:
            self._take_all()

    def _loop_time(self, monotonic: float) -> float:
        return asyncio.get_running_loop().time() + monotonic - time.monotonic()

    def _go_on(self) -> None:
        self._take_all()
        if not self.lost:
            self.transport.resume_reading()

    def _take_all(self) -> None:
        if not self._open:
            head, found, rest = bytes(self._buffer).partition(b"\r\n\r\n")
            if not found:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                raise ConnectionError(head.decode("latin-1"))
            self._open, self._buffer = True, bytearray(rest)
            self.send(self._start)
        while (length := self._next_length()) is not None:
            head, size = length
            payload = bytes(self._buffer[head : head + size])
            kind = self._buffer[0]
            del self._buffer[: head + size]
            if kind == BINARY:
                self._take(payload)
            elif kind == PING:
                self._write(PONG, payload)
            elif kind == CLOSE:
                self.transport.close()

    def _next_length(self) -> tuple[int, int] | None:
        """Return the lengths of the head and the payload of a frame that is there as a whole."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        head, size = 2, buffer[1]
        if size == 126:
            if len(buffer) < 4:
                return None
            head, size = 4, int.from_bytes(buffer[2:4], "big")
        return (head, size) if len(buffer) >= head + size else None

    def _take(self, payload: bytes) -> None:
        if payload[2] == Frame.TYPE:
            serial, made = struct.unpack_from("<4xI16xd", payload)
            self.seen.ages.append(1000 * time.monotonic() - made)
            self.send(Ack(serial=serial))
            if not self.begun.done():
                self.begun.set_result(None)
            if payload[STATE] == State.ENDED:
                self.send(Reset(seed=self._rng.randrange(2**32)))
            elif self._rng.random() < 0.1:
                self.send(Keys(action=self._rng.randrange(12)))
        elif payload[2] == Notice.TYPE:
            self.seen.busy += 1

    def told(self) -> Seen:
        """Return what it has seen until now."""
        seconds = time.monotonic() - self.seen.since
        return replace(self.seen, lost=self.lost, seconds=seconds)

    def send(self, message: Message) -> None:
        """Send a message."""
        self._write(BINARY, encode(message))

    def _write(self, kind: int, payload: bytes) -> None:
        if not self.transport.is_closing():
            # Masked by a key of zeros: a client must mask, and this costs nothing.
            self.transport.write(bytes([kind, 0x80 | len(payload), 0, 0, 0, 0]) + payload)


async def join(port: int, start: Start, bytes_per_second: float | None = None) -> Player:
    """Let a player begin; return it when it has seen its first frame.

    Args:
        port: Of the server on this machine.
        start: What it plays.
        bytes_per_second: At which it reads; by default as fast as it can.
    """
    line = socket.socket()
    if bytes_per_second is not None:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
    line.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(line, ("127.0.0.1", port))
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    _, player = await loop.create_connection(lambda: Player(start, bytes_per_second), sock=line)
    await player.begun
    return player
