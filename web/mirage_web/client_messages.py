"""What a client sends, in the order of the table in docs/protocol.md."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import ClassVar

from mirage_env.actions import NUM_ACTIONS
from mirage_web.wire import SEEDS, Message, Mode, ProtocolError, layout, within

__all__ = [
    "Ack",
    "Keys",
    "Pause",
    "Ping",
    "Record",
    "Reset",
    "Rewind",
    "Start",
    "Step",
    "Wake",
]


@dataclass(frozen=True, kw_only=True)
class Start(Message):
    """Begin a sitting; no model asks for the server's first."""

    mode: int
    paused: bool = False
    seed: int
    model: str = ""
    TYPE: ClassVar[int] = 0x01
    LAYOUT: ClassVar[Struct] = layout("B?3xQ16s")

    def __post_init__(self) -> None:
        """Check mode and seed, and that only a dream has a model."""
        within("mode", self.mode, Mode.REAL, Mode.BOTH)
        within("seed", self.seed, 0, SEEDS - 1)
        if self.model and self.mode == Mode.REAL:
            raise ProtocolError(f"mode real has no model, got {self.model!r}")


@dataclass(frozen=True, kw_only=True)
class _Action(Message):
    """An action, and the client's own count, which comes back in `Frame`."""

    action: int
    sequence: int = 0
    LAYOUT: ClassVar[Struct] = layout("BH2x")

    def __post_init__(self) -> None:
        """Check the action."""
        within("action", self.action, 0, NUM_ACTIONS - 1)


@dataclass(frozen=True, kw_only=True)
class Keys(_Action):
    """The keys that are down now, as an action."""

    TYPE: ClassVar[int] = 0x02


@dataclass(frozen=True, kw_only=True)
class Ack(Message):
    """The client has drawn this frame and is done with all before it."""

    serial: int
    TYPE: ClassVar[int] = 0x03
    LAYOUT: ClassVar[Struct] = layout("xI")


@dataclass(frozen=True, kw_only=True)
class Pause(Message):
    """Pause, or go on."""

    paused: bool
    TYPE: ClassVar[int] = 0x04
    LAYOUT: ClassVar[Struct] = layout("?")


@dataclass(frozen=True, kw_only=True)
class Step(_Action):
    """Pause, and play one tick by this action."""

    TYPE: ClassVar[int] = 0x05


@dataclass(frozen=True, kw_only=True)
class Reset(Message):
    """Begin anew by a seed, in the same mode by the same model."""

    paused: bool = False
    seed: int
    TYPE: ClassVar[int] = 0x06
    LAYOUT: ClassVar[Struct] = layout("?4xQ")

    def __post_init__(self) -> None:
        """Check the seed."""
        within("seed", self.seed, 0, SEEDS - 1)


@dataclass(frozen=True, kw_only=True)
class Wake(Message):
    """Let the dream go on from the game's last frames."""

    TYPE: ClassVar[int] = 0x07
    LAYOUT: ClassVar[Struct] = layout("x")


@dataclass(frozen=True, kw_only=True)
class Rewind(Message):
    """Go to a step that is kept."""

    step: int
    TYPE: ClassVar[int] = 0x08
    LAYOUT: ClassVar[Struct] = layout("xI")


@dataclass(frozen=True, kw_only=True)
class Record(Message):
    """Ask for the recording."""

    TYPE: ClassVar[int] = 0x09
    LAYOUT: ClassVar[Struct] = layout("x")


@dataclass(frozen=True, kw_only=True)
class Ping(Message):
    """Ask for a `Pong`."""

    token: int
    TYPE: ClassVar[int] = 0x0A
    LAYOUT: ClassVar[Struct] = layout("xI")
