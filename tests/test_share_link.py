"""Share links of the page, as replays and back."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulators import sticky_actions

from mirage_env import Replay, Rules
from mirage_env.arena import ARENA_DTYPE
from mirage_env.oracle.hash import state_hash
from mirage_env.replay_file import ReplayError
from mirage_env.runs import WAKE, to_runs, to_text
from mirage_env.share_link import from_link, is_link, to_link

KEYS = bytes(int(actions[0]) for actions in sticky_actions(1, 200, seed=1))


def link(done: bytes, query: str = "mode=real&seed=7") -> str:
    return f"http://127.0.0.1:8000/?{query}#r={to_text(to_runs(done))}"


@pytest.mark.parametrize("query", ["mode=real&seed=7", "mode=both&model=v1&seed=7", "seed=7"])
def test_a_link_is_the_game_that_the_server_played(query):
    lanes = pytest.importorskip("mirage_web.lanes").GameLanes()
    (moment,) = lanes.begin(7)[-1:]
    for action in KEYS:
        (moment,) = lanes.step([moment], [action])
    replay = from_link(link(KEYS, query))
    assert replay.state_hash == state_hash(np.frombuffer(moment.state, ARENA_DTYPE)[0])
    assert replay.score == moment.score > 0
    replay.check()


def test_where_the_dream_woke_has_no_part_in_the_game():
    woke = KEYS[:50] + bytes([WAKE]) + KEYS[50:]
    assert from_link(link(woke, "mode=both&seed=7")) == from_link(link(KEYS))


def test_what_was_played_on_in_the_dream_after_the_game_is_left_out():
    replay = from_link(link(bytes([4]) * 3000))
    assert len(replay.actions) < 3000
    replay.check()


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=40).map(lambda b: bytes(x % 12 for x in b)))
def test_a_replay_goes_to_a_link_and_back(done):
    replay = from_link(link(done))
    assert link(done).endswith(to_link(replay))
    assert from_link(to_link(replay)) == replay


@pytest.mark.parametrize(
    ("replay", "reason"),
    [
        (Replay(7, bytes(9), 0, 0, Rules(cooldown=9)), "by the standard rules"),
        (Replay(7, bytes(9), 0, 0, episode=1), "the first episode"),
        (Replay(2**53, bytes(9), 0, 0), "seeds are below"),
        (Replay(7, bytes([1] * 9), 0, 0), "3 ticks without a key"),
        (Replay(7, bytes(54_004), 0, 0), "at most 54000 ticks"),
    ],
)
def test_a_game_that_the_page_cannot_play_has_no_link(replay, reason):
    with pytest.raises(ReplayError, match=f"no link for this replay: .*{reason}"):
        to_link(replay)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("http://127.0.0.1:8000/?mode=real&seed=7", "holds no recording: Share"),
        (link(KEYS, "mode=dream&seed=7"), "of a dream, and a replay is of the game"),
        (link(KEYS, "mode=other&seed=7"), "no mode .* but 'other'"),
        (link(KEYS, "mode=real"), "no seed from 0 to .* but ''"),
        (link(KEYS, "mode=real&seed=-1"), "no seed from 0 to .* but '-1'"),
        (link(KEYS, f"mode=real&seed={2**53}"), "no seed from 0"),
        (link(KEYS) + "=", "in the link is damaged: a recording is written in"),
        ("?seed=7#r=DQ", "in the link is damaged: a recording has no run 0d"),
        ("?seed=7#r=" + to_text(b"\xf0" * 3376), "at most 54000 steps"),
        ("http://[/?seed=7#r=AA", "this is no share link"),
    ],
)
def test_each_fault_of_a_link_is_named(text, reason):
    assert is_link(text)
    with pytest.raises(ReplayError, match=reason):
        from_link(text)


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_in_the_place_of_a_recording_is_a_game_or_refused(text):
    with suppress(ReplayError):
        assert from_link(f"?seed=7#r={text}").seed == 7


def test_a_path_is_no_link():
    assert not is_link("replays/seed-7.replay")
    assert is_link("http://example.org/?mode=real")
