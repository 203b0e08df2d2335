"""What the server sends, in the order of the table in docs/protocol.md."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import ClassVar, Self

from mirage_web.wire import (
    EDGE,
    MAGIC,
    PIXEL_BYTES,
    TICKS_PER_SECOND,
    VERSION,
    Message,
    ProtocolError,
    layout,
    model_field,
    model_name,
    within,
)

__all__ = [
    "Begin",
    "Frame",
    "Hello",
    "Notice",
    "Pong",
    "Queue",
    "Recording",
    "WorldFrame",
]


@dataclass(frozen=True, kw_only=True)
class Hello(Message):
    """What the server is: the first message of a connection.

    Attributes:
        version: Of the protocol.
        ticks_per_second: Of the game.
        edge: Of a picture, pixels.
        rewind_steps: How many steps back it is possible to go.
        idle_pause: Seconds.
        idle_close: Seconds.
        models: Names; the first is taken where a client asks for none.
    """

    version: int = VERSION
    ticks_per_second: int = TICKS_PER_SECOND
    edge: int = EDGE
    rewind_steps: int
    idle_pause: int
    idle_close: int
    models: tuple[str, ...]
    TYPE: ClassVar[int] = 0x81
    LAYOUT: ClassVar[Struct] = layout("BBBBxHHH2x")

    def pack(self) -> bytes:
        """See `Message.pack`."""
        times = (self.rewind_steps, self.idle_pause, self.idle_close)
        fixed = (len(self.models), self.version, self.ticks_per_second, self.edge, *times)
        names = b"".join(map(model_field, self.models))
        return self.LAYOUT.pack(MAGIC, self.TYPE, *fixed) + names

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """See `Message.unpack`."""
        head, names = _split(data, cls.LAYOUT)
        _, _, n, *fixed = cls.LAYOUT.unpack(head)
        _of_length("HELLO", names, 16 * n)
        models = tuple(model_name(names[i : i + 16]) for i in range(0, len(names), 16))
        return cls._of(tuple(fixed), models=models)


@dataclass(frozen=True, kw_only=True)
class WorldFrame:
    """One world in a `Frame`.

    Attributes:
        world: `Mode.REAL` or `Mode.DREAM`.
        flags: `TERMINATED`, `TRUNCATED`, both or none.
        lives: Left, or `UNKNOWN`.
        wave: Its number, at most 254, or `UNKNOWN`.
        reward: Of this step.
        score: Of the episode.
        pixels: uint8 [64, 64, 3], as bytes.
    """

    world: int
    flags: int
    lives: int
    wave: int
    reward: int
    score: int
    pixels: bytes
    LAYOUT: ClassVar[Struct] = Struct("<BBBBiI")
    TERMINATED: ClassVar[int] = 1
    TRUNCATED: ClassVar[int] = 2

    def head(self) -> bytes:
        """Return everything but the pixels as bytes."""
        known = (self.world, self.flags, self.lives, self.wave)
        return self.LAYOUT.pack(*known, self.reward, self.score)

    @classmethod
    def of(cls, head: bytes, pixels: bytes) -> Self:
        """Return the world of a head and its pixels."""
        world, flags, lives, wave, reward, score = cls.LAYOUT.unpack(head)
        return cls(
            world=world,
            flags=flags,
            lives=lives,
            wave=wave,
            reward=reward,
            score=score,
            pixels=pixels,
        )


@dataclass(frozen=True, kw_only=True)
class Frame(Message):
    """A step as it is shown; docs/protocol.md has a table of the fields."""

    serial: int
    step: int
    oldest: int
    newest: int
    generation: int
    sequence: int
    made: float
    psnr: float
    action: int
    state: int
    worlds: tuple[WorldFrame, ...]
    TYPE: ClassVar[int] = 0x82
    LAYOUT: ClassVar[Struct] = layout("BIIIIHHdfBB2x12s12s")

    def pack(self) -> bytes:
        """See `Message.pack`."""
        where = (self.serial, self.step, self.oldest, self.newest, self.generation)
        how = (self.sequence, self.made, self.psnr, self.action, self.state)
        heads = [world.head() for world in self.worlds] + [bytes(12)] * (2 - len(self.worlds))
        head = self.LAYOUT.pack(MAGIC, self.TYPE, len(self.worlds), *where, *how, *heads)
        return b"".join([head, *(world.pixels for world in self.worlds)])

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """See `Message.unpack`."""
        head, pixels = _split(data, cls.LAYOUT)
        _, _, n, *fixed, first, second = cls.LAYOUT.unpack(head)
        within("worlds", n, 1, 2)
        _of_length("FRAME", pixels, n * PIXEL_BYTES)
        pictures = (pixels[:PIXEL_BYTES], pixels[PIXEL_BYTES:])
        worlds = tuple(map(WorldFrame.of, (first, second)[:n], pictures))
        return cls._of(tuple(fixed), worlds=worlds)


@dataclass(frozen=True, kw_only=True)
class Queue(Message):
    """Where the client stands in the queue; position 1 is next."""

    position: int
    waiting: int
    TYPE: ClassVar[int] = 0x83
    LAYOUT: ClassVar[Struct] = layout("xHH")


@dataclass(frozen=True, kw_only=True)
class Begin(Message):
    """A sitting begins; the next frame is its step 0."""

    mode: int
    paused: bool
    generation: int
    seed: int
    model: str
    TYPE: ClassVar[int] = 0x84
    LAYOUT: ClassVar[Struct] = layout("B?xHQ16s")


@dataclass(frozen=True, kw_only=True)
class Notice(Message):
    """Something that the player should know: a `NoticeCode`."""

    code: int
    step: int
    TYPE: ClassVar[int] = 0x85
    LAYOUT: ClassVar[Struct] = layout("BI")


@dataclass(frozen=True, kw_only=True)
class Recording(Message):
    """What was done since the beginning of the sitting, as runs (`mirage_env.runs`)."""

    steps: int
    generation: int
    runs: bytes
    TYPE: ClassVar[int] = 0x86
    LAYOUT: ClassVar[Struct] = layout("xIIH2x")

    def pack(self) -> bytes:
        """See `Message.pack`."""
        fixed = (len(self.runs), self.steps, self.generation)
        return self.LAYOUT.pack(MAGIC, self.TYPE, *fixed) + self.runs

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """See `Message.unpack`."""
        head, runs = _split(data, cls.LAYOUT)
        _, _, n, *fixed = cls.LAYOUT.unpack(head)
        _of_length("RECORDING", runs, n)
        return cls._of(tuple(fixed), runs=runs)


@dataclass(frozen=True, kw_only=True)
class Pong(Message):
    """The answer to a `Ping`; `clock` is in ms, as `Frame.made` is."""

    token: int
    clock: float
    TYPE: ClassVar[int] = 0x87
    LAYOUT: ClassVar[Struct] = layout("xId")


def _split(data: bytes, head: Struct) -> tuple[bytes, bytes]:
    if len(data) < head.size:
        raise ProtocolError(
            f"a message of this type has {head.size} bytes or more, got {len(data)}"
        )
    return data[: head.size], data[head.size :]


def _of_length(name: str, rest: bytes, wanted: int) -> None:
    if len(rest) != wanted:
        raise ProtocolError(f"{name} must go on for {wanted} bytes, got {len(rest)}")
