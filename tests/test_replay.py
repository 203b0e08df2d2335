"""Replays: a game comes out again bit for bit, and whatever is none is refused with a reason."""

from __future__ import annotations

import doctest
import errno
import json
import os
import zlib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import LARGE, scene
from simulators import BACKENDS, sticky_actions

import mirage_env.replay
from mirage_env import MirageEnv, MirageVectorEnv, Replay, Rules
from mirage_env.replay import MAX_TICKS
from mirage_env.replay_file import KINDS, ReplayError, pack, unpack

FIRE = 1


def keys(ticks: int, seed: int = 0) -> list[int]:
    return [int(actions[0]) for actions in sticky_actions(1, ticks, seed)]


@pytest.fixture(scope="module")
def game() -> Replay:
    return Replay.of(keys(300), seed=7)


# What comes out


def test_a_replay_is_the_game_that_the_environment_played():
    env = MirageEnv()
    env.reset(seed=3)
    for action in keys(400, seed=3):
        *_, info = env.step(action)
    replay = Replay.of(keys(400, seed=3), seed=3)
    assert (replay.state_hash, replay.score) == (env.state_hash(), info["score"])
    assert replay.score > 0


@pytest.mark.parametrize("other", BACKENDS)
def test_what_one_backend_played_comes_out_on_another(other):
    Replay.of(keys(120), seed=5, backend="native").check(other)


def test_rules_of_its_own_come_along(game):
    rules = Rules(rock_speed=0.61, split="random", wave_first=5)
    other = Replay.of(game.actions, seed=game.seed, rules=rules)
    assert other.state_hash != game.state_hash
    back = Replay.from_json(other.to_json())
    assert back.rules == rules
    back.check()
    numbers = Rules(rock_speed=np.float32(0.5), wave_first=np.int64(4))  # pyright: ignore[reportArgumentType]
    Replay.from_json(Replay.of([1], seed=0, rules=numbers).to_json()).check()


def test_actions_after_the_end_of_the_game_are_left_out():
    replay = Replay.of([4] * 3000, seed=1)
    env = MirageEnv()
    env.reset(seed=1)
    ticks = 0
    while not env.step(4)[2]:
        ticks += 1
    assert len(replay.actions) == ticks + 1 < 3000
    replay.check()
    with pytest.raises(ReplayError, match=f"over after {ticks + 1} ticks, and there are actions"):
        replace(replay, actions=replay.actions + b"\0").check()


def test_a_later_episode_is_played_again():
    env = MirageEnv(max_episode_steps=50)
    env.reset(seed=9)
    for _ in range(2):
        env.reset()
    for action in keys(40):
        env.step(action)
    told = {"seed": 9, "actions": bytes(keys(40)), "score": 0, "state_hash": env.state_hash()}
    Replay(**told, episode=2).check()
    with pytest.raises(ReplayError, match="state has the hash"):
        Replay(**told, episode=1).check()


def test_an_episode_cut_off_by_time_comes_out():
    env = MirageEnv(max_episode_steps=40)
    env.reset(seed=9)
    for action in keys(40):
        *_, truncated, info = env.step(action)
    assert truncated
    told = {"seed": 9, "actions": bytes(keys(40)), "score": info["score"]}
    Replay(**told, state_hash=env.state_hash(), truncated=True).check()
    with pytest.raises(ReplayError, match="does not come out"):
        Replay(**told, state_hash=env.state_hash()).check()


@pytest.mark.parametrize("other", BACKENDS)
def test_a_game_from_any_state_on_is_played_again(other):
    start = scene(rocks=[(LARGE, 32, 20)], seed=11, episode=3, tick=500)
    envs = MirageVectorEnv(1)
    envs.reset(seed=0)
    envs.set_state({name: start[name][None] for name in start.dtype.names or ()})
    for _ in range(20):
        *_, infos = envs.step([FIRE])
    replay = Replay(
        11, bytes([FIRE] * 20), infos["score"][0], envs.state_hash()[0], episode=3,
        start=start.tobytes(),
    )  # fmt: skip
    assert replay.score == 20
    back = Replay.from_json(replay.to_json())
    assert back == replay
    back.check(other)


def test_frames_are_the_pictures_of_the_game_at_any_size(game):
    env = MirageEnv()
    seen = [env.reset(seed=7)[0]] + [env.step(action)[0] for action in game.actions]
    assert all(map(np.array_equal, game.frames(64), seen))
    shown = list(game.frames(100))
    assert len(shown) == len(game.actions) + 1
    assert shown[0].shape == (100, 100, 3)


def test_minutes_are_a_few_kilobytes():
    minutes = Replay(0, bytes(keys(3 * 60 * 30)), 0, 0)
    assert len(minutes.to_json()) < 3000


# What does not come out


def test_another_score_state_or_key_is_told_from_the_game_that_was_played(game):
    for wrong, reason in (
        (replace(game, score=game.score + 20), f"the score is {game.score}, and {game.score + 20}"),
        (replace(game, state_hash=1), r"score is right but the state has the hash \w{16}, and 0"),
        (replace(game, actions=game.actions[:-1]), "after 299 ticks"),
        (replace(game, seed=8), "after 300 ticks"),
        (replace(game, rules=Rules(cooldown=9)), "after 300 ticks"),
    ):
        with pytest.raises(ReplayError, match="the replay does not come out: .*" + reason):
            wrong.check()


def test_a_video_of_a_replay_that_does_not_come_out_is_not_left(game, tmp_path):
    pytest.importorskip("imageio_ffmpeg")
    from mirage_env.video import write_video

    with pytest.raises(ReplayError, match="does not come out"):
        write_video(tmp_path / "a.mp4", replace(game, score=1).frames(64))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"seed": -1}, "seed must be a whole number from 0"),
        ({"seed": 2**64}, "seed must be"),
        ({"episode": 2**32}, "episode must be"),
        ({"score": 1.5}, "score must be"),
        ({"state_hash": -1}, "state_hash must be"),
        ({"actions": b"\x0c"}, "actions are from 0 to 11"),
        ({"actions": bytes(MAX_TICKS + 1)}, "at most 1000000 ticks"),
        ({"rules": Rules(lives=4)}, "Rules.lives is compiled"),
        ({"start": b"short"}, "a state of 640 bytes, got 5"),
        ({"start": bytes(640)}, "state field 'wave' must be"),
        ({"start": scene(ship_heading=64).tobytes()}, "state field 'ship_heading' must be"),
        ({"start": scene(seed=1).tobytes()}, r"are \(7, 0\) and those of its start \(1, 0\)"),
        ({"start": scene(seed=7, tick=2**32 - 9).tobytes()}, "which no game reaches"),
    ],
)
def test_what_no_game_can_have_is_refused(game, wrong, reason):
    with pytest.raises(ReplayError, match=reason):
        replace(game, **wrong)


def test_actions_that_are_none_are_refused():
    for actions in ([12], [-1], [300]):
        with pytest.raises(ReplayError, match="actions are from 0 to 11"):
            Replay.of(actions, seed=0)


# The file

replays = st.builds(
    lambda seed, actions, rules, episode: Replay(seed, actions, 0, seed, rules, episode),
    st.integers(0, 2**64 - 1),
    st.binary(max_size=300).map(lambda b: bytes(x % 12 for x in b)),
    st.builds(Rules, rock_speed=st.floats(0, 1.5), wave_first=st.integers(1, 6)),
    st.integers(0, 2**32 - 1),
)


@given(replays)
def test_every_replay_comes_back_from_its_file(replay):
    assert Replay.from_json(replay.to_json()) == replay


def test_a_file_is_read_back_and_its_folder_is_made(game, tmp_path):
    path = tmp_path / "new" / "a.replay"
    game.save(path)
    assert Replay.load(path) == game
    assert [p.name for p in path.parent.iterdir()] == ["a.replay"]


TEXT = Replay.of(keys(60), seed=7, rules=Rules(cooldown=5)).to_json()


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(TEXT) - 1), st.characters(codec="latin-1"))
def test_a_changed_letter_is_noticed_or_changes_nothing(place, letter):
    text = TEXT[:place] + letter + TEXT[place + 1 :]
    with suppress(ReplayError):
        assert Replay.from_json(text) == Replay.from_json(TEXT)


@given(st.integers(0, len(TEXT) - 3))
def test_a_file_cut_short_is_refused(length):
    with pytest.raises(ReplayError, match=r"only a part of the file|no replay of Mirage"):
        Replay.from_json(TEXT[:length])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(KINDS)), json_values)
def test_any_value_in_any_field_is_a_replay_or_refused(name, value):
    text = pack({**unpack(TEXT), name: value})
    with suppress(ReplayError):
        assert Replay.from_json(text).to_json() == text


@settings(max_examples=50, deadline=None)
@given(json_values | st.binary().map(lambda b: b.decode("latin-1")))
def test_any_other_text_is_no_replay(value):
    text = value if isinstance(value, str) else json.dumps(value)
    with pytest.raises(ReplayError, match="it is no replay of Mirage"):
        Replay.from_json(text)


def foreign(**changes: object) -> str:
    """The text of a whole replay with some fields changed, its checksum as it should be."""
    told = {**json.loads(TEXT), **changes}
    del told["checksum"]
    written = json.dumps(told, separators=(",", ":")).encode()
    return json.dumps({**told, "checksum": f"{zlib.crc32(written):08x}"})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (foreign(version=2), "of version 2 and this Mirage reads version 1: use a newer one"),
        (foreign(version="1"), "its version cannot be '1'"),
        (foreign(version=True), "its version cannot be True"),
        (foreign(rules_version=1), "the rules of version 1 and this Mirage plays those of ver"),
        (foreign(wind=3), "an unknown field 'wind'"),
        (foreign(seed="7"), "its field 'seed' cannot be '7'"),
        (foreign(truncated=0), "its field 'truncated' cannot be 0"),
        (foreign(ticks=61), "it has 60 actions and says 61"),
        (foreign(actions="%"), "holds what no replay can: a recording is written in"),
        (foreign(actions="DA"), "0 wakes, got 0 and 1"),
        (foreign(start="eJw"), "a start that cannot be unpacked"),
        (foreign(state_hash="x"), "holds what no replay can"),
        (foreign(state_hash="-1"), "state_hash must be"),
        (foreign(rules={"lives": 9}), "Rules.lives is compiled"),
        (foreign(rules={"wind": 9}), "holds what no replay can"),
        (foreign(rules={"cooldown": 99}), "Rules.cooldown must be"),
        (foreign()[:-4] + '0"}', "it is damaged: its checksum"),
        ("[" * 100_000, "it is no replay of Mirage"),
    ],
)
def test_each_fault_of_a_file_is_named(text, reason, tmp_path):
    path = tmp_path / "a.replay"
    path.write_text(text)
    with pytest.raises(ReplayError, match=reason) as caught:
        Replay.load(path)
    assert str(path) in str(caught.value)


def test_a_missing_field_is_named():
    told = unpack(TEXT)
    del told["score"]
    with pytest.raises(ReplayError, match="it has no field 'score'"):
        Replay.from_json(pack(told))


def test_a_large_or_binary_file_is_no_replay(tmp_path):
    path = tmp_path / "a.replay"
    for data in (b"\xff\xfe\0" * 10, b" " * 2_000_001):
        path.write_bytes(data)
        with pytest.raises(ReplayError, match="it is no replay of Mirage"):
            Replay.load(path)


def test_the_longest_replay_can_be_read(tmp_path):
    Replay(0, bytes(i % 2 for i in range(MAX_TICKS)), 0, 0).save(tmp_path / "a.replay")
    assert len(Replay.load(tmp_path / "a.replay").actions) == MAX_TICKS


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_leaves_the_file_that_was_there(game, tmp_path, monkeypatch, step):
    path = tmp_path / "a.replay"
    game.save(path)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(OSError, match="No space left") as caught:
        replace(game, score=1).save(path)
    assert Path(caught.value.filename) == path
    assert [p.name for p in tmp_path.iterdir()] == ["a.replay"]
    assert Replay.load(path) == game


def test_the_examples_are_true():
    assert doctest.testmod(mirage_env.replay).failed == 0
