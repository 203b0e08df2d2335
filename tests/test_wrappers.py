"""Gymnasium's own tools work on the environment, single and vector: a test of each."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import wrappers
from gymnasium.spaces import Box
from gymnasium.vector import AsyncVectorEnv, AutoresetMode
from gymnasium.wrappers import vector as vector_wrappers
from simulators import sticky_actions

from mirage_env import MirageEnv, MirageVectorEnv


def play(env: gymnasium.Env, steps: int = 12, seed: int = 0) -> list[Any]:
    """Reset, then step with random actions, checking each observation against the space."""
    env.action_space.seed(seed)
    results = [env.reset(seed=seed)]
    assert results[0][0] in env.observation_space
    for _ in range(steps):
        results.append(env.step(env.action_space.sample()))
        assert results[-1][0] in env.observation_space
        if results[-1][2] or results[-1][3]:
            break
    return results


def play_vector(envs: gymnasium.vector.VectorEnv, steps: int = 12, seed: int = 0) -> list[Any]:
    """The same for a vector environment."""
    results = [envs.reset(seed=seed)]
    assert results[0][0] in envs.observation_space
    for actions in sticky_actions(envs.num_envs, steps, seed):
        results.append(envs.step(actions))
        assert results[-1][0] in envs.observation_space
    return results


# Single -------------------------------------------------------------------------------------------


def test_passive_env_checker_has_nothing_to_say() -> None:
    env = gymnasium.make("Mirage-v0", render_mode="rgb_array", render_size=64)
    layers = []
    layer: Any = env
    while isinstance(layer, gymnasium.Wrapper):
        layers.append(type(layer).__name__)
        layer = layer.env
    assert layers == ["OrderEnforcing", "PassiveEnvChecker"]
    play(env)
    env.render()
    env.close()


def test_record_episode_statistics() -> None:
    env = wrappers.RecordEpisodeStatistics(MirageEnv(max_episode_steps=8))
    results = play(env)
    episode = results[-1][4]["episode"]
    assert episode["l"] == 8
    assert episode["r"] == sum(r[1] for r in results[1:])


def test_frame_stack_observation_equals_frame_stack() -> None:
    wrapped = wrappers.FrameStackObservation(MirageEnv(), 4)
    mine = MirageEnv(frame_stack=4)
    assert wrapped.observation_space == mine.observation_space
    for a, b in zip(play(wrapped), play(mine), strict=True):
        np.testing.assert_array_equal(a[0], b[0])


def test_grayscale_observation() -> None:
    env = wrappers.GrayscaleObservation(MirageEnv())
    obs = play(env)[-1][0]
    assert obs.shape == (64, 64)
    assert obs.max() > 0


def test_resize_and_transform_and_rescale_observation() -> None:
    pytest.importorskip("cv2")
    assert play(wrappers.ResizeObservation(MirageEnv(), (32, 32)))[-1][0].shape == (32, 32, 3)
    low, high = np.float32(0), np.float32(1)
    floats = wrappers.TransformObservation(
        MirageEnv(), lambda o: (o / 255).astype(np.float32), Box(low, high, (64, 64, 3))
    )
    assert play(floats)[-1][0].max() <= 1
    assert play(wrappers.FlattenObservation(MirageEnv()))[0][0].shape == (64 * 64 * 3,)


def test_time_limit() -> None:
    env = wrappers.TimeLimit(MirageEnv(), 5)
    results = play(env)
    assert [r[3] for r in results[1:]] == [False] * 4 + [True]


def test_numpy_to_torch() -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("array_api_compat")  # what Gymnasium's wrapper is made with
    env = wrappers.NumpyToTorch(MirageEnv())  # pyright: ignore[reportAttributeAccessIssue]
    plain = MirageEnv()
    obs, _ = env.reset(seed=0)
    assert isinstance(obs, torch.Tensor)
    plain.reset(seed=0)
    for action in (7, 1, 11):
        got, wanted = env.step(torch.tensor(action)), plain.step(action)
        np.testing.assert_array_equal(got[0].numpy(), wanted[0])
        assert got[1:4] == wanted[1:4]


def test_autoreset_and_reward_wrappers() -> None:
    env = wrappers.ClipReward(wrappers.Autoreset(MirageEnv(max_episode_steps=3)), 0, 1)
    env.reset(seed=0)
    assert [env.step(0)[3] for _ in range(5)] == [False, False, True, False, False]


def test_record_video(tmp_path: Path) -> None:
    pytest.importorskip("moviepy")
    env = MirageEnv(render_mode="rgb_array", render_size=64, max_episode_steps=8)
    recorder = wrappers.RecordVideo(env, str(tmp_path / "videos"), episode_trigger=lambda _: True)
    play(recorder)
    recorder.close()
    assert (tmp_path / "videos" / "rl-video-episode-0.mp4").stat().st_size > 500


def test_gymnasiums_play_flies_by_the_arrow_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    pygame = pytest.importorskip("pygame")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says so where matplotlib is missing
        from gymnasium.utils.play import play as gymnasiums_play
    pygame.init()  # it relies on pygame being started
    actions = []

    def press_and_write_down(obs: Any, after: Any, action: int, *rest: Any) -> None:
        actions.append(action)
        script = {
            1: (pygame.KEYDOWN, pygame.K_LEFT),
            2: (pygame.KEYDOWN, pygame.K_SPACE),
            3: (pygame.KEYUP, pygame.K_LEFT),
            4: (pygame.KEYDOWN, pygame.K_w),
            5: (pygame.KEYDOWN, pygame.K_ESCAPE),
        }
        event, key = script[len(actions)]
        pygame.event.post(pygame.event.Event(event, key=key))

    env = gymnasium.make("Mirage-v0", render_mode="rgb_array", render_size=64)
    gymnasiums_play(env, fps=1000, seed=0, callback=press_and_write_down)
    assert actions == [0, 4, 5, 1, 3]  # nothing, left, left and fire, fire, thrust and fire


# Vector -------------------------------------------------------------------------------------------


def test_async_vector_env_equals_the_vector_env() -> None:
    theirs = AsyncVectorEnv([lambda: MirageEnv(max_episode_steps=9)] * 2)
    mine = MirageVectorEnv(2, max_episode_steps=9)
    for a, b in zip(play_vector(theirs), play_vector(mine), strict=True):
        for x, y in zip(a[:-1], b[:-1], strict=True):
            np.testing.assert_array_equal(x, y)
    theirs.close()


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_vector_record_episode_statistics(mode: AutoresetMode) -> None:
    envs = vector_wrappers.RecordEpisodeStatistics(
        MirageVectorEnv(3, max_episode_steps=5, autoreset_mode=mode)
    )
    results = play_vector(envs, 5)
    infos = results[5][4]
    assert infos["_episode"].tolist() == [True, True, True]
    assert infos["episode"]["l"].tolist() == [5, 5, 5]
    rewards = np.sum([r[1] for r in results[1:]], axis=0)
    np.testing.assert_array_equal(infos["episode"]["r"], rewards)


def test_vector_record_episode_statistics_with_a_mask() -> None:
    envs = vector_wrappers.RecordEpisodeStatistics(
        MirageVectorEnv(2, max_episode_steps=6, autoreset_mode=AutoresetMode.DISABLED)
    )
    envs.reset(seed=0)
    for _ in range(3):
        envs.step([0, 0])
    envs.reset(options={"reset_mask": np.array([True, False])})
    lengths = [envs.step([0, 0])[4].get("episode", {}).get("l") for _ in range(3)]
    assert lengths[:2] == [None, None]
    assert lengths[2].tolist() == [0, 6]


def test_vector_record_video(tmp_path: Path) -> None:
    pytest.importorskip("moviepy")
    envs = MirageVectorEnv(3, render_mode="rgb_array", render_size=64, max_episode_steps=6)
    recorder = vector_wrappers.RecordVideo(
        envs, str(tmp_path / "videos"), episode_trigger=lambda _: True
    )
    play_vector(recorder, 9)
    recorder.close()
    videos = sorted(path.name for path in (tmp_path / "videos").iterdir())
    assert videos == ["rl-video-episode-0.mp4", "rl-video-episode-1.mp4"]


def test_vector_numpy_to_torch() -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("array_api_compat")  # what Gymnasium's wrapper is made with
    envs = vector_wrappers.NumpyToTorch(MirageVectorEnv(2))  # pyright: ignore[reportAttributeAccessIssue]
    plain = MirageVectorEnv(2)
    envs.reset(seed=0)
    plain.reset(seed=0)
    for actions in sticky_actions(2, 8, 0):
        got, wanted = envs.step(torch.from_numpy(actions)), plain.step(actions)
        for x, y in zip(got[:4], wanted[:4], strict=True):
            assert isinstance(x, torch.Tensor)
            np.testing.assert_array_equal(x.numpy(), y)


def test_vector_human_rendering(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pygame")
    pytest.importorskip("cv2")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    envs = MirageVectorEnv(4, render_mode="rgb_array", render_size=64)
    human = vector_wrappers.HumanRendering(envs)
    play_vector(human, 3)
    human.close()


def floats(obs: Any) -> Any:
    return (obs / 255).astype(np.float32)


UNIT_BOX = Box(np.float32(0), np.float32(1), (64, 64, 3))
VECTOR_WRAPPERS: dict[str, Callable[[Any], Any]] = {
    "GrayscaleObservation": vector_wrappers.GrayscaleObservation,
    "ResizeObservation": lambda e: vector_wrappers.ResizeObservation(e, (32, 32)),
    "ReshapeObservation": lambda e: vector_wrappers.ReshapeObservation(e, (64, 192)),
    "FlattenObservation": vector_wrappers.FlattenObservation,
    "DtypeObservation": lambda e: vector_wrappers.DtypeObservation(e, np.float32),
    "VectorizeTransformObservation": lambda e: vector_wrappers.VectorizeTransformObservation(
        e, wrappers.TransformObservation, func=floats, observation_space=UNIT_BOX
    ),
    "ClipReward": lambda e: vector_wrappers.ClipReward(e, 0, 1),
    "TransformReward": lambda e: vector_wrappers.TransformReward(e, lambda r: r / 100),
    "NormalizeReward": vector_wrappers.NormalizeReward,
    "DictInfoToList": vector_wrappers.DictInfoToList,
}


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize("name", VECTOR_WRAPPERS)
def test_vector_wrapper(name: str, mode: AutoresetMode) -> None:
    pytest.importorskip("cv2")
    envs = MirageVectorEnv(2, max_episode_steps=4, autoreset_mode=mode)
    if mode == AutoresetMode.SAME_STEP and "Observation" in name:
        with pytest.raises(ValueError, match="NEXT_STEP or DISABLED"):  # Gymnasium's own limit
            VECTOR_WRAPPERS[name](envs)
        return
    last = play_vector(VECTOR_WRAPPERS[name](envs))[4]
    assert last[3].tolist() == [True, True]
    if name == "DictInfoToList":
        assert [info["lives"] for info in last[4]] == [3, 3]
        assert ("final_info" in last[4][0]) == (mode == AutoresetMode.SAME_STEP)


def test_vector_normalize_observation_of_states() -> None:
    envs = vector_wrappers.NormalizeObservation(MirageVectorEnv(4, obs_type="state"))
    results = play_vector(envs, 20)
    assert np.isfinite(results[-1][0]).all()
