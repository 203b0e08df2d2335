"""The engine, ticked by hand: what players see of the game, the dream and both."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

pytest.importorskip("websockets")

from web_players import Ending, Fading, Failing, TheGameItself

from mirage_env import MirageEnv
from mirage_web.engine import Delivery, Engine, Gone, Halt
from mirage_web.lanes import DreamLanes
from mirage_web.protocol import (
    Begin,
    ClientMessage,
    Frame,
    Keys,
    Notice,
    Pause,
    Record,
    Recording,
    Reset,
    Rewind,
    ServerMessage,
    Start,
    Step,
    Wake,
    decode_server,
)
from mirage_web.recording import WAKE, from_runs
from mirage_web.sitting import MAX_PLANNED
from mirage_web.timeline import REWIND_STEPS
from mirage_web.wire import NO_ACTION, Close, Mode, NoticeCode, State
from mirage_wm.dream import Dream
from mirage_wm.predictors import OnnxPredictor, Predictor

MODES = [Mode.REAL, Mode.DREAM, Mode.BOTH]


class Table:
    """An engine that is ticked by hand, and what it has said to each player."""

    def __init__(self, **models: DreamLanes) -> None:
        self.engine = Engine(models or {"fading": DreamLanes(Fading(), 4)}, self._take)
        self.said: dict[Any, list[ServerMessage]] = {}
        self.closed: dict[Any, tuple[int, str]] = {}

    def _take(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            said = self.said.setdefault(delivery.player, [])
            said += map(decode_server, delivery.messages)
            if delivery.frame is not None:
                frame = decode_server(delivery.frame[1])
                assert isinstance(frame, Frame)
                assert frame.serial == delivery.frame[0]
                said.append(frame)
            if delivery.close is not None:
                self.closed[delivery.player] = delivery.close

    def tick(self, count: int = 1) -> None:
        for _ in range(count):
            self.engine.tick()

    def ask(self, player: Any, *messages: ClientMessage | Gone | Halt, ticks: int = 1) -> Any:
        """Post messages, tick, and return the last thing said to the player."""
        for message in messages:
            self.engine.post(player, message)
        self.tick(ticks)
        return self.said[player][-1] if self.said.get(player) else None

    def play(self, player: Any, actions: Sequence[int]) -> list[Frame]:
        """Play exactly these actions; return the frames that came of them."""
        before = len(self.frames(player))
        for action in actions:
            self.ask(player, Step(action=action))
        return self.frames(player)[before:]

    def frames(self, player: Any) -> list[Frame]:
        return [message for message in self.said.get(player, []) if isinstance(message, Frame)]


def start(mode: Mode, seed: int = 7, model: str = "fading", paused: bool = True) -> Start:
    return Start(mode=mode, seed=seed, model="" if mode == Mode.REAL else model, paused=paused)


def shown(frame: Frame) -> tuple[Any, ...]:
    """What a player sees of a step: all but when it came and how it was counted."""
    return frame.step, frame.action, repr(frame.psnr), frame.worlds


def actions(count: int, seed: int = 0) -> list[int]:
    """Keys as a person presses them: each held for some ticks."""
    rng = np.random.default_rng(seed)
    return np.repeat(rng.integers(0, 12, count), rng.integers(1, 12, count))[:count].tolist()


def pixels(frame: Frame, world: int = 0) -> np.ndarray:
    return np.frombuffer(frame.worlds[world].pixels, np.uint8).reshape(64, 64, 3)


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture(scope="module")
def v1() -> Predictor:
    """A real model."""
    pytest.importorskip("onnxruntime")
    return OnnxPredictor("v1", threads=1)


# The beginning


def test_all_modes_begin_with_the_same_picture_and_the_fourth_of_the_game(table: Table) -> None:
    real, dream, both = (table.ask(mode, start(mode)) for mode in MODES)
    env = MirageEnv()
    env.reset(seed=7)
    for _ in range(3):
        picture, *_ = env.step(0)
    for world in (*real.worlds, *dream.worlds, *both.worlds):
        assert world.pixels == picture.tobytes()
    assert [world.world for world in both.worlds] == [Mode.REAL, Mode.DREAM]
    assert (real.step, real.action, real.oldest, real.newest) == (0, NO_ACTION, 0, 0)
    assert math.isnan(real.psnr)
    assert math.isnan(dream.psnr)
    assert both.psnr == math.inf


def test_begin_comes_before_the_first_frame_and_says_what_is_played(table: Table) -> None:
    table.ask("Ada", start(Mode.BOTH, seed=2**53 - 1))
    begin, frame = table.said["Ada"]
    assert begin == Begin(mode=Mode.BOTH, paused=True, generation=1, seed=2**53 - 1, model="fading")
    assert isinstance(frame, Frame)
    assert (frame.generation, frame.state) == (1, State.PAUSED)


def test_the_game_is_the_environment_s(table: Table) -> None:
    table.ask("Ada", start(Mode.REAL))
    env = MirageEnv()
    env.reset(seed=7)
    for _ in range(3):
        env.step(0)
    for frame in table.play("Ada", actions(120)):
        picture, reward, terminated, _, info = env.step(frame.action)
        (world,) = frame.worlds
        assert world.pixels == picture.tobytes()
        assert (world.reward, world.score, world.lives) == (reward, info["score"], info["lives"])
        assert world.flags == int(terminated)


def test_the_dream_is_the_environment_s(v1: Predictor) -> None:
    table, dream = Table(v1=DreamLanes(v1)), Dream(1, v1)
    table.ask("Ada", start(Mode.DREAM, model="v1"))
    dream.reset(np.array([7], np.uint64))
    for frame in table.play("Ada", actions(8)):
        dream.step(np.array([frame.action], np.int32))
        assert frame.worlds[0].pixels == dream.render(64).tobytes()


# Two worlds, one stream of keys


def test_with_the_simulator_in_the_model_s_place_the_two_never_differ() -> None:
    table = Table(itself=DreamLanes(TheGameItself(7), 2))
    table.ask("Ada", start(Mode.BOTH, model="itself"))
    table.play("Ada", actions(400))
    table.ask("Ada", Wake())
    table.play("Ada", actions(200, seed=1))
    table.ask("Ada", Rewind(step=350), Wake())
    table.play("Ada", actions(200, seed=2))
    frames = table.frames("Ada")
    assert len(frames) > 800
    assert all(frame.psnr == math.inf for frame in frames)
    for frame in frames:
        game, dream = frame.worlds
        assert (game.pixels, game.reward) == (dream.pixels, dream.reward)
        assert game.flags == dream.flags


def test_a_dream_of_its_own_differs_and_the_psnr_says_by_how_much(table: Table) -> None:
    table.ask("Ada", start(Mode.BOTH))
    *_, frame = table.play("Ada", [2] * 10)
    error = np.mean((pixels(frame).astype(float) - pixels(frame, 1)) ** 2)
    assert frame.psnr == pytest.approx(10 * np.log10(255**2 / error), rel=1e-6)
    assert 5 < frame.psnr < 40


def test_wake_shows_the_game_in_the_dream_and_lets_it_dream_on_from_there(table: Table) -> None:
    table.ask("Ada", start(Mode.BOTH))
    keys = actions(20)
    *_, before = table.play("Ada", keys)
    woken = table.ask("Ada", Wake())
    assert woken.step == before.step == 20
    assert woken.generation == before.generation + 1
    assert woken.psnr == math.inf
    assert woken.worlds[1].score == before.worlds[1].score
    (after,) = table.play("Ada", [5])
    last = pixels(woken) // 8 * 7  # what this dream makes of the game's last frame
    last[0, :4, 0] = np.array([*keys[-3:], 5]) * 20
    assert np.array_equal(pixels(after, 1), last)


@pytest.mark.parametrize("mode", [Mode.REAL, Mode.DREAM])
def test_there_is_nothing_to_wake_where_one_world_is_played(table: Table, mode: Mode) -> None:
    table.ask("Ada", start(mode))
    said = table.ask("Ada", Wake())
    assert said == Notice(code=NoticeCode.NOTHING_TO_WAKE, step=0)


def test_a_world_that_has_ended_stands_still_and_the_other_goes_on() -> None:
    table = Table(ending=DreamLanes(Ending()))
    table.ask("Ada", start(Mode.BOTH, model="ending"))
    frames = table.play("Ada", [1, 10, 1, 2, 3])
    assert [frame.worlds[1].flags for frame in frames] == [0, 1, 1, 1, 1]
    assert len({frame.worlds[1].pixels for frame in frames[1:]}) == 1
    assert [frame.worlds[1].reward for frame in frames] == [1, 10, 0, 0, 0]
    assert [frame.worlds[1].score for frame in frames] == [1, 11, 11, 11, 11]
    assert len({frame.worlds[0].pixels for frame in frames}) == 5
    assert [frame.step for frame in frames] == [1, 2, 3, 4, 5]
    woken = table.ask("Ada", Wake())
    assert (woken.psnr, woken.worlds[1].flags) == (math.inf, 0), "a dream can be woken from its end"
    assert table.play("Ada", [2])[0].worlds[1].score == 13


def test_when_all_worlds_have_ended_no_tick_is_played_until_a_reset() -> None:
    table = Table(ending=DreamLanes(Ending()))
    begin = start(Mode.DREAM, model="ending", paused=False)
    table.ask("Ada", begin, Keys(action=10), ticks=20)
    *_, last = table.frames("Ada")
    assert (last.state, last.step, last.worlds[0].flags) == (State.ENDED, 1, 1)
    assert len(table.frames("Ada")) == 2
    table.ask("Ada", Step(action=1), Keys(action=0), ticks=5)
    assert table.frames("Ada")[-1].step == 1, "a step plays nothing, either"
    again = table.ask("Ada", Reset(seed=8))
    assert (again.step, again.state) == (0, State.RUNNING)
    assert table.ask("Ada").step == 1


def test_a_sitting_is_cut_off_at_its_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mirage_web.lanes.MAX_STEPS", 20)
    table = Table()
    table.ask("Ada", start(Mode.BOTH, paused=False), ticks=40)
    *_, last = table.frames("Ada")
    assert (last.step, last.state) == (20, State.ENDED)
    assert [world.flags for world in last.worlds] == [2, 2]
    assert [world.flags for world in table.frames("Ada")[-2].worlds] == [0, 0]
    said = table.ask("Ada", Wake())
    assert said == Notice(code=NoticeCode.NOTHING_TO_WAKE, step=20), "the game has ended"


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


def recording(table: Table, player: str) -> Recording:
    table.ask(player, Record())
    return [said for said in table.said[player] if isinstance(said, Recording)][-1]


def replay(table: Table, player: str, mode: Mode, runs: bytes, model: str = "fading") -> None:
    """Play a recording as a page does with a share link."""
    table.ask(player, start(mode, model=model))
    for done in from_runs(runs):
        table.ask(player, Wake() if done == WAKE else Step(action=done))


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
    table = Table(v1=DreamLanes(v1, workers=2))
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


# Many players


def test_what_a_player_sees_does_not_depend_on_the_others(table: Table) -> None:
    keys = actions(60)
    for mode in MODES:
        table.ask(mode, start(mode))
        table.play(mode, keys)
    crowded = Table(fading=DreamLanes(Fading(), 2, workers=3))
    others = [f"other {i}" for i in range(9)]
    for i, other in enumerate(others):
        crowded.ask(other, start(MODES[i % 3], seed=i, paused=False), Keys(action=i))
    for mode in MODES:
        crowded.ask(mode, start(mode))
    for i, action in enumerate(keys):
        if i == 20:
            crowded.ask(others[3], Gone())
            crowded.ask(others[4], Pause(paused=True))
        for mode in MODES:
            crowded.engine.post(mode, Step(action=action))
        crowded.tick()
    for mode in MODES:
        alone, together = table.frames(mode), crowded.frames(mode)
        assert list(map(shown, alone)) == list(map(shown, together))


def test_players_who_are_gone_or_have_not_begun_are_nobody(table: Table) -> None:
    assert table.ask("Ada", Keys(action=1), Wake(), Halt(State.IDLE)) is None
    table.ask("Ada", start(Mode.REAL, paused=False), ticks=3)
    table.ask("Ada", Gone())
    count = len(table.said["Ada"])
    table.ask("Ada", Pause(paused=True), Record(), ticks=3)
    assert len(table.said["Ada"]) == count


def test_a_model_that_fails_ends_the_sittings_that_need_it_and_no_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    models = {"fading": DreamLanes(Fading()), "failing": DreamLanes(Failing())}
    table = Table(**models)
    table.ask("Ada", start(Mode.BOTH, model="failing", paused=False))
    table.ask("Bob", start(Mode.BOTH, model="fading", paused=False))
    table.ask("Cleo", start(Mode.REAL, paused=False))
    table.ask("Ada", Keys(action=11))
    assert table.closed == {"Ada": (Close.MISTAKE, "the server made a mistake: please begin again")}
    assert "a tick failed" in caplog.text
    table.tick(5)
    assert [table.frames(who)[-1].step for who in ("Bob", "Cleo")] == [7, 6]
    table.ask("Ada", start(Mode.BOTH, model="failing", paused=False), ticks=3)
    assert table.frames("Ada")[-1].step == 2, "and it can be played again"


@pytest.mark.parametrize("why", [State.IDLE, State.UNACKNOWLEDGED])
def test_the_server_pauses_for_its_own_reasons_and_says_them(table: Table, why: State) -> None:
    table.ask("Ada", start(Mode.REAL, paused=False), ticks=3)
    assert table.ask("Ada", Halt(why)).state == why
    table.ask("Ada", Pause(paused=False), ticks=2)
    assert table.frames("Ada")[-1].state == State.RUNNING
    table.ask("Ada", Pause(paused=True))
    assert table.ask("Ada", Halt(why)).state == State.PAUSED, "it was paused already"


def test_running_players_are_told_that_ticks_come_late_and_not_too_often(table: Table) -> None:
    table.ask("Ada", start(Mode.REAL, paused=False))
    table.ask("Bob", start(Mode.REAL))
    for _ in range(60):
        table.engine.tick(late=True)
    notices = {who: [m for m in said if isinstance(m, Notice)] for who, said in table.said.items()}
    assert [notice.code for notice in notices["Ada"]] == [NoticeCode.SERVER_BUSY]
    assert not notices["Bob"]


def test_the_thread_plays_by_itself_and_ends_when_asked() -> None:
    import threading

    seen = threading.Event()
    table: list[Delivery] = []

    def deliver(deliveries: list[Delivery]) -> None:
        table.extend(deliveries)
        if len(table) > 5:
            seen.set()

    engine = Engine({}, deliver)
    assert not engine.healthy
    engine.start()
    engine.post("Ada", start(Mode.REAL, paused=False))
    assert seen.wait(30)
    assert engine.healthy
    engine.stop()
    assert not engine.healthy


def test_an_engine_that_hangs_is_not_healthy() -> None:
    now = [0.0]
    engine = Engine({}, lambda _: None, clock=lambda: now[0])
    engine.start()
    now[0] = 1000.0
    engine.stop()
    assert not engine.healthy
