"""What all messages of `mirage.v1` share: their beginning, their numbers, and what these mean."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any, ClassVar, Final, Self

from mirage_env.rules import Rules

__all__ = [
    "EDGE",
    "MAGIC",
    "MAX_CLIENT_BYTES",
    "NO_ACTION",
    "PIXEL_BYTES",
    "SEEDS",
    "SUBPROTOCOL",
    "TICKS_PER_SECOND",
    "UNKNOWN",
    "VERSION",
    "Close",
    "Message",
    "Mode",
    "NoticeCode",
    "ProtocolError",
    "State",
    "is_model_name",
    "layout",
    "model_field",
    "model_name",
    "within",
]

SUBPROTOCOL: Final = "mirage.v1"
VERSION: Final = 1
MAGIC: Final = b"M1"
MAX_CLIENT_BYTES: Final = 64
SEEDS: Final = 2**53
"""A seed is a whole number from 0 to one less: so far JavaScript's numbers are exact."""
TICKS_PER_SECOND: Final = Rules().ticks_per_second
EDGE: Final = 64
"""Width and height of a picture, pixels."""
PIXEL_BYTES: Final = EDGE * EDGE * 3
NO_ACTION: Final = 255
"""The action of step 0, to which none has led."""
UNKNOWN: Final = 255
"""Lives or wave of a world that does not count them."""

_MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,15}", re.ASCII)


class ProtocolError(ValueError):
    """Bytes that are no message, or a value that no message can have; it says what is wrong."""


class Mode(IntEnum):
    """Which worlds are played, as a set of bits."""

    REAL = 1
    DREAM = 2
    BOTH = 3


class State(IntEnum):
    """Why a sitting plays ticks, or why not."""

    RUNNING = 0
    PAUSED = 1
    IDLE = 2
    UNACKNOWLEDGED = 3
    ENDED = 4


class NoticeCode(IntEnum):
    """What a `Notice` says."""

    NOTHING_TO_WAKE = 1
    STEP_NOT_KEPT = 2
    SERVER_BUSY = 3


class Close(IntEnum):
    """The codes that the server closes a connection with."""

    TEXT = 1003
    POLICY = 1008
    TOO_LONG = 1009
    MISTAKE = 1011
    RESTART = 1012
    FULL = 1013
    IDLE = 4000


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message: its type, the layout of its bytes, and fields in the order of the layout."""

    TYPE: ClassVar[int]
    LAYOUT: ClassVar[struct.Struct]

    def pack(self) -> bytes:
        """Return the message as bytes."""
        values = [getattr(self, field.name) for field in fields(self)]
        values = [model_field(value) if isinstance(value, str) else value for value in values]
        return self.LAYOUT.pack(MAGIC, self.TYPE, *values)

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """Return the message that bytes of the right length hold.

        Padding and flags are not looked at: a message that packs to other bytes is none.

        Raises:
            ProtocolError: For a value outside its range.
        """
        return cls._of(cls.LAYOUT.unpack(data)[2:])

    @classmethod
    def _of(cls, values: tuple[Any, ...], **more: Any) -> Self:
        """Return the message of the values in a layout, and of those that follow it."""
        names = (field.name for field in fields(cls) if field.name not in more)
        pairs = zip(names, values, strict=True)
        return cls(**{n: model_name(v) if isinstance(v, bytes) else v for n, v in pairs}, **more)


def layout(after_the_type: str) -> struct.Struct:
    """Return the layout of a message, little-endian, its magic and type included."""
    return struct.Struct("<2sB" + after_the_type)


def within(name: str, value: int, low: int, high: int) -> None:
    """Raise `ProtocolError` unless `value` is from `low` to `high`."""
    if not low <= value <= high:
        raise ProtocolError(f"{name} must be from {low} to {high}, got {value}")


def is_model_name(name: str) -> bool:
    """Return whether a model can be called so."""
    return _MODEL_NAME.fullmatch(name) is not None


def model_field(name: str) -> bytes:
    """Return a model's name as 16 bytes; no name is 16 zeros.

    Raises:
        ProtocolError: If a model cannot be called so.
    """
    if name and not is_model_name(name):
        raise ProtocolError(
            f"a model's name is 1 to 16 of A-Z a-z 0-9 . _ -, got {ascii(name)[:40]}"
        )
    return name.encode("ascii").ljust(16, b"\0")


def model_name(field: bytes) -> str:
    """Return the name in 16 bytes; raise `ProtocolError` for one that cannot be."""
    name = field.rstrip(b"\0").decode("latin-1")
    model_field(name)
    return name
