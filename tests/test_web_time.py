"""Pausing, stepping, going back, and recordings, by an engine that is ticked by hand."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

pytest.importorskip("websockets")

from web_table import MODES, Table, actions, recording, replay, shown, start

from mirage_env.runs import WAKE, from_runs
from mirage_web.engine import Halt
from mirage_web.lanes import DreamLanes
from mirage_web.protocol import (
    ClientMessage,
    Keys,
    Notice,
    Pause,
    Record,
    Recording,
    Reset,
    Rewind,
    Step,
    Wake,
)
from mirage_web.sitting import MAX_PLANNED
from mirage_web.timeline import REWIND_STEPS
from mirage_web.wire import Close, Mode, NoticeCode, State
from mirage_wm.predictor import Predictor

# Time


def test_a_running_game_plays_a_tick_at_each_tick(table: Table) -> None:
    table.ask("Ada", start(Mode.REAL, paused=False), ticks=31)
    assert [frame.step for frame in table.frames("Ada")] == list(range(31))


def test_pausing_stops_and_going_on_goes_on(table: Table) -> None:
    table.ask("Ada", start(Mode.REAL, paused=False), ticks=5)
    paused = table.ask("Ada", Pause(paused=True))
    assert (paused.step, paused.state) == (4, State.PAUSED)
    count = len(table.frames("Ada"))
    table.tick(10)
    assert len(table.frames("Ada")) == count
    table.ask("Ada", Pause(paused=False), ticks=3)
    assert [frame.step for frame in table.frames("Ada")[count:]] == [5, 6, 7]


def test_a_step_pauses_and_plays_one_tick_by_its_own_action(table: Table) -> None:
    table.ask("Ada", start(Mode.REAL, paused=False), Keys(action=4), ticks=3)
    table.ask("Ada", Step(action=9, sequence=77))
    *_, frame = table.frames("Ada")
    assert (frame.action, frame.sequence, frame.state) == (9, 77, State.PAUSED)
    count = len(table.frames("Ada"))
    table.tick(5)
    assert len(table.frames("Ada")) == count


def test_steps_wait_for_their_tick_and_keep_their_order(table: Table) -> None:
    table.ask("Ada", start(Mode.REAL))
    script = actions(MAX_PLANNED)
    table.ask("Ada", *(Step(action=action) for action in script), ticks=len(script))
    assert [frame.action for frame in table.frames("Ada")[1:]] == script


def test_too_many_waiting_steps_end_the_sitting_and_no_other(table: Table) -> None:
    table.ask("Bob", start(Mode.REAL, paused=False))
    table.ask("Ada", start(Mode.REAL))
    table.ask("Ada", *(Step(action=0) for _ in range(MAX_PLANNED + 1)))
    code, reason = table.closed["Ada"]
    assert code == Close.POLICY
    assert reason == "more than 256 steps are waiting to be played"
    table.tick(3)
    assert table.frames("Bob")[-1].step == 5
    assert set(table.closed) == {"Ada"}


def test_a_tap_between_two_ticks_counts_for_one_tick(table: Table) -> None:
    table.ask("Ada", start(Mode.REAL, paused=False), ticks=2)
    tap = [Keys(action=3, sequence=1), Keys(action=8, sequence=2), Keys(action=0, sequence=3)]
    table.ask("Ada", *tap, ticks=2)
    first, second = table.frames("Ada")[-2:]
    assert (first.action, first.sequence) == (8 + 3, 3)
    assert (second.action, second.sequence) == (0, 3)


def test_keys_are_kept_until_they_change_and_of_two_turns_the_held_one_wins(table: Table) -> None:
    table.ask("Ada", start(Mode.REAL, paused=False), Keys(action=4), ticks=4)
    assert [frame.action for frame in table.frames("Ada")[1:]] == [4, 4, 4]
    assert table.ask("Ada", Keys(action=8), Keys(action=4)).action == 4
    assert table.ask("Ada", Keys(action=0)).action == 0


def test_taps_while_paused_are_forgotten(table: Table) -> None:
    table.ask("Ada", start(Mode.REAL), Keys(action=1), Keys(action=0))
    table.ask("Ada", Pause(paused=False), ticks=2)
    assert table.frames("Ada")[-1].action == 0


# Going back


@pytest.mark.parametrize("mode", MODES)
def test_after_a_rewind_the_same_keys_give_the_same_and_others_another_game(
    table: Table, mode: Mode
) -> None:
    table.ask("Ada", start(mode))
    keys = actions(90)
    once = table.play("Ada", keys)
    back = table.ask("Ada", Rewind(step=30))
    assert shown(back) == shown(once[29])
    assert (back.oldest, back.newest) == (0, 90)
    again = table.play("Ada", keys[30:])
    assert list(map(shown, again)) == list(map(shown, once[30:]))
    assert again[0].newest == 31, "what was ahead is gone"
    table.ask("Ada", Rewind(step=30))
    other = table.play("Ada", [(key + 4) % 12 for key in keys[30:]])
    assert other[-1].worlds[0].pixels != once[-1].worlds[0].pixels


def test_a_rewind_goes_back_and_forth_among_what_is_kept(table: Table) -> None:
    table.ask("Ada", start(Mode.BOTH))
    frames = [table.frames("Ada")[0], *table.play("Ada", actions(40))]
    for step in (10, 35, 0, 40, 20):
        assert shown(table.ask("Ada", Rewind(step=step))) == shown(frames[step])


def test_a_rewind_stays_running_or_paused(table: Table) -> None:
    table.ask("Ada", start(Mode.REAL, paused=False), ticks=20)
    table.ask("Ada", Rewind(step=5), ticks=3)
    assert [frame.step for frame in table.frames("Ada")[-3:]] == [5, 6, 7]
    table.ask("Ada", Pause(paused=True))
    table.ask("Ada", Rewind(step=2), ticks=3)
    assert table.frames("Ada")[-1].step == 2


def test_ten_seconds_are_kept_and_no_more(table: Table) -> None:
    table.ask("Ada", start(Mode.BOTH))
    table.play("Ada", actions(REWIND_STEPS + 20))
    *_, frame = table.frames("Ada")
    assert (frame.oldest, frame.step) == (20, 320)
    assert table.ask("Ada", Rewind(step=20)).step == 20
    assert table.ask("Ada", Wake()).psnr == math.inf, "the frames before the oldest are kept, too"
    for step in (19, 321, 2**32 - 1):
        said = table.ask("Ada", Rewind(step=step))
        assert said == Notice(code=NoticeCode.STEP_NOT_KEPT, step=20)


def test_every_jump_is_a_new_generation(table: Table) -> None:
    table.ask("Ada", start(Mode.BOTH))
    table.play("Ada", [1, 2, 3])
    for message in (Rewind(step=2), Wake(), Reset(seed=1), start(Mode.REAL)):
        before = table.frames("Ada")[-1].generation
        assert table.ask("Ada", message).generation == before + 1


def test_of_what_is_kept_each_picture_of_a_dream_is_kept_once(table: Table) -> None:
    table.ask("Ada", start(Mode.DREAM))
    table.play("Ada", [0] * 10)
    sitting = table.engine._sittings["Ada"]
    seen = [entry.moments[0].state.frames for entry in sitting.timeline.last(10)]
    assert len({id(frame) for frames in seen for frame in frames}) == 13


# Recordings


@pytest.mark.parametrize("mode", MODES)
def test_a_recording_gives_the_same_frames_again(table: Table, mode: Mode) -> None:
    table.ask("Ada", start(mode, paused=False))
    for action in actions(150):
        table.ask("Ada", Keys(action=action))
    table.ask("Ada", Pause(paused=True))
    told = recording(table, "Ada")
    replay(table, "Bob", mode, told.runs)
    *ada, _ = table.frames("Ada")  # the last says that it is paused
    bob = table.frames("Bob")
    assert told.steps == ada[-1].step == bob[-1].step == 150
    assert list(map(shown, ada)) == list(map(shown, bob))


def test_a_recording_with_wakes_and_rewinds_ends_where_the_game_did(table: Table) -> None:
    table.ask("Ada", start(Mode.BOTH))
    table.play("Ada", actions(60))
    table.ask("Ada", Wake())
    table.play("Ada", actions(30, seed=1))
    table.ask("Ada", Rewind(step=40), Wake(), Wake())
    table.play("Ada", actions(25, seed=2))
    told = recording(table, "Ada")
    assert from_runs(told.runs).count(WAKE) == 2, "the first wake was taken back"
    replay(table, "Bob", Mode.BOTH, told.runs)
    assert shown(table.frames("Bob")[-1]) == shown(table.frames("Ada")[-1])


def test_wakes_keep_their_place_among_waiting_steps(table: Table) -> None:
    script = [Step(action=3), Step(action=4), Wake(), Step(action=5), Wake()]
    table.ask("Ada", start(Mode.BOTH))
    table.ask("Ada", *script, ticks=10)
    assert from_runs(recording(table, "Ada").runs) == bytes([3, 4, WAKE, 5, WAKE])


def test_a_recording_of_nothing_is_empty(table: Table) -> None:
    table.ask("Ada", start(Mode.REAL))
    assert recording(table, "Ada") == Recording(steps=0, generation=1, runs=b"")


@pytest.mark.parametrize("mode", [Mode.DREAM, Mode.BOTH])
def test_a_dream_by_a_real_model_replays_exactly_however_many_others_dream(
    v1: Predictor, mode: Mode
) -> None:
    table = Table(v1=DreamLanes(v1, None))
    table.ask("Ada", start(mode, model="v1"))
    table.play("Ada", actions(10))
    told = recording(table, "Ada")
    table.ask("Cleo", start(Mode.DREAM, seed=1, model="v1", paused=False))
    replay(table, "Bob", mode, told.runs, "v1")
    assert list(map(shown, table.frames("Bob"))) == list(map(shown, table.frames("Ada")))


def test_whatever_is_asked_in_whatever_order_the_recording_leads_to_what_is_shown() -> None:
    rng = random.Random(0)
    table = Table()
    table.ask("Ada", start(Mode.BOTH))
    weights = [90, 90, 20, 10, 2, 10, 5]
    ways: list[Callable[[], ClientMessage | Halt]] = [
        lambda: Keys(action=rng.randrange(12), sequence=rng.randrange(2**16)),
        lambda: Step(action=rng.randrange(12)),
        lambda: Pause(paused=rng.random() < 0.5),
        lambda: Wake(),
        lambda: Rewind(step=rng.randrange(400)),
        lambda: Record(),
        lambda: Halt(State.IDLE),
    ]
    for _ in range(1500):
        asked = [rng.choices(ways, weights)[0]() for _ in range(rng.randrange(3))]
        table.ask("Ada", *asked, ticks=rng.randrange(1, 3))
    table.ask("Ada", Pause(paused=True), ticks=3)
    assert not table.closed
    told = recording(table, "Ada")
    replay(table, "Bob", Mode.BOTH, told.runs)
    assert table.frames("Ada")[-1].step == told.steps > 100
    assert shown(table.frames("Bob")[-1]) == shown(table.frames("Ada")[-1])
