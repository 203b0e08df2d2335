"""Stable-Baselines3 on the game and the dream: each of its contracts, and a short training."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from simulators import sticky_actions

from mirage_env import MirageEnv, Rules

pytest.importorskip("stable_baselines3")

from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import EvalCallback
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import (
    DummyVecEnv,
    VecFrameStack,
    VecMonitor,
    VecNormalize,
    VecTransposeImage,
    VecVideoRecorder,
)

from mirage_env.sb3 import MirageVecEnv

DEADLY = Rules(rock_speed=1.5, wave_first=6, thrust=0.2)
SHORT: dict[str, Any] = {"max_episode_steps": 12, "obs_size": 16}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from small_models import write_model

    return write_model(tmp_path_factory.mktemp("model"))


def make(kind: str, num_envs: int, model: Any, **kwargs: Any) -> MirageVecEnv:
    if kind == "game":
        return MirageVecEnv("Mirage-v0", num_envs, **kwargs)
    return MirageVecEnv("Mirage-Dream-v0", num_envs, model=model, runtime="torch", **kwargs)


KINDS = pytest.mark.parametrize("kind", ["game", "dream"])


# The contract -------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*")
def test_check_env_has_nothing_to_object_to() -> None:
    check_env(MirageEnv())
    check_env(MirageEnv(obs_type="state"))


@pytest.mark.filterwarnings("ignore:.*")
def test_check_env_has_nothing_to_object_to_in_a_dream(model: Any) -> None:
    from mirage_wm import DreamEnv

    check_env(DreamEnv(model=model, runtime="torch"))


@pytest.mark.parametrize(
    "kwargs",
    [
        {"rules": DEADLY, "max_episode_steps": 40, "obs_size": 20},
        {"rules": DEADLY, "obs_type": "state", "frame_skip": 8},
    ],
)
def test_it_equals_stable_baselines_own_loop_over_environments(kwargs: dict[str, Any]) -> None:
    mine = MirageVecEnv(num_envs=3, **kwargs)
    theirs = DummyVecEnv([lambda: MirageEnv(**kwargs)] * 3)
    assert mine.observation_space == theirs.observation_space
    assert mine.action_space == theirs.action_space
    mine.seed(7)
    theirs.seed(7)
    np.testing.assert_array_equal(mine.reset(), theirs.reset())
    assert mine.reset_infos == theirs.reset_infos
    ended = 0
    for actions in sticky_actions(3, 150, seed=0):
        a, b = mine.step(actions), theirs.step(actions)
        for x, y in zip(a[:3], b[:3], strict=True):
            np.testing.assert_array_equal(x, y)
            assert x.dtype == y.dtype
        for x, y in zip(a[3], b[3], strict=True):
            assert x.keys() == y.keys()
            for name in x:
                np.testing.assert_array_equal(x[name], y[name], err_msg=name)
        assert mine.reset_infos == theirs.reset_infos
        ended += int(a[2].sum())
    assert ended > 6


@KINDS
def test_an_end_tells_its_observation_and_whether_time_was_up(kind: str, model: Any) -> None:
    envs = make(kind, 2, model, max_episode_steps=3)
    envs.reset()
    for t in range(1, 4):
        observations, rewards, dones, infos = envs.step(np.array([1, 3]))
        assert dones.tolist() == [t == 3] * 2
    assert rewards.dtype == np.float32
    for i, info in enumerate(infos):
        assert info["TimeLimit.truncated"] is True
        assert info["terminal_observation"].shape == envs.observation_space.shape
        assert not np.array_equal(info["terminal_observation"], observations[i])


def test_seeds_are_used_once_and_each_environment_has_its_own() -> None:
    envs = MirageVecEnv(num_envs=3, **SHORT)
    assert envs.seed(5) == [5, 6, 7]
    first = envs.reset()
    second = envs.reset()
    assert not np.array_equal(first, second)
    envs.seed(5)
    np.testing.assert_array_equal(envs.reset(), first)
    alone = MirageEnv(**SHORT)
    np.testing.assert_array_equal(alone.reset(seed=6)[0], first[1])


@pytest.mark.parametrize("obs_type", ["rgb", "grayscale"])
def test_stacked_pictures_lie_as_those_of_vec_frame_stack(obs_type: str) -> None:
    mine = MirageVecEnv(num_envs=2, frame_stack=3, obs_type=obs_type, **SHORT)
    theirs = VecFrameStack(MirageVecEnv(num_envs=2, obs_type=obs_type, **SHORT), 3)
    assert mine.observation_space == theirs.observation_space
    for envs in (mine, theirs):
        envs.seed(1)
        envs.reset()
    for t, actions in enumerate(sticky_actions(2, 30, seed=0)):
        a, b = mine.step(actions), theirs.step(actions)
        if (t + 1) % SHORT["max_episode_steps"] >= 2:  # before, theirs holds empty pictures
            np.testing.assert_array_equal(a[0], b[0])
        for x, y in zip(a[3], b[3], strict=True):
            if "terminal_observation" in x:
                np.testing.assert_array_equal(x["terminal_observation"], y["terminal_observation"])


def test_attributes_are_those_of_each_environment_or_remembered() -> None:
    hard = Rules(rock_speed=0.6)
    envs = MirageVecEnv(num_envs=3, rules=[Rules(), hard, Rules()], **SHORT)
    assert envs.get_attr("rules", [1]) == [hard]
    assert envs.get_attr("max_episode_steps") == [12, 12, 12]
    assert envs.get_attr("action_space", 0) == [envs.action_space]
    assert envs.has_attr("render_mode")
    assert not envs.has_attr("level")
    envs.set_attr("level", 3, [0, 2])
    assert envs.get_attr("level", [0, 2]) == [3, 3]
    with pytest.raises(
        AttributeError, match=r"has no 'level'; it has .*, render_mode, restore, rules"
    ):
        envs.get_attr("level", [1])
    with pytest.raises(AttributeError, match="'max_episode_steps' is fixed when"):
        envs.set_attr("max_episode_steps", 99)
    assert envs.env_is_wrapped(Monitor) == [False] * 3


def test_methods_are_called_for_each_environment() -> None:
    envs = MirageVecEnv(num_envs=2, **SHORT)
    envs.seed(0)
    envs.reset()
    (moment,) = envs.env_method("snapshot", indices=[1])
    envs.step(np.array([0, 3]))
    envs.env_method("restore", moment, indices=1)
    assert [int(state["tick"]) for state in envs.env_method("state")] == [1, 0]
    assert envs.env_method("get_action_meanings", indices=0)[0][3] == "THRUSTFIRE"
    with pytest.raises(AttributeError, match="has no 'fly'"):
        envs.env_method("fly")
    with pytest.raises(ValueError, match="indices must be from 0 to 1, got 2"):
        envs.env_method("state", indices=[2])


@pytest.mark.parametrize(
    ("make_one", "error", "message"),
    [
        (lambda: MirageVecEnv("CartPole-v1"), ValueError, "env must be one of 'Mirage-v0'"),
        (lambda: MirageVecEnv(output="torch"), TypeError, "output is always numpy here"),
        (lambda: MirageVecEnv(autoreset_mode="NEXT_STEP"), TypeError, "autoreset_mode is always"),
        (lambda: MirageVecEnv(frame_skp=4), TypeError, "did you mean 'frame_skip'"),
        (lambda: MirageVecEnv(num_envs=0), ValueError, "num_envs must be a whole number"),
    ],
)
def test_bad_arguments_get_one_clear_error(make_one: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        make_one()


def test_options_of_a_reset_are_refused() -> None:
    envs = MirageVecEnv(num_envs=2, **SHORT)
    envs.set_options({"hard": True})
    with pytest.raises(ValueError, match="there are no options"):
        envs.reset()


def test_without_stable_baselines_the_extra_is_named() -> None:
    program = "import sys; sys.modules['stable_baselines3'] = None; import mirage_env.sb3"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "pip install 'mirage-env[rl]'" in done.stderr.splitlines()[-1]


# Its tools ----------------------------------------------------------------------------------------


def test_vec_monitor_counts_returns_and_lengths(tmp_path: Path) -> None:
    envs = VecMonitor(MirageVecEnv(num_envs=2, **SHORT), str(tmp_path / "log"), ("score",))
    envs.reset()
    for _ in range(12):
        *_, infos = envs.step(np.array([1, 5]))
    assert [info["episode"]["l"] for info in infos] == [12, 12]
    assert [info["episode"]["r"] for info in infos] == [info["score"] for info in infos]
    envs.close()
    assert len((tmp_path / "log.monitor.csv").read_text().splitlines()) == 4


def test_vec_normalize_is_saved_and_loaded(tmp_path: Path) -> None:
    envs = VecNormalize(MirageVecEnv(num_envs=2, obs_type="state", max_episode_steps=12))
    envs.reset()
    for _ in range(30):
        observations = envs.step(np.array([3, 7]))[0]
    assert np.isfinite(observations).all()
    envs.save(str(tmp_path / "normal.pkl"))
    again = VecNormalize.load(
        str(tmp_path / "normal.pkl"), MirageVecEnv(num_envs=2, obs_type="state")
    )
    np.testing.assert_array_equal(again.obs_rms.mean, envs.obs_rms.mean)  # pyright: ignore


def test_render_shows_all_environments_in_one_picture() -> None:
    envs = MirageVecEnv(num_envs=4, render_mode="rgb_array", render_size=32)
    envs.seed(0)
    envs.reset()
    picture = envs.render()
    assert picture is not None
    assert picture.shape == (64, 64, 3)
    np.testing.assert_array_equal(picture[:32, 32:], envs.env_method("render", indices=1)[0])


def test_vec_video_recorder_writes_a_video(tmp_path: Path) -> None:
    pytest.importorskip("moviepy")
    envs = VecVideoRecorder(
        MirageVecEnv(num_envs=1, render_mode="rgb_array", render_size=64),
        str(tmp_path),
        lambda step: step == 0,
        video_length=8,
    )
    assert envs.frames_per_sec == 30
    envs.reset()
    for _ in range(10):
        envs.step(np.array([3]))
    envs.close()
    (video,) = tmp_path.glob("*.mp4")
    assert video.stat().st_size > 500


@KINDS
def test_ppo_learns_evaluates_saves_and_loads(kind: str, model: Any, tmp_path: Path) -> None:
    steps = {"max_episode_steps": 8}
    envs = VecMonitor(make(kind, 2, model, **steps))
    watched = VecTransposeImage(VecMonitor(make(kind, 1, model, **steps)))
    callback = EvalCallback(
        watched, eval_freq=8, n_eval_episodes=2, best_model_save_path=str(tmp_path), verbose=0
    )
    agent = PPO("CnnPolicy", envs, n_steps=8, batch_size=8, n_epochs=1, seed=0, device="cpu")
    agent.learn(16, callback=callback)
    assert np.isfinite(callback.last_mean_reward)
    assert agent.ep_info_buffer is not None
    assert agent.ep_info_buffer[0]["l"] == 8
    agent.save(tmp_path / "agent")
    again = PPO.load(tmp_path / "agent", env=envs, device="cpu")
    seen = envs.reset()
    np.testing.assert_array_equal(
        again.predict(seen, deterministic=True)[0], agent.predict(seen, deterministic=True)[0]
    )
    again.learn(16)
    mean, _ = evaluate_policy(agent, watched, n_eval_episodes=2)
    assert np.isfinite(mean)
