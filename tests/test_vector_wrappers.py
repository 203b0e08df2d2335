"""The project's own wrappers: the same on arrays and tensors, in every mode, and never waiting."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from counting_envs import CountingEnvs, length
from gymnasium import wrappers as single_wrappers
from gymnasium.spaces import Discrete
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.wrappers import vector as gymnasiums
from no_waiting import no_waiting
from simulators import sticky_actions

from mirage_env import MirageEnv, MirageVectorEnv
from mirage_env.wrappers import ClipReward, FrameStackObservation, RecordEpisodeStatistics

torch = pytest.importorskip("torch")

MODES = list(AutoresetMode)


def as_tensors(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: as_tensors(inner) for name, inner in value.items()}
    if value.dtype == object:  # "final_obs": one tensor, as on a GPU
        blank = next(v for v in value if v is not None) * 0 - 1
        return torch.as_tensor(np.stack([blank if v is None else v for v in value]))
    return torch.as_tensor(value)


class TensorEnvs(CountingEnvs):
    """The counting environments with tensors; in mode SAME_STEP "final_obs" is always there."""

    def reset(self, **kwargs: Any) -> Any:
        return tuple(as_tensors(part) for part in super().reset(**kwargs))

    def step(self, actions: Any) -> Any:
        return tuple(as_tensors(part) for part in super().step(actions))


def play(envs: VectorEnv, steps: int = 40, seed: int = 3) -> list[Any]:
    """Step with actions drawn by a seed; in mode DISABLED begin anew what is over."""
    rng = np.random.default_rng(seed)
    results: list[Any] = [envs.reset(seed=seed)]
    for _ in range(steps):
        *rest, infos = envs.step(rng.integers(0, 5, envs.num_envs))
        # Gymnasium's RecordEpisodeStatistics goes on writing in the mask that it has handed out.
        results.append((*rest, copy.deepcopy(infos)))
        over = host(rest[2] | rest[3])
        if envs.metadata["autoreset_mode"] is AutoresetMode.DISABLED and over.any():
            results.append(envs.reset(options={"reset_mask": over}))
    return results


def host(value: Any) -> Any:
    return value.numpy() if isinstance(value, torch.Tensor) else value


KINDS = [CountingEnvs, TensorEnvs]


# Statistics ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", MODES)
def test_statistics_are_those_of_gymnasium(mode: AutoresetMode, kind: type) -> None:
    mine = RecordEpisodeStatistics(kind(3, mode), buffer_length=5)
    theirs = gymnasiums.RecordEpisodeStatistics(CountingEnvs(3, mode), buffer_length=5)
    told = 0
    for a, b in zip(play(mine), play(theirs), strict=True):
        if "_episode" not in b[-1]:
            assert not np.any(host(a[-1].get("_episode", False)))
            continue
        told += 1
        np.testing.assert_array_equal(host(a[-1]["_episode"]), b[-1]["_episode"])
        for name in "rl":
            np.testing.assert_allclose(host(a[-1]["episode"][name]), b[-1]["episode"][name])
        assert (host(a[-1]["episode"]["t"]) >= 0).all()
    assert told > 10
    assert mine.episode_count == theirs.episode_count
    np.testing.assert_allclose(mine.last()["r"], list(theirs.return_queue))
    np.testing.assert_array_equal(mine.last()["l"], list(theirs.length_queue))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", MODES)
def test_an_episode_is_told_once_with_its_length(mode: AutoresetMode, kind: type) -> None:
    envs = RecordEpisodeStatistics(kind(4, mode))
    lengths: list[list[int]] = [[], [], [], []]
    for result in play(envs):
        if len(result) == 5 and "episode" in result[-1]:
            for i in np.flatnonzero(host(result[-1]["_episode"])):
                lengths[i].append(int(result[-1]["episode"]["l"][i]))
    for i, told in enumerate(lengths):
        assert told == [length(3 + i, episode) for episode in range(len(told))]
        assert len(told) > 6


def test_an_arena_that_stands_still_is_not_told_again() -> None:
    envs = RecordEpisodeStatistics(
        MirageVectorEnv(2, max_episode_steps=3, autoreset_mode=AutoresetMode.DISABLED)
    )
    envs.reset(seed=0)
    told = [envs.step([0, 0])[4].get("_episode") for _ in range(6)]
    assert [t is not None for t in told] == [False, False, True, False, False, False]
    mask = np.array([False, True])
    envs.reset(options={"reset_mask": mask})
    assert mask.tolist() == [False, True]
    told = [envs.step([0, 0])[4] for _ in range(3)]
    assert told[2]["_episode"].tolist() == [False, True]
    assert told[2]["episode"]["l"].tolist() == [0, 3]


def test_the_last_episodes_stay_in_order_when_more_end_at_once_than_are_kept() -> None:
    envs = RecordEpisodeStatistics(MirageVectorEnv(5, max_episode_steps=2), buffer_length=3)
    assert envs.last()["r"].shape == (0,)
    envs.reset(seed=0)
    envs.step([0] * 5)
    envs._returns = np.arange(5.0)  # pyright: ignore[reportPrivateUsage]
    envs.step([0] * 5)
    assert envs.last()["r"].tolist() == [2, 3, 4]
    assert envs.episode_count == 5


# Frame stack --------------------------------------------------------------------------------------


@pytest.mark.parametrize("output", ["numpy", "torch"])
@pytest.mark.parametrize("mode", MODES)
def test_stacks_are_those_of_the_environment(mode: AutoresetMode, output: str) -> None:
    kwargs = {"max_episode_steps": 5, "autoreset_mode": mode, "output": output, "obs_size": 16}
    wrapped = FrameStackObservation(MirageVectorEnv(3, **kwargs), 4)
    mine = MirageVectorEnv(3, frame_stack=4, **kwargs)
    assert wrapped.observation_space == mine.observation_space
    assert wrapped.single_observation_space == mine.single_observation_space
    kept = []
    for a, b in zip(play(wrapped, 30), play(mine, 30), strict=True):
        np.testing.assert_array_equal(host(a[0]), host(b[0]))
        kept.append((host(a[0]), host(a[0]).copy()))
        assert ("final_obs" in a[-1]) == ("final_obs" in b[-1])
        for x, y in zip(a[-1].get("final_obs", []), b[-1].get("final_obs", []), strict=True):
            assert (x is None) == (y is None)
            if x is not None:
                np.testing.assert_array_equal(host(x), host(y))
    for handed_out, then in kept:
        np.testing.assert_array_equal(handed_out, then)  # later steps have not changed it


def test_stacks_are_those_of_gymnasium_for_a_single_environment() -> None:
    wrapped = FrameStackObservation(MirageVectorEnv(1, obs_size=16), 3)
    theirs = single_wrappers.FrameStackObservation(MirageEnv(obs_size=16), 3)
    np.testing.assert_array_equal(wrapped.reset(seed=0)[0][0], theirs.reset(seed=0)[0])
    for actions in sticky_actions(1, 6, 0):
        np.testing.assert_array_equal(wrapped.step(actions)[0][0], theirs.step(int(actions[0]))[0])


@pytest.mark.parametrize("mode", MODES)
def test_stacks_of_tensors_equal_those_of_arrays(mode: AutoresetMode) -> None:
    arrays = FrameStackObservation(CountingEnvs(3, mode), 3)
    tensors = FrameStackObservation(TensorEnvs(3, mode), 3)
    finals = 0
    for a, b in zip(play(arrays), play(tensors), strict=True):
        np.testing.assert_array_equal(a[0], host(b[0]))
        for i in np.flatnonzero(a[-1].get("_final_obs", [])):
            np.testing.assert_array_equal(a[-1]["final_obs"][i], host(b[-1]["final_obs"][i]))
            finals += 1
    assert (finals > 10) == (mode is AutoresetMode.SAME_STEP)


# Rewards ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_rewards_are_clipped_and_the_inner_ones_stay(kind: type) -> None:
    inner = RecordEpisodeStatistics(kind(3))
    clipped = [r[1] for r in play(ClipReward(inner, 0.5, 2)) if len(r) == 5]
    plain = [r[1] for r in play(kind(3)) if len(r) == 5]
    for a, b in zip(clipped, plain, strict=True):
        np.testing.assert_allclose(host(a), np.clip(host(b), 0.5, 2))
    assert float(inner.last()["r"].max()) > 4


# Nothing waits ------------------------------------------------------------------------------------


class Nowhere(CountingEnvs):
    """Gives tensors without values: whoever looks at one on the host raises."""

    def tensor(self, *shape: int, dtype: Any = torch.float32) -> Any:
        return torch.empty((self.num_envs, *shape), dtype=dtype, device="meta")

    def reset(self, **kwargs: Any) -> Any:
        return self.tensor(3), {}

    def step(self, actions: Any) -> Any:
        flags = self.tensor(dtype=torch.bool), self.tensor(dtype=torch.bool)
        infos = {"final_obs": self.tensor(3), "_final_obs": self.tensor(dtype=torch.bool)}
        return self.tensor(3), self.tensor(), *flags, infos


@pytest.mark.parametrize("mode", MODES)
def test_no_wrapper_looks_at_a_value_of_a_tensor(mode: AutoresetMode) -> None:
    envs = ClipReward(RecordEpisodeStatistics(FrameStackObservation(Nowhere(3, mode), 4)), -1, 1)
    envs.reset()
    for _ in range(3):
        observations, rewards, _, _, infos = envs.step(None)
    envs.reset(options={"reset_mask": np.array([True, False, True])})
    envs.step(None)
    assert observations.shape == (3, 4, 3)
    if mode is AutoresetMode.SAME_STEP:
        assert infos["final_obs"].shape == (3, 4, 3)
    assert rewards.device.type == infos["episode"]["r"].device.type == "meta"
    with pytest.raises(RuntimeError):
        envs.env.last()  # the one thing that waits


@pytest.mark.gpu
@pytest.mark.parametrize("mode", MODES)
def test_on_a_gpu_they_equal_those_of_the_host_and_never_wait(mode: AutoresetMode) -> None:
    def wrapped(**kwargs: Any) -> Any:
        envs = MirageVectorEnv(64, max_episode_steps=7, autoreset_mode=mode, **kwargs)
        recorded = RecordEpisodeStatistics(envs, buffer_length=50)
        return recorded, ClipReward(FrameStackObservation(recorded, 4), 0, 1)

    (seen, near), (there, device) = wrapped(), wrapped(backend="cuda", output="torch")
    near.reset(seed=1)
    device.reset(seed=1)
    rows = list(sticky_actions(64, 40, 0))
    on_device = [torch.from_numpy(row).cuda() for row in rows]
    device.step(on_device[0])
    near.step(rows[0])
    with no_waiting():
        results = [device.step(row) for row in on_device[1:]]
    for row, got in zip(rows[1:], results, strict=True):
        wanted = near.step(row)
        for a, b in zip(got[:4], wanted[:4], strict=True):
            np.testing.assert_array_equal(a.cpu(), b)
    for name in "rl":
        np.testing.assert_array_equal(there.last()[name].cpu(), seen.last()[name])


# Wrong order and other mistakes -------------------------------------------------------------------


def mirage(**kwargs: Any) -> Any:
    return MirageVectorEnv(2, obs_size=16, **kwargs)


MISTAKES: dict[str, tuple[type[Exception], Callable[[], Any], str]] = {
    "statistics of clipped rewards": (
        ValueError,
        lambda: RecordEpisodeStatistics(ClipReward(mirage(), 0, 1)),
        r"the other way round, ClipReward\(RecordEpisodeStatistics\(envs\)\)",
    ),
    "statistics of rewards changed two layers below": (
        ValueError,
        lambda: RecordEpisodeStatistics(
            FrameStackObservation(gymnasiums.TransformReward(mirage(), lambda r: r / 100), 2)
        ),
        "TransformReward below makes of the rewards",
    ),
    "statistics of normalised rewards": (
        ValueError,
        lambda: RecordEpisodeStatistics(gymnasiums.NormalizeReward(mirage())),
        "NormalizeReward below",
    ),
    "statistics twice": (
        ValueError,
        lambda: RecordEpisodeStatistics(RecordEpisodeStatistics(mirage())),
        "records episodes already",
    ),
    "statistics beside Gymnasium's": (
        ValueError,
        lambda: RecordEpisodeStatistics(gymnasiums.RecordEpisodeStatistics(mirage())),
        "records episodes already",
    ),
    "a stack of stacks": (
        ValueError,
        lambda: FrameStackObservation(FrameStackObservation(mirage(), 2), 2),
        "stacked already by FrameStackObservation",
    ),
    "a stack of the environment's stacks": (
        ValueError,
        lambda: FrameStackObservation(mirage(frame_stack=4), 2),
        "stacked already by MirageVectorEnv",
    ),
    "infos as a list": (
        ValueError,
        lambda: RecordEpisodeStatistics(gymnasiums.DictInfoToList(mirage())),
        r"the other way round, DictInfoToList\(RecordEpisodeStatistics\(envs\)\)",
    ),
    "a single environment": (
        TypeError,
        lambda: ClipReward(MirageEnv(), 0, 1),  # pyright: ignore[reportArgumentType]
        "wraps a gymnasium.vector.VectorEnv, got MirageEnv",
    ),
    "one stacked observation": (
        ValueError,
        lambda: FrameStackObservation(mirage(), 1),
        "stack_size must be a whole number from 2",
    ),
    "no bounds": (ValueError, lambda: ClipReward(mirage()), "got neither"),
    "bounds the wrong way round": (
        ValueError,
        lambda: ClipReward(mirage(), 1, 0),
        "must be at most max_reward, got 1 and 0",
    ),
    "no room for episodes": (
        ValueError,
        lambda: RecordEpisodeStatistics(mirage(), 0),
        "buffer_length must be",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_gets_one_clear_error(name: str) -> None:
    error, make, message = MISTAKES[name]
    with pytest.raises(error, match=message):
        make()


def test_what_does_not_tell_its_autoreset_mode_or_gives_no_arrays_is_refused() -> None:
    envs = CountingEnvs(2)
    envs.metadata = {}
    for wrap in (RecordEpisodeStatistics, lambda e: FrameStackObservation(e, 2)):
        with pytest.raises(ValueError, match=r"metadata\['autoreset_mode'\] must be"):
            wrap(envs)
    envs = CountingEnvs(2)
    envs.single_observation_space = Discrete(3)
    with pytest.raises(ValueError, match="stacks observations of a Box, got Discrete"):
        FrameStackObservation(envs, 2)
