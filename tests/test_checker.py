"""The checker finds faults that were planted, by name, and finds none where there are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from counting_envs import CountingEnvs
from gymnasium.spaces import Box, MultiDiscrete
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import vector as wrappers

from mirage_env import MirageEnv, MirageVectorEnv
from mirage_env.checker import VectorEnvError, check_vector_env
from mirage_env.wrappers import ClipReward, FrameStackObservation, RecordEpisodeStatistics

MODES = list(AutoresetMode)
NEXT, SAME, DISABLED = "NEXT_STEP", "SAME_STEP", "DISABLED"


# Planted faults -----------------------------------------------------------------------------------


def wrong_batch_space(envs: Any) -> None:
    envs.observation_space = Box(0, 1000, (3, 3), np.float64)


def no_action_space(envs: Any) -> None:
    envs.single_action_space = None


def wrong_action_space(envs: Any) -> None:
    envs.action_space = MultiDiscrete([5, 5])


def no_mode(envs: Any) -> None:
    envs.metadata = {"autoreset_mode": "next"}


def altered(envs: Any, **changes: Callable[[Any], Any]) -> None:
    """Pass parts of what step returns through functions."""
    step = envs.step

    def altered_step(actions: Any) -> Any:
        names = ("observations", "rewards", "terminated", "truncated", "infos")
        result = dict(zip(names, step(actions), strict=True))
        return tuple(changes.get(name, lambda v: v)(value) for name, value in result.items())

    envs.step = altered_step


def observations_of_doubles(envs: Any) -> None:
    altered(envs, observations=lambda o: o.astype(np.float64))


def observations_too_few(envs: Any) -> None:
    altered(envs, observations=lambda o: o[:2])


def observations_too_large(envs: Any) -> None:
    altered(envs, observations=lambda o: o + np.float32(999))


def whole_rewards(envs: Any) -> None:
    altered(envs, rewards=lambda r: r.astype(np.int64))


def rewards_in_a_column(envs: Any) -> None:
    altered(envs, rewards=lambda r: r[:, None])


def rewards_that_are_no_numbers(envs: Any) -> None:
    altered(envs, rewards=lambda r: r * np.nan)


def flags_of_numbers(envs: Any) -> None:
    altered(envs, terminated=lambda f: f.astype(np.int8))


def one_flag(envs: Any) -> None:
    altered(envs, truncated=lambda f: f[:1])


def infos_in_a_list(envs: Any) -> None:
    altered(envs, infos=lambda i: [i])


def no_mask(envs: Any) -> None:
    altered(envs, infos=lambda i: {k: v for k, v in i.items() if k != "_tick"})


def mask_of_numbers(envs: Any) -> None:
    altered(envs, infos=lambda i: i | {"_tick": i["_tick"].astype(int)})


def an_info_of_one(envs: Any) -> None:
    altered(envs, infos=lambda i: i | {"tick": i["tick"][:1]})


def four_results(envs: Any) -> None:
    step = envs.step
    envs.step = lambda actions: step(actions)[:4]


def reset_without_infos(envs: Any) -> None:
    reset = envs.reset
    envs.reset = lambda **kwargs: reset(**kwargs)[0]


def the_seed_forgotten(envs: Any) -> None:
    reset = envs.reset
    envs.reset = lambda seed=None, **kwargs: reset(**kwargs)


def a_hidden_die(envs: Any) -> None:
    rng = np.random.default_rng()
    altered(envs, rewards=lambda r: r + rng.random())


def one_seed_for_all(envs: Any) -> None:
    reset = envs.reset
    envs.reset = lambda seed=None, **kwargs: reset(
        seed=[seed] * 3 if isinstance(seed, int) else seed, **kwargs
    )


def neighbours_that_push(envs: Any) -> None:
    step = envs.step

    def pushed(actions: Any) -> Any:
        observations, rewards, *rest = step(actions)
        return observations, rewards + np.roll(rewards, 1) * (rewards > 0), *rest

    envs.step = pushed


def one_buffer(envs: Any) -> None:
    seen, buffer = envs.seen, np.zeros((envs.num_envs, 3), np.float32)

    def written() -> Any:
        buffer[:] = seen()
        return buffer

    envs.seen = written


def two_buffers_in_turn(envs: Any) -> None:
    buffers = [np.zeros(envs.num_envs), np.zeros(envs.num_envs)]

    def written(rewards: Any) -> Any:
        buffers.reverse()
        buffers[0][:] = rewards
        return buffers[0]

    altered(envs, rewards=written)


def a_mask_written_again(envs: Any) -> None:
    mask, calls = np.ones(envs.num_envs, np.bool_), [0]

    def told(infos: Any) -> Any:
        calls[0] += 1
        mask[0] = calls[0] % 2
        return infos | {"_tick": mask}

    altered(envs, infos=told)


def actions_overwritten(envs: Any) -> None:
    step = envs.step

    def overwriting(actions: Any) -> Any:
        result = step(actions)
        actions[:] = 0
        return result

    envs.step = overwriting


def a_reward_for_beginning(envs: Any) -> None:
    step = envs.step

    def rewarded(actions: Any) -> Any:
        over = envs.over.copy()
        observations, rewards, *rest = step(actions)
        return observations, rewards + over, *rest

    envs.step = rewarded


def the_end_again(envs: Any) -> None:
    step = envs.step

    def again(actions: Any) -> Any:
        over = envs.over.copy()
        observations, rewards, terminated, *rest = step(actions)
        return observations, rewards, terminated | over, *rest

    envs.step = again


def an_action_obeyed_at_the_beginning(envs: Any) -> None:
    step = envs.step

    def obeyed(actions: Any) -> Any:
        over = envs.over.copy()
        observations, *rest = step(actions)
        observations[:, 1] += over * np.asarray(actions)
        return observations, *rest

    envs.step = obeyed


def the_last_observation_for_the_first(envs: Any) -> None:
    step = envs.step

    def late(actions: Any) -> Any:
        observations, rewards, terminated, truncated, infos = step(actions)
        for i in np.flatnonzero(terminated | truncated):
            observations[i] = infos["final_obs"][i]
        return observations, rewards, terminated, truncated, infos

    envs.step = late


def no_final_obs(envs: Any) -> None:
    altered(envs, infos=lambda i: {k: v for k, v in i.items() if "final_obs" not in k})


def no_final_info(envs: Any) -> None:
    altered(envs, infos=lambda i: {k: v for k, v in i.items() if "final_info" not in k})


def final_obs_of_all(envs: Any) -> None:
    altered(
        envs,
        infos=lambda i: i | {"_final_obs": np.ones(3, np.bool_)} if "final_obs" in i else i,
    )


def final_obs_of_another_shape(envs: Any) -> None:
    final = envs.final

    def flat(ended: Any) -> Any:
        told = final(ended)
        for i in np.flatnonzero(ended):
            told["final_obs"][i] = told["final_obs"][i][:2]
        return told

    envs.final = flat


def the_reset_mask_overlooked(envs: Any) -> None:
    reset = envs.reset
    envs.reset = lambda seed=None, options=None: reset(seed=seed)


def the_reset_mask_changed(envs: Any) -> None:
    reset = envs.reset

    def changing(seed: Any = None, options: Any = None) -> Any:
        result = reset(seed=seed, options=options)
        if options:
            options["reset_mask"][:] = False
        return result

    envs.reset = changing


def one_picture(envs: Any) -> None:
    envs.render_mode = "rgb_array"
    envs.render = lambda: np.zeros((8, 8, 3), np.uint8)


def pictures_of_floats(envs: Any) -> None:
    envs.render_mode = "rgb_array"
    envs.render = lambda: tuple(np.zeros((8, 8, 3)) for _ in range(3))


def closing_once(envs: Any) -> None:
    def close() -> None:
        if envs.closed:
            raise RuntimeError("already closed")
        envs.closed = True

    envs.close = close


def never_closed(envs: Any) -> None:
    envs.close = lambda: None


FAULTS: list[tuple[Callable[[Any], None], str, str]] = [
    (wrong_batch_space, NEXT, "observation_space: must be single_observation_space batched"),
    (no_action_space, NEXT, "single_action_space: must be a gymnasium.Space, got None"),
    (wrong_action_space, NEXT, "action_space: must be single_action_space batched"),
    (no_mode, NEXT, r"metadata\['autoreset_mode'\]: must be .* got 'next'"),
    (observations_of_doubles, NEXT, "step 1: observations must be float32, got float64"),
    (observations_too_few, NEXT, r"observations must have the shape \(3, 3\), got \(2, 3\)"),
    (observations_too_large, NEXT, r"observation_space, there from 0.0 to 1000.0, got 1001.0"),
    (whole_rewards, NEXT, "rewards must be an array of floating point numbers, got int64"),
    (rewards_in_a_column, NEXT, r"rewards must have the shape \(3,\), got \(3, 1\)"),
    (rewards_that_are_no_numbers, NEXT, "rewards must be finite"),
    (flags_of_numbers, NEXT, "terminated: must be an array of bool, got int8"),
    (one_flag, NEXT, r"truncated: must have the shape \(3,\), got \(1,\)"),
    (infos_in_a_list, NEXT, "infos must be a dict of arrays, got list"),
    (no_mask, NEXT, "infos must hold '_tick', the mask"),
    (mask_of_numbers, NEXT, r"infos\['_tick'\]: must be an array of bool"),
    (an_info_of_one, NEXT, r"infos\['tick'\]: must be an array with a first axis of 3"),
    (four_results, NEXT, r"step\(\) must return observations, .* got a tuple of 4"),
    (reset_without_infos, NEXT, r"reset\(seed=0\): must return observations and infos"),
    (the_seed_forgotten, NEXT, "the same seed and actions again must give the same history"),
    (a_hidden_die, NEXT, r"the same history, got \['reward'\] is"),
    (one_seed_for_all, NEXT, r"since environment i has the seed \+ i"),
    (neighbours_that_push, NEXT, "environment 1: the actions of environment 0 must not change it"),
    (one_buffer, NEXT, r"must not change later, got observations\[0, 2\] is"),
    (two_buffers_in_turn, NEXT, r"must not change later, got rewards\[0\] is"),
    (a_mask_written_again, NEXT, r"must not change later, got infos\['_tick'\]"),
    (actions_overwritten, NEXT, "the actions that were passed must stay as they are"),
    (a_reward_for_beginning, NEXT, "in mode NEXT_STEP the reward must be 0, got 1.0"),
    (the_end_again, NEXT, "in mode NEXT_STEP it must begin an episode"),
    (an_action_obeyed_at_the_beginning, NEXT, "in mode NEXT_STEP the action must be ignored"),
    (the_last_observation_for_the_first, SAME, "the observation that begins an episode must be"),
    (no_final_obs, SAME, "in mode SAME_STEP infos must hold 'final_obs'"),
    (no_final_info, SAME, "in mode SAME_STEP infos must hold 'final_info'"),
    (final_obs_of_all, SAME, r"infos\['_final_obs'\] must be where an episode ended"),
    (final_obs_of_another_shape, SAME, r"\['final_obs'\]\[\d\] must be in single_observation_"),
    (the_reset_mask_overlooked, DISABLED, "that the reset_mask leaves out must stay as it is"),
    (the_reset_mask_changed, DISABLED, "the mask that was passed must stay as it is"),
    (one_picture, NEXT, r"render\(\): must return a tuple of 3 pictures, got ndarray"),
    (pictures_of_floats, NEXT, r"render\(\)\[0\]: must be a picture uint8"),
    (closing_once, NEXT, r"close\(\): closing twice must be fine, got RuntimeError: already"),
    (never_closed, NEXT, r"close\(\): closed must be True afterwards"),
]


@pytest.mark.parametrize(
    ("plant", "mode", "message"), FAULTS, ids=lambda v: getattr(v, "__name__", "")
)
def test_a_planted_fault_is_named(plant: Callable[[Any], None], mode: str, message: str) -> None:
    envs = CountingEnvs(3, mode)
    plant(envs)
    with pytest.raises(VectorEnvError, match=message):
        check_vector_env(envs)


def test_an_environment_that_knows_how_many_there_are_is_found() -> None:
    envs = CountingEnvs(3)
    altered(envs, rewards=lambda r: r / 3)
    with pytest.raises(VectorEnvError, match=r"environment 0 of 2: it must be what it is among 3"):
        check_vector_env(envs, fewer=CountingEnvs(2))


# No faults ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_an_environment_without_fault_passes(mode: AutoresetMode) -> None:
    envs = CountingEnvs(3, mode)
    check_vector_env(envs, fewer=CountingEnvs(2, mode))
    assert envs.closed


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["CartPole-v1", "FrozenLake-v1", "Blackjack-v1", "Acrobot-v1"])
def test_gymnasiums_own_pass(name: str, mode: AutoresetMode) -> None:
    def make(num_envs: int) -> Any:
        return gymnasium.make_vec(
            name,
            num_envs=num_envs,
            vectorization_mode="sync",
            vector_kwargs={"autoreset_mode": mode},
            max_episode_steps=30,
        )

    check_vector_env(make(3), fewer=make(2))


def test_gymnasiums_asynchronous_ones_pass() -> None:
    check_vector_env(gymnasium.make_vec("CartPole-v1", num_envs=2, vectorization_mode="async"))


def test_environments_that_share_a_generator_pass_where_that_is_allowed() -> None:
    def make() -> Any:
        return gymnasium.make_vec(
            "CartPole-v1", num_envs=3, vectorization_mode="vector_entry_point"
        )

    with pytest.raises(VectorEnvError, match="environment 0 must not change it"):
        check_vector_env(make())
    # It draws for all of its environments at once, and its close() leaves it open.
    with pytest.raises(VectorEnvError, match="closed must be True afterwards"):
        check_vector_env(make(), independent=False)
    check_vector_env(make(), independent=False, skip_close=True)


def test_an_array_that_gymnasiums_statistics_write_again_is_found() -> None:
    envs = CountingEnvs(3, DISABLED)
    with pytest.raises(VectorEnvError, match=r"must not change later, got infos\['_episode'\]"):
        check_vector_env(wrappers.RecordEpisodeStatistics(envs))


KINDS: dict[str, dict[str, Any]] = {
    "pictures": {"render_mode": "rgb_array", "render_size": 16},
    "stacked, grey, skipping": {"frame_stack": 3, "frame_skip": 3, "obs_type": "grayscale"},
    "states": {"obs_type": "state"},
    "tensors": {"output": "torch"},
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_game_passes(kind: str, mode: AutoresetMode, backend: str) -> None:
    if kind == "tensors":
        pytest.importorskip("torch")

    def make(n: int) -> MirageVectorEnv:
        return MirageVectorEnv(
            n, backend=backend, autoreset_mode=mode, obs_size=16, max_episode_steps=6, **KINDS[kind]
        )

    check_vector_env(make(3), fewer=make(2))


@pytest.mark.gpu
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_game_on_a_gpu_passes(kind: str, mode: AutoresetMode) -> None:
    def make(n: int) -> MirageVectorEnv:
        return MirageVectorEnv(
            n, backend="cuda", autoreset_mode=mode, max_episode_steps=6, **KINDS[kind]
        )

    check_vector_env(make(3), fewer=make(2))


@pytest.mark.parametrize("output", ["numpy", "torch"])
@pytest.mark.parametrize("mode", MODES)
def test_the_wrappers_pass(mode: AutoresetMode, output: str) -> None:
    pytest.importorskip("torch")
    envs: Any = MirageVectorEnv(
        3, autoreset_mode=mode, obs_size=16, max_episode_steps=6, output=output
    )
    check_vector_env(ClipReward(FrameStackObservation(RecordEpisodeStatistics(envs), 3), 0, 1))


@pytest.mark.parametrize("output", ["numpy", "torch"])
@pytest.mark.parametrize("mode", MODES)
def test_the_dream_passes(mode: AutoresetMode, output: str, small_model: Any) -> None:
    from mirage_wm import DreamVectorEnv

    # On a CPU a dream's rounding may depend on how many are dreamt together: it is not independent.
    envs = DreamVectorEnv(
        2,
        model=small_model,
        runtime="torch",
        autoreset_mode=mode,
        max_episode_steps=4,
        output=output,
    )
    check_vector_env(envs, independent=False, steps=12)


@pytest.fixture(scope="module")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    pytest.importorskip("torch")
    from small_models import write_model

    return write_model(tmp_path_factory.mktemp("model"))


# The checker itself -------------------------------------------------------------------------------


def test_a_single_environment_is_refused() -> None:
    with pytest.raises(TypeError, match=r"got MirageEnv: gymnasium.utils.env_checker.check_env"):
        check_vector_env(MirageEnv())  # pyright: ignore[reportArgumentType]


def test_it_says_where_no_episode_ended() -> None:
    with pytest.warns(UserWarning, match="no episode ended within 3 steps"):
        check_vector_env(MirageVectorEnv(2, obs_size=16), steps=3)


def test_it_can_leave_the_environments_open_and_their_generators_alone() -> None:
    envs = CountingEnvs(2)
    envs.action_space.seed(1)
    wanted = envs.action_space.sample().tolist()
    envs.action_space.seed(1)
    check_vector_env(envs, skip_close=True)
    assert not envs.closed
    assert envs.action_space.sample().tolist() == wanted
