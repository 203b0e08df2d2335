"""What was done in a game, as runs and as text: docs/protocol.md and docs/replay.md say how."""

from __future__ import annotations

import doctest
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirage_env import runs
from mirage_env.runs import MAX_STEPS, from_runs, from_text, to_runs, to_text


@given(st.binary(max_size=200).map(lambda b: bytes(x % 13 for x in b)))
def test_what_was_done_comes_back_from_runs_and_from_text(done: bytes) -> None:
    written = to_runs(done)
    assert from_runs(written) == done
    assert from_text(to_text(written)) == written
    assert re.fullmatch(r"[A-Za-z0-9_-]*", to_text(written))


def test_a_minute_without_a_key_is_short() -> None:
    assert len(to_text(to_runs(bytes(1800)))) == 151


@pytest.mark.parametrize("written", [b"\x0d", b"\x0f", b"\x1c", b"\x00\xfe"])
def test_bytes_that_are_no_runs_are_refused(written: bytes) -> None:
    with pytest.raises(ValueError, match="a recording has no run"):
        from_runs(written)


@pytest.mark.parametrize("text", ["=", "AA==", "A A", "A", "é", "AB"])
def test_text_that_is_no_recording_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a recording"):
        from_text(text)


def test_a_recording_is_not_longer_than_a_sitting() -> None:
    assert len(from_runs(b"\xf0" * 3_375)) == MAX_STEPS
    with pytest.raises(ValueError, match="at most 54000 steps"):
        from_runs(b"\xf0" * 3_375 + b"\0")
    with pytest.raises(ValueError, match="1000 wakes, got 0 and 1001"):
        from_runs(b"\x0c" * 1_001)


def test_the_example_is_true() -> None:
    assert doctest.testmod(runs).failed == 0
