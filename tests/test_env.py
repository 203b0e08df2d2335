"""The single environment: Gymnasium's checker, its types, its keys, its window."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from scenes import LARGE, SMALL, put, scene
from simulators import sticky_actions

from mirage_env import MirageEnv, MirageVectorEnv, Rules
from mirage_env.actions import (
    ACTION_MEANINGS,
    NUM_ACTIONS,
    action_to_keys,
    key_codes_to_action,
    keys_to_action,
)
from mirage_env.rules import UNIT


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"backend": "oracle", "render_size": 32},
        {"obs_type": "state"},
        {"frame_stack": 4, "frame_skip": 4, "obs_size": 84},
        {"render_mode": "rgb_array"},
    ],
    ids=str,
)
def test_passes_gymnasiums_checker_without_a_warning(
    kwargs: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pygame")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")  # the checker opens a window too
    env = gymnasium.make("Mirage-v0", **kwargs)
    check_env(env.unwrapped)
    env.close()


def test_results_have_plain_types() -> None:
    env = MirageEnv()
    obs, info = env.reset(seed=0)
    assert obs in env.observation_space
    assert {k: type(v) for k, v in info.items()} == {
        "score": int,
        "lives": int,
        "wave": int,
        "tick": int,
    }
    obs, reward, terminated, truncated, info = env.step(3)
    assert obs in env.observation_space
    assert type(reward) is float
    assert type(terminated) is bool
    assert type(truncated) is bool
    assert info == {"score": 0, "lives": 3, "wave": 1, "tick": 1}


def test_torch_gives_a_tensor_and_plain_numbers() -> None:
    torch = pytest.importorskip("torch")
    env, plain = MirageEnv(output="torch"), MirageEnv()
    obs, _ = env.reset(seed=0)
    np.testing.assert_array_equal(obs.numpy(), plain.reset(seed=0)[0])
    obs, reward, terminated, _, info = env.step(torch.tensor(3))
    np.testing.assert_array_equal(obs.numpy(), plain.step(3)[0])
    assert (type(reward), type(terminated), type(info["score"])) == (float, bool, int)


def test_one_environment_plays_like_one_of_many() -> None:
    env, envs = MirageEnv(frame_stack=2), MirageVectorEnv(3, frame_stack=2)
    env.reset(seed=41)
    envs.reset(seed=40)
    for actions in sticky_actions(3, 200, seed=0):
        one, many = env.step(actions[1]), envs.step(actions)
        np.testing.assert_array_equal(one[0], many[0][1])
        assert one[1:4] == (many[1][1], many[2][1], many[3][1])
    assert env.state_hash() == envs.state_hash()[1]
    assert env.state()["rock_x"].shape == (24,)


def test_an_episode_that_is_over_stands_still() -> None:
    env = MirageEnv(max_episode_steps=3)
    env.reset(seed=0)
    flags = [env.step(1)[2:4] for _ in range(3)]
    assert flags == [(False, False), (False, False), (False, True)]
    before = env.state_hash()
    obs, reward, terminated, truncated, _ = env.step(1)
    assert (reward, terminated, truncated) == (0.0, False, True)
    assert env.state_hash() == before
    np.testing.assert_array_equal(obs, env.observe())


def test_a_first_reset_without_a_seed_follows_np_random() -> None:
    seeds = []
    for _ in range(2):
        env = MirageEnv()
        env.np_random = np.random.default_rng(3)
        env.reset()
        seeds.append(int(env.state()["seed"]))
        env.reset()
        assert int(env.state()["seed"]) == seeds[-1]
        assert env.state()["episode"] == 1
    assert seeds[0] == seeds[1]
    other = MirageEnv()
    other.reset()
    assert int(other.state()["seed"]) != seeds[0]


def test_set_state_takes_what_state_gives() -> None:
    env = MirageEnv(rules=Rules(wave_first=1))
    env.reset(seed=0)
    env.set_state({"ship_x": 5 * UNIT, "ship_y": 6 * UNIT})
    assert env.state(units=True)["ship_x"] == 5.0
    state = env.state()
    hashed = env.state_hash()
    env.step(7)
    env.set_state(state)
    assert env.state_hash() == hashed


# Actions and keys ---------------------------------------------------------------------------------


def test_rules_may_be_drawn_by_numpy() -> None:
    drawn = Rules(wave_first=np.int64(2), cooldown=np.int32(5), thrust=np.float32(0.0625))
    plain = Rules(wave_first=2, cooldown=5, thrust=0.0625)
    envs = [MirageEnv(rules=rules) for rules in (drawn, plain)]
    for env in envs:
        env.reset(seed=3)
        for action in (3, 7, 2, 11):
            env.step(action)
    assert envs[0].state_hash() == envs[1].state_hash()
    with pytest.raises(ValueError, match=r"Rules\.cooldown must be a whole number"):
        Rules(cooldown=np.float64(5.0))  # type: ignore[arg-type]


def test_an_action_does_what_its_name_says() -> None:
    envs = MirageVectorEnv(NUM_ACTIONS)
    envs.reset(seed=0)
    put(envs, *[scene(rocks=[(LARGE, 0.0, 0.0)])] * NUM_ACTIONS)
    envs.step(np.arange(NUM_ACTIONS))
    state = envs.state()
    for action, name in enumerate(envs_meanings()):
        heading = 16 + 3 * ("LEFT" in name) - 3 * ("RIGHT" in name)
        assert state["ship_heading"][action] == heading, name
        assert state["thrusting"][action] == ("THRUST" in name), name
        assert (state["bullet_life"][action] > 0).sum() == ("FIRE" in name), name


def envs_meanings() -> list[str]:
    meanings = MirageEnv().get_action_meanings()
    assert meanings[0] == "NOOP"
    assert len(set(meanings)) == NUM_ACTIONS
    return meanings


def test_keys_and_actions_are_each_others_inverse() -> None:
    for action in range(NUM_ACTIONS):
        assert keys_to_action(*action_to_keys(action)) == action
    assert keys_to_action(left=True, right=True, thrust=True, fire=False) == 2
    with pytest.raises(ValueError, match="from 0 to 11, got 12"):
        action_to_keys(12)


def test_every_set_of_keys_has_its_action() -> None:
    pygame = pytest.importorskip("pygame")
    table = key_codes_to_action()
    assert len(table) == 2**7 - 1

    def action(*keys: int) -> str:
        return ACTION_MEANINGS[table[tuple(sorted(keys))]]

    assert action(pygame.K_LEFT) == action(pygame.K_a) == "LEFT"
    assert action(pygame.K_RIGHT) == action(pygame.K_d) == "RIGHT"
    assert action(pygame.K_UP) == action(pygame.K_w) == "THRUST"
    assert action(pygame.K_SPACE) == "FIRE"
    assert action(pygame.K_a, pygame.K_w, pygame.K_SPACE) == "LEFTTHRUSTFIRE"
    assert action(pygame.K_LEFT, pygame.K_d, pygame.K_UP) == "THRUST"


# gymnasium.make and the window --------------------------------------------------------------------


def test_make_finds_it_by_its_module() -> None:
    program = (
        "import gymnasium; print(gymnasium.make('mirage_env:Mirage-v0').reset(seed=0)[0].shape)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "(64, 64, 3)"


def test_make_truncates_where_it_was_told() -> None:
    env = gymnasium.make("Mirage-v0", max_episode_steps=100)
    env.reset(seed=0)
    flags = [env.step(0)[3] for _ in range(100)]
    assert flags == [False] * 99 + [True]
    assert gymnasium.make("Mirage-v0").unwrapped.vector_env.max_episode_steps == 4500


def test_render_draws_the_state_at_its_own_size() -> None:
    env = MirageEnv(render_mode="rgb_array", render_size=200)
    env.reset(seed=0)
    picture = env.render()
    assert (picture.shape, picture.dtype) == ((200, 200, 3), np.uint8)
    env.step(7)
    assert (env.render() != picture).any()
    np.testing.assert_array_equal(env.render(), env.vector_env.simulator.render(200)[0])


def test_the_window_follows_the_game(monkeypatch: pytest.MonkeyPatch) -> None:
    pygame = pytest.importorskip("pygame")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    env = MirageEnv(render_mode="human", render_size=96)
    for act in (lambda: env.reset(seed=0), lambda: env.step(7), lambda: env.step(11)):
        act()
        shown = pygame.surfarray.array3d(pygame.display.get_surface()).swapaxes(0, 1)
        np.testing.assert_array_equal(shown, env.vector_env.simulator.render(96)[0])
    assert env.render() is None
    env.close()


def test_a_shot_gives_its_points_in_the_step_in_which_it_hits() -> None:
    env = MirageEnv()
    env.reset(seed=0)
    put(env.vector_env, scene(rocks=[(SMALL, 32.0, 32.0 - 2.6 - 6.0), (LARGE, 60.0, 60.0)]))
    results = [env.step(1) for _ in range(4)]
    assert [r[1] for r in results] == [0.0, 0.0, 0.0, 100.0]
    assert [r[4]["score"] for r in results] == [0, 0, 0, 100]
