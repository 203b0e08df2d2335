"""The protocol `mirage.v1`: messages to bytes and back, as docs/protocol.md says. No I/O.

`encode` writes any message; `decode_client` and `decode_server` read what one side sends. Bytes
that `encode` would not write are no message: so lengths, padding and flags are all checked.

Example:
    >>> from mirage_web.protocol import Keys, decode_client, encode
    >>> encode(Keys(action=4, sequence=1)).hex(" ")
    '4d 31 02 04 01 00 00 00'
    >>> decode_client(bytes.fromhex("4d31020401000000"))
    Keys(action=4, sequence=1)
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import TypeVar

from mirage_web.client_messages import (
    Ack,
    Keys,
    Pause,
    Ping,
    Record,
    Reset,
    Rewind,
    Start,
    Step,
    Wake,
)
from mirage_web.server_messages import (
    Begin,
    Frame,
    Hello,
    Notice,
    Pong,
    Queue,
    Recording,
    WorldFrame,
)
from mirage_web.wire import MAGIC, Message, ProtocolError

__all__ = [
    "CLIENT_MESSAGES",
    "SERVER_MESSAGES",
    "Ack",
    "Begin",
    "ClientMessage",
    "Frame",
    "Hello",
    "Keys",
    "Notice",
    "Pause",
    "Ping",
    "Pong",
    "ProtocolError",
    "Queue",
    "Record",
    "Recording",
    "Reset",
    "Rewind",
    "ServerMessage",
    "Start",
    "Step",
    "Wake",
    "WorldFrame",
    "decode_client",
    "decode_server",
    "encode",
]

_M = TypeVar("_M", bound=Message)

ClientMessage = Start | Keys | Ack | Pause | Step | Reset | Wake | Rewind | Record | Ping
ServerMessage = Hello | Frame | Queue | Begin | Notice | Recording | Pong

CLIENT_MESSAGES: dict[int, type[ClientMessage]] = {
    m.TYPE: m for m in (Start, Keys, Ack, Pause, Step, Reset, Wake, Rewind, Record, Ping)
}
SERVER_MESSAGES: dict[int, type[ServerMessage]] = {
    m.TYPE: m for m in (Hello, Frame, Queue, Begin, Notice, Recording, Pong)
}


def encode(message: Message) -> bytes:
    """Return a message as the bytes of one binary websocket message.

    Raises:
        ProtocolError: For a number that its field cannot hold.
    """
    try:
        return message.pack()
    except (struct.error, OverflowError) as error:
        raise ProtocolError(f"{type(message).__name__} cannot be written: {error}") from error


def decode_client(data: bytes) -> ClientMessage:
    """Return the message that a client sent.

    Raises:
        ProtocolError: If the bytes are none; its text fits into the reason of a close.
    """
    return _decode(CLIENT_MESSAGES, data)


def decode_server(data: bytes) -> ServerMessage:
    """Return the message that a server sent; raise `ProtocolError` if the bytes are none."""
    return _decode(SERVER_MESSAGES, data)


def _decode(types: Mapping[int, type[_M]], data: bytes) -> _M:
    if data[:2] != MAGIC:
        raise ProtocolError(f"a message begins with 4d 31, got {data[:2].hex(' ') or 'nothing'}")
    kind = types.get(data[2]) if len(data) > 2 else None
    if kind is None:
        raise ProtocolError(f"there is no message of the type {data[2:3].hex() or '(none)'}")
    name = kind.__name__.upper()
    try:
        message = kind.unpack(data)
    except struct.error:
        raise ProtocolError(f"{name} has {kind.LAYOUT.size} bytes, got {len(data)}") from None
    except ProtocolError as error:
        raise ProtocolError(f"{name}: {error}") from None
    if message.pack() != data:
        raise ProtocolError(
            f"{name} has a byte that should be 0, or a flag that is neither 0 nor 1"
        )
    return message
