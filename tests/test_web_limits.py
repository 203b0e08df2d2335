"""The server's small rules, each by itself: windows, allowances, places, keys, timelines."""

from __future__ import annotations

import doctest
import math
from collections import deque

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirage_env.runs import MAX_WAKES, WAKE, from_runs
from mirage_web import places
from mirage_web.lanes import Moment
from mirage_web.limits import COST, Allowance, cost
from mirage_web.places import FullError, Places
from mirage_web.protocol import Ack, Record, Reset, Start
from mirage_web.sitting import Held
from mirage_web.timeline import REWIND_STEPS, Timeline
from mirage_web.window import LEAST, MOST, REMEMBERED, Window
from mirage_web.wire import TICKS_PER_SECOND

# Frames on the way


def played(
    window: Window, start: float, end: float, delay: float, each: float
) -> tuple[float, float]:
    """Let thirty frames a second go over a line for some time.

    Args:
        window: Of the sender.
        start: When it begins, s.
        end: When it ends, s.
        delay: Seconds there and back.
        each: Seconds that the line is busy with a frame.

    Returns:
        Frames a second and the greatest age of one in the last three seconds.
    """
    free, newest, ages = start, -1, []
    acknowledged: deque[tuple[float, int]] = deque()
    for now in np.arange(start, end, 0.001).tolist():
        while acknowledged and acknowledged[0][0] <= now:
            at, serial = acknowledged.popleft()
            window.acknowledged(serial, at)
        picture = math.floor(now * TICKS_PER_SECOND)
        if picture > newest and window.open(now):
            newest = picture
            window.sent(picture, now)
            free = max(free, now) + each
            acknowledged.append((free + delay, picture))
            if free + delay / 2 > end - 3:
                ages.append(free + delay / 2 - picture / TICKS_PER_SECOND)
    for at, serial in acknowledged:
        window.acknowledged(serial, at)
    return len(ages) / 3, max(ages)


@pytest.mark.parametrize(
    ("delay", "each", "rate", "age"),
    [
        (0.001, 0.0001, 29, 0.05),
        (0.030, 0.001, 29, 0.06),
        (0.100, 0.001, 29, 0.10),
        (0.200, 0.001, 28, 0.16),
        (0.001, 0.123, 7.9, 0.29),  # 100 kB/s for frames of 12 kB
        (0.100, 0.123, 7.5, 0.40),
        (0.001, 0.060, 16, 0.17),
    ],
)
def test_a_line_is_filled_and_frames_do_not_queue_in_it(
    delay: float, each: float, rate: float, age: float
) -> None:
    found = played(Window(), 0, 40, delay, each)
    assert found[0] >= rate
    assert found[1] <= age


def test_a_line_that_grows_longer_or_faster_is_noticed() -> None:
    window = Window()
    played(window, 0, 20, 0.001, 0.123)
    assert window.size(20) == LEAST
    rate, _ = played(window, 21, 50, 0.25, 0.001)
    assert (window.size(50), rate > 29) == (MOST, True)
    _, age = played(window, 51, 80, 0.001, 0.001)
    assert (window.size(80), age < 0.05) == (LEAST, True)


def test_before_anything_is_known_two_frames_are_on_the_way() -> None:
    fresh = Window()
    for serial in range(LEAST):
        assert fresh.open(0.0)
        fresh.sent(serial, 0.0)
    assert not fresh.open(0.0)
    assert fresh.waiting_since == 0.0


def test_a_line_of_which_nothing_is_known_any_more_is_left_to_one_frame() -> None:
    window = Window()
    window.sent(0, 0.0)
    window.acknowledged(0, 0.01)
    assert window.size(REMEMBERED) == LEAST
    assert window.size(REMEMBERED + 1) == 1


def test_an_acknowledgement_stands_for_all_frames_before_it() -> None:
    seen = Window()
    for serial in range(10, 15):
        seen.sent(serial, float(serial))
    seen.acknowledged(13, 20.0)
    assert seen.waiting_since == 14.0
    seen.acknowledged(13, 20.0)
    seen.acknowledged(99, 20.0)
    assert seen.waiting_since == 14.0


# Messages


def test_an_allowance_is_a_second_s_worth_and_fills_up_evenly() -> None:
    allowance = Allowance(90, now=5.0)
    assert all(allowance.take(1, 5.0) for _ in range(90))
    assert not allowance.take(1, 5.0)
    fresh = Allowance(90, now=0.0)
    assert all(fresh.take(1, i / 90) for i in range(1000)), "ninety a second for ever"
    assert not all(fresh.take(1, 12 + i / 100) for i in range(1000)), "a hundred a second are not"


def test_messages_that_make_work_cost_more() -> None:
    assert cost(Ack(serial=1)) == 1
    for message in (Start(mode=1, seed=0), Reset(seed=0), Record()):
        assert cost(message) == COST


# Places


def test_the_example_of_places_is_right() -> None:
    assert doctest.testmod(places).failed == 0


def test_nobody_overtakes_the_queue() -> None:
    full = Places[str]({"dream": 1}, waiting=5)
    full.ask("Ada", "dream")
    full.ask("Bob", "dream")
    full.leave("Ada")
    assert not full.ask("Cleo", "dream"), "Bob was here before"
    assert full.admit() == ["Bob"]
    assert full.position("Cleo") == (1, 1)


def test_kinds_of_places_have_queues_of_their_own() -> None:
    both = Places[str]({"dream": 1, "game": 1}, waiting=5)
    for who, kind in (("a", "dream"), ("b", "game"), ("c", "dream"), ("d", "game")):
        both.ask(who, kind)
    assert both.position("c") == both.position("d") == (1, 1)
    both.leave("b")
    assert both.admit() == ["d"]
    assert (both.playing, both.waiting) == (2, 1)


def test_who_asks_for_the_same_keeps_the_place_and_who_asks_for_another_gives_it_up() -> None:
    both = Places[str]({"dream": 1, "game": 1}, waiting=0)
    assert both.ask("Ada", "dream")
    assert both.ask("Ada", "dream")
    assert both.ask("Bob", "game")
    with pytest.raises(FullError):
        both.ask("Ada", "game")
    assert both.playing == 1, "Ada has given up her place"


@given(st.lists(st.tuples(st.sampled_from("ask leave admit".split()), st.integers(0, 9))))
def test_there_are_never_more_players_than_places(steps: list[tuple[str, int]]) -> None:
    few = Places[int]({"even": 2, "odd": 1}, waiting=3)
    for what, who in steps:
        if what == "ask":
            try:
                few.ask(who, "odd" if who % 2 else "even")
            except FullError:
                assert few.waiting == 3
        elif what == "leave":
            few.leave(who)
        else:
            few.admit()
            assert few.admit() == []
        assert sum(kind == "even" for kind in few._playing.values()) <= 2
        assert sum(kind == "odd" for kind in few._playing.values()) <= 1
        assert few.waiting <= 3
        assert not set(few.queue()) & set(few._playing)


# Keys


def test_held_keys_stay_and_taps_count_once() -> None:
    held = Held()
    held.press(2)
    assert [held.take(), held.take()] == [2, 2]
    held.press(3)
    held.press(2)
    assert [held.take(), held.take()] == [3, 2]
    held.press(0)
    assert held.take() == 0


def test_of_two_turns_the_last_counts_unless_one_is_held() -> None:
    held = Held()
    for action in (4, 8, 0):
        held.press(action)
    assert [held.take(), held.take()] == [8, 0]
    for action in (4, 8, 4):
        held.press(action)
    assert held.take() == 4


# Timelines


def moment(score: int) -> Moment:
    return Moment(b"", 0, score, 0)


def timeline(steps: int) -> Timeline:
    """Return a timeline whose step n has the score n, after an opening of four frames."""
    line = Timeline([moment(-3), moment(-2), moment(-1)], (moment(0),))
    for n in range(1, steps + 1):
        line.add(n % 12, (moment(n),))
    return line


@pytest.mark.parametrize("steps", [0, 1, 299, 300, 301, 1000])
def test_a_timeline_keeps_ten_seconds_and_what_a_wake_needs_before_them(steps: int) -> None:
    line = timeline(steps)
    assert (line.oldest, line.newest) == (max(0, steps - REWIND_STEPS), steps)
    assert line.show(line.oldest)
    assert [entry.step for entry in line.last(4)] == list(range(line.oldest - 3, line.oldest + 1))
    assert [entry.moments[0].score for entry in line.last(4)][-1] == line.oldest
    assert not line.show(line.oldest - 1)
    assert not line.show(line.newest + 1)


def test_a_tick_after_a_rewind_replaces_what_was_ahead() -> None:
    line = timeline(20)
    line.show(10)
    assert line.newest == 20
    line.add(7, (moment(99),))
    assert (line.newest, line.now.moments[0].score) == (11, 99)
    assert from_runs(line.runs()) == bytes([*range(1, 11), 7])


def test_a_recording_is_what_led_to_the_step_that_is_shown() -> None:
    line = timeline(5)
    line.wake((moment(50),))
    line.add(0, (moment(6),))
    assert from_runs(line.runs()) == bytes([1, 2, 3, 4, 5, WAKE, 0])
    line.show(5)
    assert from_runs(line.runs()) == bytes([1, 2, 3, 4, 5, WAKE])
    line.show(4)
    line.wake((moment(40),))
    assert from_runs(line.runs()) == bytes([1, 2, 3, 4, WAKE])
    assert line.newest == 4


def test_a_recording_has_room_for_so_many_wakes() -> None:
    line = timeline(1)
    for _ in range(MAX_WAKES):
        assert line.may_wake
        line.wake((moment(1),))
    assert not line.may_wake
    line.show(0)
    assert line.may_wake
