"""How action, frame, reward and reset line up: histories written by hand, and Gymnasium's own."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from scenes import LARGE, SMALL, put, scene
from simulators import sticky_actions

from mirage_env import MirageEnv, MirageVectorEnv, Rules

FIRE = 1
FAR_ROCK = (LARGE, 60.0, 60.0)

# The last ship explodes for two more ticks. A bullet climbs to a small rock: it is 2.6 units below
# it after one tick and 1.0 after two, and hits within 2.4.
DYING = scene(
    lives=0,
    dying=2,
    bullets=[(32.0, 20.0, 0.0, -1.6)],
    rocks=[(SMALL, 32.0, 15.8), FAR_ROCK],
)
# Three ticks before the end of the time.
LATE = scene(rocks=[FAR_ROCK], tick=7)
# The gun of a ship at rest, and a small rock 6 units above its muzzle. The bullet made in the first
# tick is 4.4 units from it after the second, 2.8 after the third, and hits in the fourth.
SHOOTING = scene(rocks=[(SMALL, 32.0, 32.0 - 2.6 - 6.0), FAR_ROCK])


def start(mode: AutoresetMode, backend: str, **kwargs: Any) -> MirageVectorEnv:
    envs = MirageVectorEnv(3, backend=backend, autoreset_mode=mode, max_episode_steps=10, **kwargs)
    envs.reset(seed=100)
    put(envs, DYING, LATE, SHOOTING)
    return envs


def first_frame(env: int, episode: int) -> np.ndarray:
    """The picture with which an episode of an environment of `start` begins."""
    alone = MirageEnv(backend="oracle")
    frame, _ = alone.reset(seed=100 + env)
    for _ in range(episode):
        frame, _ = alone.reset()
    return frame


def history(envs: MirageVectorEnv, steps: int) -> dict[str, list[Any]]:
    """Fire at every step and write down what comes back."""
    seen: dict[str, list[Any]] = {}
    for _ in range(steps):
        obs, rewards, terminated, truncated, infos = envs.step([FIRE] * 3)
        state = envs.state()
        line = {
            "reward": rewards.tolist(),
            "terminated": terminated.astype(int).tolist(),
            "truncated": truncated.astype(int).tolist(),
            "score": infos["score"].tolist(),
            "lives": infos["lives"].tolist(),
            "tick": state["tick"].tolist(),
            "episode": state["episode"].tolist(),
            "bullets": (state["bullet_life"] > 0).sum(axis=1).tolist(),
        }
        for name, value in line.items():
            seen.setdefault(name, []).append(value)
        seen.setdefault("obs", []).append(obs)
        seen.setdefault("infos", []).append(infos)
        np.testing.assert_array_equal(obs, envs.simulator.render(64))
    return seen


def test_next_step_history_written_by_hand(backend: str) -> None:
    envs = start(AutoresetMode.NEXT_STEP, backend)
    seen = history(envs, 5)
    #                         dying, late, shooting
    assert seen["reward"] == [[0, 0, 0], [100, 0, 0], [0, 0, 0], [0, 0, 100], [0, 0, 0]]
    assert seen["terminated"] == [[0, 0, 0], [1, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert seen["truncated"] == [[0, 0, 0], [0, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0]]
    # The step after an end begins the next episode and ignores the action: no bullet, tick 0.
    assert seen["episode"] == [[0, 0, 0], [0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 0]]
    assert seen["tick"] == [[1, 8, 1], [2, 9, 2], [0, 10, 3], [1, 0, 4], [2, 1, 5]]
    assert seen["bullets"] == [[1, 1, 1], [0, 1, 1], [0, 1, 1], [1, 0, 0], [1, 1, 0]]
    assert seen["score"] == [[0, 0, 0], [100, 0, 0], [0, 0, 0], [0, 0, 100], [0, 0, 100]]
    assert seen["lives"] == [[0, 3, 3], [0, 3, 3], [3, 3, 3], [3, 3, 3], [3, 3, 3]]
    np.testing.assert_array_equal(seen["obs"][2][0], first_frame(env=0, episode=1))
    np.testing.assert_array_equal(seen["obs"][3][1], first_frame(env=1, episode=1))
    assert all("final_obs" not in infos for infos in seen["infos"])


def test_same_step_history_written_by_hand(backend: str) -> None:
    envs = start(AutoresetMode.SAME_STEP, backend)
    seen = history(envs, 4)
    assert seen["reward"] == [[0, 0, 0], [100, 0, 0], [0, 0, 0], [0, 0, 100]]
    assert seen["terminated"] == [[0, 0, 0], [1, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert seen["truncated"] == [[0, 0, 0], [0, 0, 0], [0, 1, 0], [0, 0, 0]]
    # The step of the end shows the next episode already, and the step after it obeys the action.
    assert seen["episode"] == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 0]]
    assert seen["tick"] == [[1, 8, 1], [0, 9, 2], [1, 0, 3], [2, 1, 4]]
    assert seen["bullets"] == [[1, 1, 1], [0, 1, 1], [1, 0, 1], [1, 1, 0]]
    assert seen["score"] == [[0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 100]]
    assert seen["lives"] == [[0, 3, 3], [3, 3, 3], [3, 3, 3], [3, 3, 3]]
    np.testing.assert_array_equal(seen["obs"][1][0], first_frame(env=0, episode=1))
    np.testing.assert_array_equal(seen["obs"][2][1], first_frame(env=1, episode=1))

    assert "final_obs" not in seen["infos"][0]
    death, timeout = seen["infos"][1], seen["infos"][2]
    assert death["_final_obs"].tolist() == death["_final_info"].tolist() == [True, False, False]
    assert timeout["_final_obs"].tolist() == [False, True, False]
    assert death["final_obs"][1] is None
    assert death["final_info"]["score"].tolist() == [100, 0, 0]
    assert death["final_info"]["_score"].tolist() == [True, False, False]
    assert death["final_info"]["lives"].tolist() == [0, 0, 0]
    assert timeout["final_info"]["lives"].tolist() == [0, 3, 0]
    # The final picture is that of the end: in the other modes it is the observation of that step.
    other = history(start(AutoresetMode.DISABLED, backend), 3)
    np.testing.assert_array_equal(death["final_obs"][0], other["obs"][1][0])
    np.testing.assert_array_equal(timeout["final_obs"][1], other["obs"][2][1])


def test_disabled_history_written_by_hand(backend: str) -> None:
    envs = start(AutoresetMode.DISABLED, backend)
    seen = history(envs, 4)
    assert seen["reward"] == [[0, 0, 0], [100, 0, 0], [0, 0, 0], [0, 0, 100]]
    # An arena that ended stands still and says again how it ended.
    assert seen["terminated"] == [[0, 0, 0], [1, 0, 0], [1, 0, 0], [1, 0, 0]]
    assert seen["truncated"] == [[0, 0, 0], [0, 0, 0], [0, 1, 0], [0, 1, 0]]
    assert seen["episode"] == [[0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert seen["tick"] == [[1, 8, 1], [2, 9, 2], [2, 10, 3], [2, 10, 4]]
    assert seen["score"] == [[0, 0, 0], [100, 0, 0], [100, 0, 0], [100, 0, 100]]
    np.testing.assert_array_equal(seen["obs"][1][0], seen["obs"][3][0])

    obs, infos = envs.reset(options={"reset_mask": np.array([True, False, False])})
    assert envs.state()["episode"].tolist() == [1, 0, 0]
    assert infos["_score"].tolist() == [True, False, False]
    np.testing.assert_array_equal(obs[0], first_frame(env=0, episode=1))
    np.testing.assert_array_equal(obs[1:], seen["obs"][3][1:])
    again = history(envs, 1)
    assert again["terminated"] == [[0, 0, 0]]
    assert again["truncated"] == [[0, 1, 0]]
    assert again["tick"] == [[1, 10, 5]]
    assert again["bullets"] == [[1, 1, 0]]


def test_the_frame_of_a_step_shows_what_its_action_did() -> None:
    envs = start(AutoresetMode.NEXT_STEP, "native")
    before = envs.observe()[2]
    after = [envs.step([FIRE, FIRE, action])[0][2] for action in (FIRE, 0)]
    # The nose is 29.2 units from the top; a new bullet 29.4, and 1.6 further up a tick later.
    above = [frame[25:30, 31:33].sum(axis=(1, 2)) for frame in (before, *after)]
    assert above[0].argmax() == 4
    assert above[0].max() < 200, "only the tip of the nose"
    assert (25 + above[1].argmax(), 25 + above[2].argmax()) == (29, 27)
    assert above[1].max() > 1000
    assert above[2].max() > 1000


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_stacks_hold_the_frames_of_one_episode(mode: AutoresetMode) -> None:
    plain = history(start(mode, "native"), 4)
    envs = start(mode, "native", frame_stack=2)
    stacked = [envs.step([FIRE] * 3) for _ in range(4)]
    for t in range(1, 4):
        for i in range(3):
            new = plain["tick"][t][i] == 0
            older = plain["obs"][t if new else t - 1][i]
            np.testing.assert_array_equal(stacked[t][0][i, 0], older, err_msg=f"{t=} {i=}")
            np.testing.assert_array_equal(stacked[t][0][i, 1], plain["obs"][t][i])
    if mode == AutoresetMode.SAME_STEP:
        last = stacked[1][4]["final_obs"][0]
        np.testing.assert_array_equal(last[0], plain["obs"][0][0])
        np.testing.assert_array_equal(last[1], plain["infos"][1]["final_obs"][0])


def assert_same(a: Any, b: Any, where: str = "") -> None:
    """Demand that two results of step or reset are equal, infos and their masks included."""
    if isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for name in a:
            assert_same(a[name], b[name], f"{where}.{name}")
    elif isinstance(a, np.ndarray) and a.dtype == object:
        assert a.shape == b.shape
        for x, y in zip(a, b, strict=True):
            assert (x is None) == (y is None), where
            if x is not None:
                assert_same(x, y, where)
    else:
        np.testing.assert_array_equal(a, b, err_msg=where)
        if not where.endswith(
            "rewards"
        ):  # Gymnasium sums rewards in float64, this project in float32
            assert a.dtype == b.dtype, where


DEADLY = Rules(rock_speed=1.5, wave_first=6, thrust=0.2)


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize(
    "kwargs",
    [
        {"rules": DEADLY, "max_episode_steps": 60},
        {"rules": DEADLY, "frame_skip": 4, "frame_stack": 3, "obs_size": 20},
        {"rules": DEADLY, "obs_type": "state", "frame_skip": 8},
    ],
    ids=["truncating", "stacked", "state"],
)
def test_equals_gymnasiums_own_vector_env(mode: AutoresetMode, kwargs: dict[str, Any]) -> None:
    n = 4
    mine = MirageVectorEnv(n, autoreset_mode=mode, **kwargs)
    theirs = SyncVectorEnv([lambda: MirageEnv(**kwargs)] * n, autoreset_mode=mode)
    assert mine.single_observation_space == theirs.single_observation_space
    assert mine.observation_space == theirs.observation_space
    assert mine.action_space == theirs.action_space
    assert_same(mine.reset(seed=5)[1], theirs.reset(seed=5)[1])
    assert_same(mine.reset()[0], theirs.reset()[0])
    ends = 0
    for t, actions in enumerate(sticky_actions(n, 250, seed=1)):
        a, b = mine.step(actions), theirs.step(actions)
        for name, x, y in zip(
            ("obs", "rewards", "terminated", "truncated", "infos"), a, b, strict=True
        ):
            assert_same(x, y, f"step {t}: {name}")
        done = a[2] | a[3]
        ends += int(done.sum())
        if mode == AutoresetMode.DISABLED and done.any():
            a, b = (envs.reset(options={"reset_mask": done.copy()}) for envs in (mine, theirs))
            assert_same(a[0], b[0], f"reset {t}: obs")
            assert_same(a[1], b[1], f"reset {t}: infos")
    assert ends > 2 * n, "too few episodes ended to show anything"
    mine.close()
    theirs.close()


@pytest.mark.parametrize("name", ["NextStep", "next_step", "SAME_STEP", "Disabled"])
def test_autoreset_mode_may_be_given_by_name(name: str) -> None:
    envs = gymnasium.make_vec("Mirage-v0", num_envs=2, autoreset_mode=name)
    mode = envs.metadata["autoreset_mode"]
    assert isinstance(mode, AutoresetMode)
    assert mode.value.lower() == name.lower().replace("_", "")
    assert type(envs.unwrapped).metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
