"""The file of a replay: a JSON object that says what it is, and notices when it was damaged.

docs/replay.md tells the format. What the fields mean for a game is `mirage_env.replay`'s.
"""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path
from typing import Any

from mirage_env.rules import RULES_VERSION

__all__ = ["SUFFIX", "ReplayError", "pack", "read", "unpack"]

SUFFIX = ".replay"
FORMAT = "mirage replay"
VERSION = 1
"""Of the file; a file of a higher one is refused."""
MAX_BYTES = 2 * 10**6
"""No file is larger."""

KINDS: dict[str, type] = {
    "rules": dict,
    "seed": int,
    "episode": int,
    "start": str,
    "ticks": int,
    "actions": str,
    "truncated": bool,
    "score": int,
    "state_hash": str,
}
"""The fields of a replay, beside those that say what it is."""


class ReplayError(ValueError):
    """What is no replay, or one that does not come out; the message says why."""


def pack(fields: dict[str, Any]) -> str:
    """Return the text of a file with these fields, which are those in `KINDS`."""
    told = {"format": FORMAT, "version": VERSION, "rules_version": RULES_VERSION, **fields}
    return json.dumps({**told, "checksum": _checksum(told)}, indent=1) + "\n"


def unpack(text: str) -> dict[str, Any]:
    """Return the fields that a text holds, each of its kind.

    Raises:
        ReplayError: If it is no replay, is damaged, or is of another version.
    """
    told = _parsed(text)
    if told.pop("checksum", None) != _checksum(told):
        raise ReplayError("it is damaged: its checksum is not that of what it holds")
    del told["format"], told["version"]
    rules_version = told.pop("rules_version", None)
    if rules_version != RULES_VERSION:
        raise ReplayError(
            f"it was played by the rules of version {rules_version!r} and this Mirage plays "
            f"those of version {RULES_VERSION}: the same keys would be another game"
        )
    for name in sorted(told.keys() ^ KINDS.keys()):
        raise ReplayError(f"it has {'an unknown' if name in told else 'no'} field {name!r}")
    for name, kind in KINDS.items():
        if type(told[name]) is not kind:
            raise ReplayError(f"its field {name!r} cannot be {told[name]!r:.40}")
    return told


def _parsed(text: str) -> dict[str, Any]:
    """Return the object that a text is, if it says that it is a replay of this version."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as error:
        if f'"{FORMAT}"' in text[:64]:
            raise ReplayError(f"it is damaged, or only a part of the file: {error}") from None
        raise ReplayError("it is no replay of Mirage") from None
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise ReplayError("it is no replay of Mirage")
    version = told.get("version")
    if type(version) is not int or version < 1:
        raise ReplayError(f"its version cannot be {version!r:.40}")
    if version > VERSION:
        raise ReplayError(
            f"it is of version {version} and this Mirage reads version {VERSION}: use a newer one"
        )
    return told


def _checksum(told: dict[str, Any]) -> str:
    """Return the CRC-32 of the fields in their order, written without white space."""
    written = json.dumps(told, separators=(",", ":"))
    return f"{zlib.crc32(written.encode()):08x}"


def read(path: str | os.PathLike[str]) -> str:
    """Return the text of a file.

    Raises:
        ReplayError: If it is larger than any replay.
        OSError: If it cannot be read.
    """
    with Path(path).open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ReplayError(f"it is no replay of Mirage: none is larger than {MAX_BYTES} bytes")
    return data.decode("utf-8", "replace")
