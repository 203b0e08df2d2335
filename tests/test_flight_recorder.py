"""A test that fails leaves replays of what it played, and they come out."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from flight_recorder import FlightRecorder
from scenes import LARGE, put, scene
from simulators import sticky_actions

from mirage_env import MirageEnv, MirageVectorEnv, Replay, Rules

ROOT = Path(__file__).resolve().parent.parent


def written(flights: FlightRecorder, folder: Path) -> dict[str, Replay]:
    """What a failing test would leave, by the names of the files; all of it comes out."""
    replays = {path.stem: Replay.load(path) for path in flights.write(folder)}
    for replay in replays.values():
        replay.check()
    return replays


@pytest.mark.parametrize("mode", ["NEXT_STEP", "SAME_STEP", "DISABLED"])
def test_each_environment_leaves_its_newest_episode(flights, tmp_path, mode):
    rules = [Rules(), Rules(rock_speed=0.7, split="random"), Rules(thrust=0.1)]
    envs = MirageVectorEnv(3, autoreset_mode=mode, rules=rules, max_episode_steps=60, frame_skip=2)
    envs.reset(seed=5)
    for actions in sticky_actions(3, 100, seed=1):
        envs.step(actions)
    replays = written(flights, tmp_path)
    assert list(replays) == ["env-0", "env-1", "env-2"]
    assert [replay.state_hash for replay in replays.values()] == envs.state_hash().tolist()
    assert [replay.seed for replay in replays.values()] == [5, 6, 7]
    assert [replay.rules for replay in replays.values()] == rules
    assert {replay.episode for replay in replays.values()} == ({0} if mode == "DISABLED" else {1})
    assert not any(replay.start for replay in replays.values())


@pytest.mark.parametrize(("mode", "steps"), [("NEXT_STEP", 41), ("SAME_STEP", 40)])
def test_at_the_very_beginning_of_an_episode_the_one_before_is_left(flights, tmp_path, mode, steps):
    envs = MirageVectorEnv(1, autoreset_mode=mode, max_episode_steps=40)
    envs.reset(seed=5)
    for actions in sticky_actions(1, steps, seed=1):
        envs.step(actions)
    (replay,) = written(flights, tmp_path).values()
    assert (replay.episode, len(replay.actions), replay.truncated) == (0, 40, True)


def test_a_state_set_by_hand_is_where_the_replay_begins(flights, tmp_path):
    envs = MirageVectorEnv(2)
    envs.reset(seed=5)
    envs.step([1, 1])
    put(envs, scene(rocks=[(LARGE, 32, 20)]), scene())
    for _ in range(20):
        envs.step([1, 1])
    replays = written(flights, tmp_path)
    assert [replay.score for replay in replays.values()] == [20, 0]
    assert all(replay.start and len(replay.actions) == 20 for replay in replays.values())


def test_what_was_restored_is_played_from_there(flights, tmp_path):
    env = MirageEnv()
    env.reset(seed=2)
    for _ in range(10):
        env.step(2)
    moment = env.snapshot()
    for _ in range(10):
        env.step(5)
    env.restore(moment)
    env.step(9)
    (replay,) = written(flights, tmp_path).values()
    assert replay.actions == bytes([9])
    assert replay.state_hash == env.state_hash()


def test_of_many_simulators_each_leaves_its_own_and_of_many_environments_the_first(
    flights, tmp_path
):
    for count in (1, 40):
        envs = MirageVectorEnv(count)
        envs.reset(seed=0)
        envs.step(np.zeros(count, int))
    replays = written(flights, tmp_path)
    assert len(replays) == 1 + 16
    assert "simulator-1-env-15" in replays


def test_a_state_that_no_replay_begins_with_keeps_no_other_from_being_written(flights, tmp_path):
    envs = MirageVectorEnv(3, backend="native")
    envs.reset(seed=0)
    for name in ("wave", "wave_timer", "rock_size"):  # as where play is recorded to learn from
        envs.world.arenas[name][1] = 0
    envs.step([1, 2, 3])
    assert set(written(flights, tmp_path)) == {"env-0", "env-2"}
    (refused,) = flights.refused
    assert "'wave' must be from 1" in str(refused)


def test_a_failing_test_names_its_replays_and_a_passing_one_leaves_none(tmp_path):
    name = f"flights_{tmp_path.name}"  # in the tests' own folder, whose conftest is wanted
    (tmp_path / f"test_{name}.py").write_text(
        "from mirage_env import MirageEnv\n"
        "def play(steps):\n"
        "    env = MirageEnv()\n"
        "    env.reset(seed=4)\n"
        "    for _ in range(steps): env.step(3)\n"
        "def test_that_passes(): play(9)\n"
        "def test_that_fails(): play(7); assert 0\n"
        "def test_that_plays_nothing(): assert 0\n"
    )
    (tmp_path / "conftest.py").write_text(
        f"import sys; sys.path.insert(0, {str(ROOT / 'tests')!r})\n"
        "import flight_recorder, pathlib\n"
        f"flight_recorder.FAILURES = pathlib.Path({str(tmp_path)!r}) / 'failures'\n"
        f"exec(open({str(ROOT / 'tests' / 'conftest.py')!r}).read())\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert "2 failed, 1 passed" in done.stdout, done.stdout
    (told,) = re.findall(r"1 in .*: mirage replay (.*)", done.stdout)
    assert [str(path) for path in tmp_path.rglob("*.replay")] == [told]
    assert Path(told).parent.name == f"test_{name}.py-test_that_fails"
    replay = Replay.load(told)
    replay.check()
    assert (replay.seed, replay.actions) == (4, bytes([3] * 7))
