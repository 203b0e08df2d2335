"""What was done in a game, a byte for each tick or wake, and the same written shortly.

A *run* is a byte: low four bits the action (or `WAKE`), high four how often, less one. As text runs
are base64url without padding (RFC 4648, section 5). Replays and share links both hold them: see
docs/replay.md and docs/protocol.md.
"""

from __future__ import annotations

import base64
import binascii
import re
from itertools import groupby

from mirage_env.actions import NUM_ACTIONS

__all__ = ["MAX_STEPS", "MAX_WAKES", "WAKE", "from_runs", "from_text", "to_runs", "to_text"]

WAKE = NUM_ACTIONS
"""Stands among the actions where a dream beside the game woke; the game takes no notice."""
MAX_STEPS = 54_000
"""Ticks of the longest sitting in a browser: half an hour."""
MAX_WAKES = 1_000
LONGEST = 16


def to_runs(done: bytes) -> bytes:
    """Return actions and wakes (each a byte, 0 to 12) as runs.

    Example:
        >>> to_runs(bytes([0] * 20 + [3, 3, 12])).hex(" ")
        'f0 30 13 0c'
    """
    runs = bytearray()
    for what, same in groupby(done):
        count, longest = len(list(same)), 1 if what == WAKE else LONGEST
        whole, rest = divmod(count, longest)
        runs += bytes([(longest - 1) << 4 | what]) * whole
        if rest:
            runs.append((rest - 1) << 4 | what)
    return bytes(runs)


def from_runs(runs: bytes, max_steps: int = MAX_STEPS, max_wakes: int = MAX_WAKES) -> bytes:
    """Return the actions and wakes of runs.

    Raises:
        ValueError: For a byte that is no run, or more steps or wakes than there may be.
    """
    for run in runs:
        if run & 15 > WAKE or (run & 15 == WAKE and run >> 4):
            raise ValueError(f"a recording has no run {run:02x}")
    steps = sum((run >> 4) + 1 for run in runs if run & 15 != WAKE)
    wakes = sum(run & 15 == WAKE for run in runs)
    if steps > max_steps or wakes > max_wakes:
        raise ValueError(
            f"a recording has at most {max_steps} steps and {max_wakes} wakes, got {steps} and "
            f"{wakes}"
        )
    return b"".join(bytes([run & 15]) * ((run >> 4) + 1) for run in runs)


def to_text(runs: bytes) -> str:
    """Return runs as the text of a share link."""
    return base64.urlsafe_b64encode(runs).rstrip(b"=").decode("ascii")


def from_text(text: str) -> bytes:
    """Return the runs of a share link's text.

    Raises:
        ValueError: If it is not base64url without padding.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]*", text, re.ASCII):
        raise ValueError("a recording is written in A-Z a-z 0-9 _ and -")
    try:
        runs = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise ValueError(f"a recording cannot have {len(text)} characters: {error}") from None
    if to_text(runs) != text:
        raise ValueError("a recording ends in a character with bits that should be 0")
    return runs
