"""The server: connections, places, the engine's deliveries, and a clean end."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter
from dataclasses import replace
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

import mirage_env
from mirage_web.connection import Connection
from mirage_web.engine import Delivery, Engine, Gone, Halt
from mirage_web.lanes import DreamLanes
from mirage_web.limits import Limits
from mirage_web.places import FullError, Places
from mirage_web.protocol import ClientMessage, Hello, Start
from mirage_web.site import Doors, Site
from mirage_web.timeline import REWIND_STEPS
from mirage_web.wire import MAX_CLIENT_BYTES, SUBPROTOCOL, Close, Mode, State

__all__ = ["Server"]

RESTART = "the server restarts: the page comes back by itself"
KINDS: dict[int, str] = {Mode.REAL: "game", Mode.DREAM: "dream", Mode.BOTH: "dream"}
"""The kind of place that each mode takes."""
CLOSE_SECONDS = 3.0
"""How long a client has to answer a close before its line is cut."""


class Server:
    """Serves the page and everybody who plays; the `House` of every connection.

    Attributes:
        limits: What it allows.
        hello: What it says to everybody who connects.
        engine: Plays.
    """

    def __init__(
        self,
        dreams: dict[str, DreamLanes],
        doors: Doors,
        limits: Limits | None = None,
        *,
        behind_proxy: bool = False,
    ) -> None:
        """Make a server; `run` serves.

        Args:
            dreams: Lanes of each model, by its name; the first is the one that plays where a client
                names none.
            doors: Whom to talk to.
            limits: What to allow.
            behind_proxy: Take a client's address from the last entry of X-Forwarded-For, which the
                proxy has written.
        """
        self.limits = limits = limits or Limits()
        self.hello = Hello(
            rewind_steps=REWIND_STEPS,
            idle_pause=limits.idle_pause,
            idle_close=limits.idle_close,
            models=tuple(dreams),
        )
        self.engine = Engine(dreams, self._deliver)
        self._behind_proxy = behind_proxy
        self._places: Places[Connection] = Places(
            {"game": limits.games, "dream": limits.dreams}, limits.waiting
        )
        self._connections: Counter[str] = Counter()  # by address
        self._live: set[Connection] = set()
        self._site = Site(doors, self._health)

    async def run(self, listening: socket.socket, stop: asyncio.Event) -> None:
        """Serve on a socket that listens until `stop` is set; then let everybody come back."""
        self._loop = asyncio.get_running_loop()
        server = await serve(
            self._serve,
            sock=listening,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            process_request=self._answer,
            compression=None,  # it takes twenty times as long as sending the pixels
            max_size=MAX_CLIENT_BYTES,
            server_header=None,
            close_timeout=CLOSE_SECONDS,
        )
        self.engine.start()
        watch = asyncio.create_task(self._watch())
        try:
            await stop.wait()
        finally:
            watch.cancel()
            server.close(code=Close.RESTART, reason=RESTART)
            await server.wait_closed()
            self.engine.stop()

    # What connections need: see `mirage_web.connection.House`

    def ask(self, connection: Connection, asked: Start) -> None:
        """Let a connection play what it asks for, at once or when there is a place for it."""
        if asked.mode != Mode.REAL:
            models = self.hello.models
            if not models:
                return connection.end(Close.POLICY, "this server has no dream: mode real alone")
            asked = replace(asked, model=asked.model or models[0])
            if asked.model not in models:
                there = ", ".join(models)[:60]
                reason = f"there is no model {asked.model} here, there is {there}"
                return connection.end(Close.POLICY, reason)
        try:
            admitted = self._places.ask(connection, KINDS[asked.mode])
        except FullError:
            return connection.end(Close.FULL, "all places are taken: please try again later")
        connection.asked = asked
        if admitted:
            connection.play()
        elif connection.playing:  # it gives up what it played
            self.post(connection, Halt(State.PAUSED))
        self._admit()
        return None

    def post(self, connection: Connection, message: ClientMessage | Gone | Halt) -> None:
        """Pass a message on to the engine."""
        self.engine.post(connection, message)

    def _admit(self) -> None:
        """Give free places to those who wait, and tell the others where they stand."""
        for connection in self._places.admit():
            connection.play()
        for connection in self._places.queue():
            connection.wait(*self._places.position(connection))

    # What the library calls

    def _answer(self, _: ServerConnection, request: Request) -> Response | None:
        return self._site.answer(request)

    async def _serve(self, socket: ServerConnection) -> None:
        address = self._address(socket)
        if self._connections.total() >= self.limits.connections:
            return await socket.close(Close.FULL, "the server is full: please try again later")
        if self._connections[address] >= self.limits.per_address:
            return await socket.close(Close.FULL, "too many connections from this address")
        self._connections[address] += 1
        connection = Connection(socket, self)
        self._live.add(connection)
        try:
            code, reason = await connection.run()
        finally:
            self._live.discard(connection)
            self._connections[address] -= 1
            self._connections += Counter()  # forgets addresses that nobody comes from
            self._places.leave(connection)
            self.post(connection, Gone())
            self._admit()
        return await socket.close(code, reason)

    def _address(self, socket: ServerConnection) -> str:
        if self._behind_proxy and socket.request is not None:
            told = socket.request.headers.get_all("X-Forwarded-For")
            if told:
                return told[-1].rpartition(",")[2].strip()
        return str(socket.remote_address[0])

    # What the engine calls, in its thread

    def _deliver(self, deliveries: list[Delivery]) -> None:
        self._loop.call_soon_threadsafe(self._distribute, deliveries)

    def _distribute(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            delivery.player.take(delivery)

    # The clock

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(1)
            now = time.monotonic()
            for connection in list(self._live):
                connection.look(now)

    def _health(self) -> tuple[bool, dict[str, Any]]:
        return self.engine.healthy, {
            "status": "playing" if self.engine.healthy else "halted",
            "version": mirage_env.__version__,
            "models": list(self.hello.models),
            "connections": self._connections.total(),
            "playing": self._places.playing,
            "waiting": self._places.waiting,
        }
