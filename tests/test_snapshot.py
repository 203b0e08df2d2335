"""Snapshots: a restored environment has the very future that the saved one had."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pytest
from simulators import sticky_actions

from mirage_env import RULES_VERSION, MirageEnv, MirageVectorEnv, Rules

KINDS = [{}, {"frame_stack": 3}, {"obs_type": "state"}, {"autoreset_mode": "SameStep"}]


def future(envs: MirageVectorEnv, steps: int = 40) -> list[Any]:
    """All that an environment gives for some actions."""
    seen = []
    for a in sticky_actions(envs.num_envs, steps, seed=9):
        obs, rewards, terminated, truncated, infos = envs.step(a)
        numbers = (rewards, terminated, truncated, infos["score"], envs.state_hash())
        seen.append([obs.copy(), *(n.copy() for n in numbers)])
    return seen


def assert_equal_futures(a: list[Any], b: list[Any]) -> None:
    for x, y in zip(a, b, strict=True):
        for m, n in zip(x, y, strict=True):
            np.testing.assert_array_equal(m, n)


@pytest.mark.parametrize("kwargs", KINDS)
def test_a_restored_environment_has_the_same_future(backend: str, kwargs: dict[str, Any]) -> None:
    envs = MirageVectorEnv(2, backend=backend, max_episode_steps=50, **kwargs)
    envs.reset(seed=0)
    for a in sticky_actions(2, 30, seed=0):
        envs.step(a)
    saved, seen = envs.snapshot(), envs.observe()
    first = future(envs)
    assert any(step[3].any() for step in first), "episodes end on the way"
    envs.restore(saved)
    np.testing.assert_array_equal(envs.observe(), seen)
    assert_equal_futures(future(envs), first)

    other = MirageVectorEnv(2, max_episode_steps=50, **kwargs)  # fresh, and always native
    other.restore(pickle.loads(pickle.dumps(saved)))
    assert_equal_futures(future(other), first)


def test_an_episode_that_is_over_can_be_saved() -> None:
    envs = MirageVectorEnv(1, max_episode_steps=5)
    envs.reset(seed=0)
    for _ in range(5):
        *_, truncated, _ = envs.step([0])
    assert truncated[0]
    saved = envs.snapshot()
    first = future(envs, 3)
    envs.restore(saved)
    again = future(envs, 3)
    assert_equal_futures(again, first)
    assert envs.state()["episode"][0] == 1
    same_step = MirageVectorEnv(1, autoreset_mode="SameStep")
    same_step.reset(seed=0)
    before = same_step.state_hash()
    with pytest.raises(ValueError, match="an episode that is over"):
        same_step.restore(saved)
    assert same_step.state_hash() == before


def test_some_environments_can_be_saved_and_put_elsewhere() -> None:
    envs = MirageVectorEnv(4, frame_stack=2)
    envs.reset(seed=0)
    for a in sticky_actions(4, 20, seed=0):
        obs, *_ = envs.step(a)
    hashes = envs.state_hash()
    saved = envs.snapshot([2, 0])
    assert len(saved) == 2
    envs.restore(saved, [1, 3])
    assert envs.state_hash().tolist() == [hashes[0], hashes[2], hashes[2], hashes[0]]
    np.testing.assert_array_equal(envs.observe(), obs[[0, 2, 2, 0]])


def test_fork_copies_one_environment_into_others() -> None:
    envs = MirageVectorEnv(4, frame_stack=2)
    envs.reset(seed=0)
    for a in sticky_actions(4, 20, seed=0):
        envs.step(a)
    untouched = envs.state_hash()[1]
    envs.fork(3, [0, 2])
    hashes = envs.state_hash()
    assert hashes[0] == hashes[2] == hashes[3] != untouched
    assert hashes[1] == untouched
    obs, *_ = envs.step([5, 5, 5, 5])
    np.testing.assert_array_equal(obs[0], obs[3])
    assert (obs[0] != obs[1]).any()
    envs.step([4, 0, 8, 4])
    hashes = envs.state_hash()
    assert hashes[0] == hashes[3] != hashes[2]


def test_a_snapshot_is_not_changed_by_what_comes_after() -> None:
    envs = MirageVectorEnv(2, frame_stack=2)
    envs.reset(seed=0)
    saved = envs.snapshot()
    before = pickle.dumps(saved)
    future(envs, 5)
    envs.restore(saved)
    future(envs, 5)
    assert pickle.dumps(saved) == before


def test_single_environments_save_and_restore_too() -> None:
    env = MirageEnv(frame_stack=2)
    env.reset(seed=1)
    for action in (7, 7, 3, 11):
        seen, *_ = env.step(action)
    saved = env.snapshot()
    first = [env.step(a)[0] for a in (1, 6, 6)]
    other = MirageEnv(frame_stack=2)
    other.restore(saved)
    np.testing.assert_array_equal(other.observe(), seen)
    for wanted, action in zip(first, (1, 6, 6), strict=True):
        np.testing.assert_array_equal(other.step(action)[0], wanted)
    _, info = other.reset()
    assert info["score"] == 0
    assert other.state()["seed"] == 1
    assert other.state()["episode"] == 1


def test_a_snapshot_of_something_else_is_refused() -> None:
    envs = MirageVectorEnv(2)
    envs.reset(seed=0)
    saved = envs.snapshot()
    before = envs.state_hash()

    def refused(match: str, snapshot: Any = saved, indices: Any = None) -> None:
        with pytest.raises(ValueError, match=match):
            envs.restore(snapshot, indices)
        np.testing.assert_array_equal(envs.state_hash(), before)

    refused(
        f"rules version 0.*rules version {RULES_VERSION}",
        replace(saved, kind="Mirage, rules version 0"),
    )
    refused("what snapshot\\(\\) returned, got dict", {})
    refused("holds 2 environments and 1 are to take it", indices=[0])
    refused("must be from 0 to 1, got 2", indices=[0, 2])
    refused("twice", indices=[1, 1])
    stacked = MirageVectorEnv(2, frame_stack=4)
    stacked.reset(seed=0)
    refused("frame_stack, obs_size and obs_type", stacked.snapshot())
    other_rules = MirageVectorEnv(2, rules=[Rules(), Rules(thrust=0.1)])
    other_rules.reset(seed=0)
    refused("other Rules", other_rules.snapshot())


def test_fork_refuses_other_rules_and_bad_numbers() -> None:
    envs = MirageVectorEnv(3, rules=[Rules(), Rules(), Rules(cooldown=3)])
    envs.reset(seed=0)
    before = envs.state_hash()
    for source, targets, match in [
        (0, [2], "other Rules"),
        (0, [1, 2], "other Rules"),
        (3, [0], "source must be a whole number from 0 to 2, got 3"),
        (0, [3], "targets must be from 0 to 2, got 3"),
        (0, [-1], "targets must be from 0 to 2, got -1"),
        (0, [], "targets must be"),
        (0, [0.5], "targets must be"),
    ]:
        with pytest.raises(ValueError, match=match):
            envs.fork(source, targets)
        np.testing.assert_array_equal(envs.state_hash(), before)


def test_a_part_of_a_fresh_environment_is_not_enough_to_step() -> None:
    envs = MirageVectorEnv(2)
    envs.reset(seed=0)
    fresh = MirageVectorEnv(2)
    fresh.restore(envs.snapshot([0]), [1])
    with pytest.raises(gymnasium.error.ResetNeeded):
        fresh.step([0, 0])
    fresh.reset(options={"reset_mask": np.array([True, False])})
    assert fresh.state()["seed"][1] == 0
    fresh.step([0, 0])


@pytest.mark.parametrize("copied", [copy.deepcopy, pickle.dumps])
def test_copying_an_environment_points_at_snapshots(copied):
    for env in (MirageEnv(), MirageVectorEnv(2)):
        with pytest.raises(TypeError, match=r"restore\(this\.snapshot\(\)\)"):
            copied(env)
        env.close()
