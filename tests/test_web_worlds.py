"""What players see of the game, the dream and both, by an engine that is ticked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("websockets")

from web_players import Ending, TheGameItself
from web_table import MODES, Table, actions, pixels, start

from mirage_env import MirageEnv
from mirage_web.lanes import DreamLanes
from mirage_web.protocol import (
    Begin,
    Frame,
    Keys,
    Notice,
    Reset,
    Rewind,
    Step,
    Wake,
)
from mirage_web.wire import NO_ACTION, Mode, NoticeCode, State
from mirage_wm.dream import Dream
from mirage_wm.predictor import Predictor

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
