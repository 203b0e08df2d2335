"""Players for the tests of the browser's server: models that need no network, and a client."""

from __future__ import annotations

import asyncio
import functools
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from mirage_env import backends
from mirage_env.arena import ARENA_DTYPE
from mirage_env.rules import Rules, tuning
from mirage_env.simulator import Autoreset, SimulatorConfig
from mirage_web.lanes import DreamLanes
from mirage_web.limits import Limits
from mirage_web.protocol import (
    Ack,
    ClientMessage,
    Frame,
    Hello,
    ServerMessage,
    Start,
    decode_server,
    encode,
)
from mirage_web.server import Server
from mirage_web.site import Doors
from mirage_web.wire import Mode
from mirage_wm.weights import Card

M = TypeVar("M")
CONTEXT = 4


class HostFrames:
    """What a predictor on the host does with frames: nothing."""

    context = CONTEXT

    def take(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return frames

    give = take

    def append(self, seen: NDArray[np.uint8], frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.concatenate([seen[:, 1:], frames[:, None]], 1)


class Fading(HostFrames):
    """A dream in which the last frame fades and the keys show in a corner: quick, and its own."""

    card = Card("fading", "0" * 64, 1, {}, 0)

    def predict(self, seen: Any, actions: Any, keys: Any = None) -> Any:
        frames = seen[:, -1] // 8 * 7
        frames[:, 0, :4, 0] = actions * 20
        return frames, actions[:, -1].astype(np.int32), np.zeros(len(seen), np.bool_)


class Ending(Fading):
    """A dream that the action 10 ends."""

    def predict(self, seen: Any, actions: Any, keys: Any = None) -> Any:
        frames, reward, _ = super().predict(seen, actions)
        return frames, reward, actions[:, -1] == 10


class Failing(Fading):
    """A dream that cannot be dreamt for long."""

    def predict(self, seen: Any, actions: Any, keys: Any = None) -> Any:
        if (actions[:, -1] == 11).any():
            raise RuntimeError("this model cannot take the action 11")
        return super().predict(seen, actions)


class TheGameItself(HostFrames):
    """The simulator in the place of a model.

    It sees frames alone, as a model does, and knows which state of the game each four of them are:
    those of the openings of some seeds, and those it has come to by itself.
    """

    card = Card("itself", "1" * 64, 1, {}, 0)

    def __init__(self, *seeds: int) -> None:
        config = SimulatorConfig(
            np.array([tuning(Rules())], np.int32), max_ticks=10**6, autoreset=Autoreset.DISABLED
        )
        self._simulator = backends.make("native", config)
        self._known: dict[bytes, bytes] = {}
        for seed in seeds:
            self._simulator.reset(np.array([seed], np.uint64))
            frames = [self._simulator.render(64)[0]]
            for _ in range(CONTEXT - 1):
                frames.append(self._play(0))
            self._learn(np.stack(frames))

    def _play(self, action: int) -> NDArray[np.uint8]:
        self._simulator.step(np.array([action], np.int32))
        return self._simulator.render(64)[0]

    def _learn(self, frames: NDArray[np.uint8]) -> None:
        self._known[frames.tobytes()] = self._simulator.arenas[0].tobytes()

    def predict(self, seen: Any, actions: Any, keys: Any = None) -> Any:
        frames, rewards, ends = [], [], []
        for four, action in zip(seen, actions[:, -1], strict=True):
            self._simulator.arenas[:] = np.frombuffer(self._known[four.tobytes()], ARENA_DTYPE)
            frames.append(self._play(int(action)))
            self._learn(np.concatenate([four[1:], frames[-1][None]]))
            rewards.append(self._simulator.reward[0])
            ends.append(self._simulator.terminated[0])
        return np.stack(frames), np.array(rewards, np.int32), np.array(ends)


def in_a_loop(test: Callable[..., Awaitable[None]], seconds: float = 60) -> Callable[..., None]:
    """Run a test that is a coroutine."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), seconds))

    return run


# A server, and a client of it


@asynccontextmanager
async def served(
    limits: Limits | None = None,
    models: dict[str, DreamLanes] | None = None,
    doors: Doors | None = None,
    **more: Any,
) -> AsyncIterator[tuple[Server, int]]:
    """Serve on a free port; yield the server and the port."""
    models = {"fading": DreamLanes(Fading(), 4)} if models is None else models
    doors = doors or Doors(frozenset({"127.0.0.1", "localhost"}))
    server, stop = Server(models, doors, limits or Limits(dreams=8), **more), asyncio.Event()
    listening = socket.create_server(("127.0.0.1", 0))
    running = asyncio.create_task(server.run(listening, stop))
    try:
        yield server, listening.getsockname()[1]
    finally:
        stop.set()
        await running


class Player:
    """A client that acknowledges what it sees."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.seen: list[ServerMessage] = []

    async def send(self, *messages: ClientMessage) -> None:
        for message in messages:
            await self.socket.send(encode(message))

    async def next(self, kind: type[M], acknowledge: bool = True) -> M:
        """Return the next message of a kind; what comes before it is `seen`."""
        while True:
            data = await self.socket.recv()
            assert isinstance(data, bytes)
            message = decode_server(data)
            self.seen.append(message)
            if isinstance(message, Frame) and acknowledge:
                await self.send(Ack(serial=message.serial))
            if isinstance(message, kind):
                return message

    async def frames(self, count: int) -> list[Frame]:
        return [await self.next(Frame) for _ in range(count)]

    async def closed(self) -> tuple[int, str]:
        """Return the code and the reason that the server closes with."""
        try:
            while True:
                await self.socket.recv()
        except ConnectionClosed:
            return self.socket.close_code or 0, self.socket.close_reason or ""


@asynccontextmanager
async def joined(port: int, **more: Any) -> AsyncIterator[Player]:
    """Connect to a server; the greeting has been read."""
    address = f"ws://127.0.0.1:{port}/socket"
    more = {"subprotocols": ["mirage.v1"], "compression": None, "close_timeout": 1, **more}
    async with connect(address, proxy=None, **more) as socket:
        player = Player(socket)
        await player.next(Hello)
        yield player


async def playing(player: Player, mode: int = Mode.REAL, seed: int = 0, **more: Any) -> Frame:
    """Start a game; return its first frame."""
    await player.send(Start(mode=mode, seed=seed, **more))
    return await player.next(Frame)


async def connect_to(port: int) -> Player:
    """Connect to a server; nothing has been read, and nobody closes it."""
    address = f"ws://127.0.0.1:{port}/socket"
    return Player(await connect(address, subprotocols=["mirage.v1"], proxy=None))
