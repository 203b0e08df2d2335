"""The vector environment: what it gives, to whom it belongs, and how its options change it."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from scenes import LARGE, MEDIUM, SMALL, put, scene
from simulators import sticky_actions

from mirage_env import MirageVectorEnv, Rules
from mirage_env.frame_pool import FramePool
from mirage_env.observations import STATE_FIELDS, STATE_NAMES
from mirage_env.rules import UNIT


def actions(envs: MirageVectorEnv, steps: int, seed: int = 0) -> Any:
    return sticky_actions(envs.num_envs, steps, seed)


def test_shapes_and_types_are_those_of_the_spaces(backend: str) -> None:
    envs = MirageVectorEnv(3, backend=backend, obs_size=32)
    obs, infos = envs.reset(seed=1)
    assert obs in envs.observation_space
    assert obs[0] in envs.single_observation_space
    assert (obs.shape, obs.dtype) == ((3, 32, 32, 3), np.uint8)
    assert envs.single_action_space == gymnasium.spaces.Discrete(12)
    obs, rewards, terminated, truncated, infos = envs.step(envs.action_space.sample())
    assert obs in envs.observation_space
    assert (rewards.shape, rewards.dtype) == ((3,), np.float32)
    assert (terminated.shape, terminated.dtype) == ((3,), np.bool_)
    assert (truncated.shape, truncated.dtype) == ((3,), np.bool_)
    assert sorted(infos) == [
        "_lives",
        "_score",
        "_tick",
        "_wave",
        "lives",
        "score",
        "tick",
        "wave",
    ]
    assert infos["lives"].tolist() == [3, 3, 3]
    assert infos["_lives"].tolist() == [True, True, True]


# Seeds ------------------------------------------------------------------------------------------


def test_environment_i_has_the_seed_plus_i() -> None:
    many = MirageVectorEnv(4)
    many_obs, _ = many.reset(seed=7)
    assert many.state()["seed"].tolist() == [7, 8, 9, 10]
    for i in range(4):
        one = MirageVectorEnv(1)
        one_obs, _ = one.reset(seed=7 + i)
        np.testing.assert_array_equal(one_obs[0], many_obs[i])
        assert one.state_hash()[0] == many.state_hash()[i]


def test_seeds_wrap_around_at_the_largest() -> None:
    envs = MirageVectorEnv(3)
    envs.reset(seed=2**64 - 2)
    assert envs.state()["seed"].tolist() == [2**64 - 2, 2**64 - 1, 0]


def test_seeds_may_be_given_one_by_one() -> None:
    envs = MirageVectorEnv(3)
    envs.reset(seed=[5, np.int64(5), 9])  # pyright: ignore[reportArgumentType]
    assert envs.state()["seed"].tolist() == [5, 5, 9]
    envs.reset(seed=[None, 6, None])
    state = envs.state()
    assert state["seed"].tolist() == [5, 6, 9]
    assert state["episode"].tolist() == [1, 0, 1]


def test_later_resets_without_a_seed_begin_the_next_episode() -> None:
    envs = MirageVectorEnv(2)
    first, _ = envs.reset(seed=3)
    second, _ = envs.reset()
    state = envs.state()
    assert state["seed"].tolist() == [3, 4]
    assert state["episode"].tolist() == [1, 1]
    assert (first != second).any(axis=(1, 2, 3)).all()
    again, _ = envs.reset(seed=3)
    np.testing.assert_array_equal(again, first)


def test_a_first_reset_without_a_seed_draws_one_from_np_random() -> None:
    seeds = []
    for _ in range(2):
        envs = MirageVectorEnv(3)
        envs.reset()
        seeds.append(envs.state()["seed"].tolist())
    assert seeds[0] != seeds[1]
    assert (seeds[0][0] + 2) % 2**64 == seeds[0][2]
    told = []
    for _ in range(2):
        envs = MirageVectorEnv(3)
        envs.np_random = np.random.default_rng(8)
        envs.reset()
        told.append(envs.state()["seed"].tolist())
    assert told[0] == told[1]


def test_a_mask_resets_some_and_leaves_the_others() -> None:
    envs = MirageVectorEnv(3)
    envs.reset(seed=0)
    for a in actions(envs, 20):
        obs, *_ = envs.step(a)
    before = envs.state_hash()
    options = {"reset_mask": np.array([False, True, False])}
    after, infos = envs.reset(seed=50, options=options)
    assert options.keys() == {"reset_mask"}, "the caller's options are left alone"
    assert (envs.state_hash() == before).tolist() == [True, False, True]
    assert envs.state()["seed"].tolist() == [0, 51, 2]
    assert infos["_lives"].tolist() == [False, True, False]
    assert infos["lives"].tolist() == [0, 3, 0]
    np.testing.assert_array_equal(after[[0, 2]], obs[[0, 2]])
    assert (after[1] != obs[1]).any()


# Observations belong to whoever holds them --------------------------------------------------------


@pytest.mark.parametrize("kwargs", [{}, {"frame_stack": 2}, {"obs_type": "state"}])
@pytest.mark.parametrize("output", ["numpy", "torch"])
def test_what_step_returned_never_changes(output: str, kwargs: dict[str, Any]) -> None:
    envs = MirageVectorEnv(2, output=output, max_episode_steps=9, **kwargs)
    held, copies = [], []

    def keep(result: tuple[Any, ...]) -> None:
        held.append(result)
        copies.append(copies_of(result))

    keep(envs.reset(seed=0))
    for a in actions(envs, 30):
        keep(envs.step(a))
    keep((envs.observe(),))
    for result, wanted in zip(held, copies, strict=True):
        for now, then in zip(copies_of(result), wanted, strict=True):
            np.testing.assert_array_equal(now, then)


def copies_of(result: tuple[Any, ...]) -> list[np.ndarray]:
    """Copies of all arrays in what `step` or `reset` returned."""
    infos = result[-1].values() if isinstance(result[-1], dict) else []
    arrays = [value for value in result if not isinstance(value, dict)]
    return [np.asarray(value).copy() for value in (*arrays, *infos)]


def part(obs: Any, keep: str) -> Any:
    """Something that refers to an observation's memory and is not the observation."""
    torch = pytest.importorskip("torch")
    return {
        "view": lambda: obs[0, 10:, ::2],
        "tensor": lambda: torch.from_numpy(obs),
        "view of a tensor": lambda: torch.from_numpy(obs)[0],
        "memoryview": lambda: memoryview(obs),
    }[keep]()


@pytest.mark.parametrize("keep", ["view", "tensor", "view of a tensor", "memoryview"])
def test_whatever_refers_to_an_observation_keeps_it(keep: str) -> None:
    envs = MirageVectorEnv(1)
    obs, _ = envs.reset(seed=0)
    where, kept = obs.ctypes.data, part(obs, keep)
    del obs
    wanted = np.asarray(kept).copy()
    assert where not in {envs.step([2])[0].ctypes.data for _ in range(10)}
    np.testing.assert_array_equal(np.asarray(kept), wanted)
    del kept
    assert where in {envs.step([2])[0].ctypes.data for _ in range(10)}


def test_a_program_that_drops_observations_runs_on_two_buffers() -> None:
    envs = MirageVectorEnv(2)
    obs, _ = envs.reset(seed=0)
    places = set()
    for a in actions(envs, 20):
        obs, *_ = envs.step(a)
        places.add(obs.ctypes.data)
    assert len(places) == 2


def test_a_program_that_keeps_observations_does_not_fill_the_pool() -> None:
    pool = FramePool((3,), np.uint8)
    kept = [pool.take() for _ in range(50)]
    assert len({array.ctypes.data for array in kept}) == 50
    assert len(pool._buffers) == FramePool.KEPT
    free = {array.ctypes.data for array in kept[-FramePool.KEPT :]}
    kept.clear()
    assert pool.take().ctypes.data in free


def test_copy_false_hands_out_the_same_array() -> None:
    envs = MirageVectorEnv(2, copy=False)
    first, _ = envs.reset(seed=0)
    others = [envs.step(a)[0] for a in actions(envs, 5)]
    assert all(other is first for other in others)
    np.testing.assert_array_equal(first, envs.simulator.render(64))


def test_writing_in_an_observation_changes_nothing() -> None:
    a, b = (MirageVectorEnv(2, frame_stack=3) for _ in range(2))
    a.reset(seed=0)
    b.reset(seed=0)
    for action in actions(a, 10):
        mine, yours = a.step(action)[0], b.step(action)[0]
        np.testing.assert_array_equal(mine, yours)
        mine[...] = 99


def test_torch_output_is_tensors_of_the_same_numbers() -> None:
    torch = pytest.importorskip("torch")
    plain = MirageVectorEnv(2, max_episode_steps=5, autoreset_mode=AutoresetMode.SAME_STEP)
    envs = MirageVectorEnv(
        2, max_episode_steps=5, autoreset_mode=AutoresetMode.SAME_STEP, output="torch"
    )
    assert envs.metadata["torch"] is True
    plain.reset(seed=0)
    obs, infos = envs.reset(seed=0)
    assert isinstance(obs, torch.Tensor)
    assert isinstance(infos["score"], torch.Tensor)
    for a in actions(envs, 5):
        wanted, got = plain.step(a), envs.step(torch.from_numpy(a))
        for x, y in zip(wanted[:4], got[:4], strict=True):
            assert isinstance(y, torch.Tensor)
            np.testing.assert_array_equal(x, y.numpy())
    assert got[1].dtype == torch.float32
    assert got[2].dtype == torch.bool
    assert isinstance(got[4]["final_info"]["score"], torch.Tensor)
    assert isinstance(got[4]["final_obs"][0], torch.Tensor)
    np.testing.assert_array_equal(got[4]["final_obs"][0].numpy(), wanted[4]["final_obs"][0])


# Options ------------------------------------------------------------------------------------------


def test_frame_skip_holds_the_action_and_adds_the_points() -> None:
    slow, fast = MirageVectorEnv(1), MirageVectorEnv(1, frame_skip=5)
    shot = scene(rocks=[(SMALL, 32.0, 32.0 - 2.6 - 6.0), (LARGE, 60.0, 60.0)])
    for envs in (slow, fast):
        envs.reset(seed=0)
        put(envs, shot)
    rewards = [slow.step([1])[1][0] for _ in range(5)]
    assert rewards == [0, 0, 0, 100, 0]
    obs, reward, *_ = fast.step([1])
    assert reward[0] == 100
    assert fast.state()["tick"].tolist() == [5]
    assert fast.state_hash() == slow.state_hash()
    np.testing.assert_array_equal(obs, slow.observe())
    assert fast.metadata["render_fps"] == 6


def test_max_episode_steps_counts_steps_not_ticks() -> None:
    envs = MirageVectorEnv(2, frame_skip=3, max_episode_steps=7)
    envs.reset(seed=0)
    truncated = [envs.step([0, 0])[3].tolist() for _ in range(8)]
    assert truncated == [[False, False]] * 6 + [[True, True]] + [[False, False]]


def test_each_environment_may_have_its_own_rules() -> None:
    rules = [Rules(wave_first=1), Rules(wave_first=4), Rules(wave_first=6)]
    envs = MirageVectorEnv(3, rules=rules)
    envs.reset(seed=0)
    assert (envs.state()["rock_size"] > 0).sum(axis=1).tolist() == [1, 4, 6]
    alike = MirageVectorEnv(2, rules=Rules(wave_first=2))
    alike.reset(seed=0)
    assert (alike.state()["rock_size"] > 0).sum(axis=1).tolist() == [2, 2]


def test_threads_change_nothing() -> None:
    hashes = []
    for threads in (1, 3):
        envs = MirageVectorEnv(50, num_threads=threads)
        envs.reset(seed=0)
        for a in actions(envs, 40):
            obs, *_ = envs.step(a)
        hashes.append((envs.state_hash().tolist(), obs.tobytes()))
    assert hashes[0] == hashes[1]


def test_render_draws_each_environment_at_its_own_size() -> None:
    envs = MirageVectorEnv(3, render_mode="rgb_array", render_size=100)
    envs.reset(seed=0)
    pictures = envs.render()
    assert isinstance(pictures, tuple)
    assert [p.shape for p in pictures] == [(100, 100, 3)] * 3
    np.testing.assert_array_equal(np.stack(pictures), envs.simulator.render(100))
    kept = pictures[0].copy()
    envs.step([7, 7, 7])
    envs.render()
    np.testing.assert_array_equal(pictures[0], kept)


def test_render_without_a_mode_warns_and_draws_nothing() -> None:
    envs = MirageVectorEnv(1)
    envs.reset(seed=0)
    with pytest.warns(UserWarning, match="render_mode='rgb_array'"):
        assert envs.render() is None


def test_human_mode_shows_all_environments_in_one_window(monkeypatch: pytest.MonkeyPatch) -> None:
    pygame = pytest.importorskip("pygame")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    envs = MirageVectorEnv(3, render_mode="human", render_size=128)
    envs.reset(seed=0)
    envs.step([0, 2, 7])
    assert envs.render() is None
    shown = pygame.surfarray.array3d(pygame.display.get_surface()).swapaxes(0, 1)
    assert shown.shape == (128, 128, 3)
    pictures = envs.simulator.render(64)
    np.testing.assert_array_equal(shown[:64, :64], pictures[0])
    np.testing.assert_array_equal(shown[:64, 64:], pictures[1])
    np.testing.assert_array_equal(shown[64:, :64], pictures[2])
    assert not shown[64:, 64:].any()
    envs.close()
    assert not pygame.display.get_init()
    envs.close()


# The state ----------------------------------------------------------------------------------------


def test_the_state_vector_tells_a_scene_field_by_field(backend: str) -> None:
    envs = MirageVectorEnv(1, backend=backend, obs_type="state")
    envs.reset(seed=0)
    record = scene(
        ship=(10.5, 63.25),
        rocks=[(LARGE, 1.0, 2.0), (MEDIUM, 30.0, 40.0)],
        bullets=[(5.0, 6.0, 0.5, -1.5)],
        cooldown=7,
        shield=33,
        wave=300,
        ship_vx=UNIT // 4,
        ship_vy=-UNIT // 2,
        ship_heading=16,
        lives=2,
    )
    record["rock_angle"][1], record["rock_spin"][1] = 64, -128
    put(envs, record)
    vector = dict(zip(STATE_NAMES, envs.observe()[0].tolist(), strict=True))
    told = {name: value for name, value in vector.items() if value != 0 and abs(value) > 1e-6}
    assert told == {
        "ship_x": 10.5,
        "ship_y": 63.25,
        "ship_vx": 0.25,
        "ship_vy": -0.5,
        "ship_sin": 1.0,
        "cooldown": 7.0,
        "shield": 33.0,
        "lives": 2.0,
        "wave": 255.0,
        "rock_0_size": 3.0,
        "rock_0_x": 1.0,
        "rock_0_y": 2.0,
        "rock_0_cos": 1.0,
        "rock_1_size": 2.0,
        "rock_1_x": 30.0,
        "rock_1_y": 40.0,
        "rock_1_sin": 1.0,
        "rock_1_spin": pytest.approx(-np.pi),
        "bullet_0_life": 10.0,
        "bullet_0_x": 5.0,
        "bullet_0_y": 6.0,
        "bullet_0_vx": 0.5,
        "bullet_0_vy": -1.5,
    }
    assert len(vector) == 244


def test_the_bounds_of_the_state_vector_hold_in_wild_play() -> None:
    rules = Rules(thrust=0.25, rock_speed=1.5, wave_first=6, cooldown=1)
    envs = MirageVectorEnv(64, obs_type="state", rules=rules)
    obs, _ = envs.reset(seed=0)
    low, high = obs.min(axis=0), obs.max(axis=0)
    for a in actions(envs, 600):
        obs, *_ = envs.step(a)
        low, high = np.minimum(low, obs.min(axis=0)), np.maximum(high, obs.max(axis=0))
    space = envs.single_observation_space
    assert np.isfinite(space.low).all()
    assert np.isfinite(space.high).all()
    assert (space.low <= low).all()
    assert (high <= space.high).all()
    still = [f.name for f, a, b in zip(STATE_FIELDS, low, high, strict=True) if a == b]
    assert all(name.startswith("rock_") for name in still), still
    assert len(still) < 12 * 8, "half of the slots at least were used"


def test_the_bounds_hold_for_the_widest_state() -> None:
    envs = MirageVectorEnv(2, obs_type="state")
    envs.reset(seed=0)
    state = envs.state()
    state["rock_size"][:, :6] = LARGE
    state["rock_size"][:, 6:] = 0
    state["bullet_life"][:] = 24
    for name, values in state.items():
        if name.endswith(("_x", "_y")) or name in ("wave", "score"):
            values[:] = 2**32 - 1
        elif name.endswith(("_vx", "_vy")):
            values[0], values[1] = -(2**31), 2**31 - 1
    state["rock_spin"][0], state["rock_spin"][1] = -128, 127
    envs.set_state(state)
    obs = envs.observe()
    assert obs in envs.observation_space


def test_set_state_gives_back_what_state_took(backend: str) -> None:
    envs = MirageVectorEnv(2, backend=backend)
    envs.reset(seed=0)
    for a in actions(envs, 60):
        envs.step(a)
    state, hashes, obs = envs.state(), envs.state_hash(), envs.observe()
    for a in actions(envs, 5, seed=2):
        envs.step(a)
    assert (envs.state_hash() != hashes).all()
    envs.set_state(state)
    np.testing.assert_array_equal(envs.state_hash(), hashes)
    np.testing.assert_array_equal(envs.observe(), obs)


@pytest.mark.parametrize("num_envs", [1, 2])
def test_state_is_a_copy_and_can_be_in_units(num_envs: int) -> None:
    envs = MirageVectorEnv(num_envs)
    envs.reset(seed=0)
    before = envs.state_hash()
    raw, units = envs.state(), envs.state(units=True)
    np.testing.assert_array_equal(units["ship_x"] * UNIT, raw["ship_x"])
    np.testing.assert_array_equal(units["rock_vy"] * UNIT, raw["rock_vy"])
    assert (0 <= units["rock_x"]).all()
    assert (units["rock_x"] < 64).all()
    assert units["rock_angle"].dtype == np.uint8
    for values in (*raw.values(), *units.values()):
        values[...] = 0
    np.testing.assert_array_equal(envs.state_hash(), before)


def test_set_state_clears_slots_that_became_empty() -> None:
    envs = MirageVectorEnv(1)
    envs.reset(seed=0)
    size = envs.state()["rock_size"]
    size[0, 1] = 0
    envs.set_state({"rock_size": size})
    state = envs.state()
    rocks = {name: v[0, 1] for name, v in state.items() if name.startswith("rock_")}
    assert set(rocks.values()) == {0}
    assert state["rock_x"][0, 0] != 0


def test_set_state_shows_in_the_whole_stack() -> None:
    envs = MirageVectorEnv(1, frame_stack=3)
    envs.reset(seed=0)
    put(envs, scene(rocks=[(LARGE, 10.0, 10.0)]))
    stack = envs.observe()[0]
    for frame in stack:
        np.testing.assert_array_equal(frame, envs.simulator.render(64)[0])


# gymnasium.make_vec -------------------------------------------------------------------------------


def test_make_vec_makes_it_with_its_keywords() -> None:
    envs = gymnasium.make_vec("Mirage-v0", num_envs=3, obs_size=32, frame_stack=2)
    assert isinstance(envs, MirageVectorEnv)
    assert envs.reset(seed=0)[0].shape == (3, 2, 32, 32, 3)
    assert envs.spec is not None
    again = gymnasium.make_vec(envs.spec)
    assert again.num_envs == 3
    np.testing.assert_array_equal(again.reset(seed=4)[0], envs.reset(seed=4)[0])


@pytest.mark.parametrize("mode", ["sync", "async", "vector_entry_point"])
def test_make_vec_truncates_where_it_was_told(mode: str) -> None:
    envs = gymnasium.make_vec("Mirage-v0", 2, vectorization_mode=mode, max_episode_steps=6)
    envs.reset(seed=0)
    truncated = [envs.step(np.zeros(2, int))[3].tolist() for _ in range(7)]
    envs.close()
    assert truncated == [[False, False]] * 5 + [[True, True]] + [[False, False]]


def test_all_ways_of_vectorizing_give_the_same_game() -> None:
    results = []
    for mode in ("sync", "async", "vector_entry_point"):
        envs = gymnasium.make_vec("Mirage-v0", 2, vectorization_mode=mode, max_episode_steps=9)
        envs.reset(seed=3)
        results.append([envs.step(a)[0].copy() for a in sticky_actions(2, 20, 0)])
        envs.close()
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])
