"""Share links of the page in the browser, as replays and back. docs/protocol.md tells the link."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

from mirage_env.replay import Replay
from mirage_env.replay_file import ReplayError
from mirage_env.rules import Rules
from mirage_env.runs import MAX_STEPS, WAKE, from_runs, from_text, to_runs, to_text

__all__ = ["from_link", "is_link", "to_link"]

OPENING = 3
"""Ticks without a key before the first of a recording: a sitting begins with four frames."""
SEEDS = 2**53
"""Seeds in a link are below this: so far JavaScript's numbers are exact."""


def is_link(text: str) -> bool:
    """Return whether a text is meant as a share link rather than as the name of a file."""
    return text.startswith(("http://", "https://", "/?", "?")) or "#r=" in text


def from_link(link: str, backend: str = "auto") -> Replay:
    """Return the game that a share link holds.

    A link holds what was done and not what came of it: the game is played once to know its score
    and its last state. Of a sitting with game and dream this is the game; where the dream woke has
    no part in it.

    Args:
        link: The whole address, or the part from "?" on.
        backend: What plays it.

    Raises:
        ReplayError: If it holds no game, or is damaged.
    """
    try:
        address = urlsplit(link.strip())
        said = {name: values[0] for name, values in parse_qs(address.query).items()}
        text = parse_qs(address.fragment).get("r", [""])[0]
    except ValueError as error:
        raise ReplayError(f"this is no share link: {error}") from None
    if not text:
        raise ReplayError(
            "the link holds no recording: Share, in the page, makes one that ends in #r=..."
        )
    mode = said.get("mode", "both")
    if mode == "dream":
        raise ReplayError(
            "the link is of a dream, and a replay is of the game: open it in the browser that "
            "mirage serve plays in"
        )
    if mode not in ("real", "both"):
        raise ReplayError(f"the link has no mode 'real', 'dream' or 'both', but {mode!r:.40}")
    seed = said.get("seed", "")
    if not re.fullmatch(r"[0-9]{1,16}", seed) or int(seed) >= SEEDS:
        raise ReplayError(f"the link has no seed from 0 to 2**53 - 1, but {seed!r:.40}")
    try:
        done = from_runs(from_text(text))
    except ValueError as error:
        raise ReplayError(f"the recording in the link is damaged: {error}") from None
    actions = bytes(OPENING) + done.replace(bytes([WAKE]), b"")
    return Replay.of(actions, seed=int(seed), backend=backend)


def to_link(replay: Replay) -> str:
    """Return the end of the address at which the page plays a replay, from "?" on.

    Raises:
        ReplayError: For a game that cannot be played in the browser.
    """
    why = ""
    if replay.rules != Rules():
        why = "the page plays by the standard rules"
    elif replay.start or replay.episode:
        why = "the page begins with the first episode of a seed"
    elif replay.seed >= SEEDS:
        why = f"the page's seeds are below {SEEDS}"
    elif replay.actions[:OPENING] != bytes(OPENING):
        why = f"a game in the page begins with {OPENING} ticks without a key"
    elif len(replay.actions) > OPENING + MAX_STEPS:
        why = f"the page plays at most {MAX_STEPS} ticks"
    if why:
        raise ReplayError(f"there is no link for this replay: {why}")
    return f"?mode=real&seed={replay.seed}#r={to_text(to_runs(replay.actions[OPENING:]))}"
