"""Whatever is wrong with an input, one error says so before anything changes."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ClosedEnvironmentError, ResetNeeded

import mirage_env.backends
from mirage_env import MirageEnv, MirageVectorEnv, Rules
from mirage_env.errors import (
    BackendUnavailableError,
    InvalidActionError,
    MissingExtraError,
    import_extra,
)
from mirage_env.simulator import SimulatorConfig


@pytest.fixture
def envs() -> MirageVectorEnv:
    envs = MirageVectorEnv(3, frame_stack=2)
    envs.reset(seed=0)
    envs.step([1, 2, 3])
    return envs


def refused(
    envs: MirageVectorEnv,
    call: Callable[[], Any],
    message: str,
    error: type[Exception] = ValueError,
) -> None:
    """Demand that a call raises an error with this message in it, and changes nothing."""
    before, seen, rng = envs.state_hash(), envs.observe(), repr(envs.np_random.bit_generator.state)
    with pytest.raises(error, match=re.escape(message)):
        call()
    np.testing.assert_array_equal(envs.state_hash(), before)
    np.testing.assert_array_equal(envs.observe(), seen)
    assert repr(envs.np_random.bit_generator.state) == rng


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ([0, 0], "the shape (3,), one for each environment, got (2,)"),
        (0, "the shape (3,), one for each environment, got ()"),
        ([[0, 0, 0]], "got (1, 3)"),
        ([], "got float64"),
        ([0, 0, 12], "from 0 to 11, got 12 for environment 2"),
        ([0, -1, 0], "from 0 to 11, got -1 for environment 1"),
        (np.array([0, 2**63, 0], np.uint64), "got 9223372036854775808 for environment 1"),
        (np.array([0, 2**32, 0]), "got 4294967296 for environment 1"),
        ([0.0, 1.0, 2.0], "must be integers, got float64"),
        ([0, 1, float("nan")], "must be integers, got float64"),
        (np.zeros(3, np.bool_), "must be integers, got bool"),
        (["a", "b", "c"], "must be integers, got <U1"),
        (None, "must be integers, got object (None)"),
        ([0, None, 0], "must be integers, got object"),
        ([[0], [0, 1], [0]], "actions must be integers"),
        (np.zeros(3, complex), "must be integers, got complex128"),
        (2**70, "must be integers, got object"),
    ],
)
def test_wrong_actions_are_refused(envs: MirageVectorEnv, actions: Any, message: str) -> None:
    refused(envs, lambda: envs.step(actions), message)
    refused(envs, lambda: envs.step(actions), message, InvalidActionError)
    refused(envs, lambda: envs.step(actions), message, gymnasium.error.InvalidAction)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int64, np.uint64, ">i4"])
def test_integers_of_any_width_are_actions(envs: MirageVectorEnv, dtype: Any) -> None:
    other = MirageVectorEnv(3)
    other.restore(MirageVectorEnv.snapshot(plain(envs)))
    envs.step(np.array([11, 0, 5], dtype))
    other.step((11, 0, 5))
    np.testing.assert_array_equal(envs.state_hash(), other.state_hash())


def plain(envs: MirageVectorEnv) -> MirageVectorEnv:
    """An environment without a frame stack in the same state."""
    other = MirageVectorEnv(envs.num_envs)
    other.reset(seed=0)
    other.set_state(envs.state())
    return other


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (12, "the action must be from 0 to 11, got 12"),
        (-1, "the action must be from 0 to 11, got -1"),
        ([0], "one integer, got the shape (1,)"),
        (1.0, "must be integers, got float64 (1.0)"),
        (True, "must be integers, got bool (True)"),
        (float("nan"), "must be integers, got float64 (nan)"),
        ("fire", "must be integers, got <U4 ('fire')"),
        (None, "must be integers, got object (None)"),
    ],
)
def test_wrong_actions_of_one_environment_are_refused(action: Any, message: str) -> None:
    env = MirageEnv()
    env.reset(seed=0)
    before = env.state_hash()
    with pytest.raises(InvalidActionError, match=re.escape(message)):
        env.step(action)
    assert env.state_hash() == before
    env.step(np.int64(3))
    env.step(np.array(3))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mask": np.ones(3, bool)}, "unknown reset option 'mask': the only one is 'reset_mask'"),
        ({"reset_mask": np.ones(2, bool)}, "of the shape (3,), got bool of the shape (2,)"),
        ({"reset_mask": np.ones(3, int)}, "must be a bool array of the shape (3,), got int64"),
        ({"reset_mask": np.ones((3, 1), bool)}, "got bool of the shape (3, 1)"),
        ({"reset_mask": np.array([1.0, np.nan, 0])}, "got float64"),
        ({"reset_mask": np.zeros(3, bool)}, "must be True for one environment at least"),
        ({"reset_mask": None}, "got object of the shape ()"),
        ([1, 2], "options must be None or a dict, got [1, 2]"),
    ],
)
def test_wrong_options_are_refused(envs: MirageVectorEnv, options: Any, message: str) -> None:
    refused(envs, lambda: envs.reset(options=options), message)
    refused(envs, lambda: envs.reset(seed=5, options=options), message)


@pytest.mark.parametrize(
    ("seed", "message"),
    [
        (-1, "seed must be a whole number from 0 to 18446744073709551615, got -1"),
        (2**64, "got 18446744073709551616"),
        (True, "got True"),
        (1.5, "seed must be None, a whole number or a sequence of 3 of them, got 1.5"),
        ("12", "got '12'"),
        ([1, 2], "one entry for each of 3 environments, got 2"),
        ([1, 2, -3], "seed[2] must be a whole number from 0"),
        ([1, 2.5, 3], "seed[1] must be a whole number from 0"),
        (np.array([1, "NaT", 3], "timedelta64[Y]"), "seed[0] must be a whole number from 0"),
        ({1: 2}, "got {1: 2}"),
    ],
)
def test_wrong_seeds_are_refused(envs: MirageVectorEnv, seed: Any, message: str) -> None:
    refused(envs, lambda: envs.reset(seed=seed), message)


def test_a_single_environment_refuses_seeds_and_options() -> None:
    env = MirageEnv()
    env.reset(seed=0)
    before, rng = env.state_hash(), repr(env.np_random.bit_generator.state)
    for kwargs, message in [
        ({"seed": -1}, "seed must be a whole number from 0"),
        ({"seed": [1]}, "seed must be a whole number from 0"),
        ({"seed": 1, "options": {"x": 1}}, "unknown reset option 'x': there are none"),
        ({"options": {"reset_mask": np.ones(1, bool)}}, "unknown reset option 'reset_mask'"),
    ]:
        with pytest.raises(ValueError, match=re.escape(message)):
            env.reset(**kwargs)
        assert env.state_hash() == before
        assert repr(env.np_random.bit_generator.state) == rng


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"num_envs": 0}, "num_envs must be a whole number of at least 1, got 0"),
        ({"num_envs": 2.0}, "num_envs must be a whole number of at least 1, got 2.0"),
        (
            {"backend": "gpu"},
            "backend must be one of 'auto', 'cuda', 'native', 'oracle', got 'gpu'",
        ),
        ({"output": "jax"}, "output must be one of 'numpy', 'torch', got 'jax'"),
        ({"autoreset_mode": "later"}, "or one of 'NextStep', 'SameStep', 'Disabled', got 'later'"),
        ({"autoreset_mode": 0}, "got 0"),
        ({"obs_size": 15}, "obs_size must be a whole number from 16 to 1024, got 15"),
        ({"obs_size": 1025}, "got 1025"),
        ({"obs_size": (64, 64)}, "got (64, 64)"),
        ({"obs_type": "ram"}, "obs_type must be one of 'rgb', 'grayscale', 'state', got 'ram'"),
        ({"frame_skip": 0}, "frame_skip must be a whole number from 1 to 1000, got 0"),
        ({"frame_stack": 0}, "frame_stack must be a whole number from 1 to 1000, got 0"),
        ({"frame_stack": True}, "got True"),
        ({"max_episode_steps": 0}, "max_episode_steps must be a whole number from 1"),
        ({"max_episode_steps": None}, "got None"),
        ({"rules": "easy"}, "rules must be a Rules or a sequence of 2 of them, got 'easy'"),
        ({"rules": [Rules()]}, "rules must be one Rules or one for each of 2 environments, got 1"),
        ({"rules": Rules(lives=5)}, "Rules.lives is compiled into the simulators"),
        (
            {"render_mode": "ansi"},
            "render_mode must be one of None, 'human', 'rgb_array', got 'ansi'",
        ),
        ({"render_size": 8}, "render_size must be a whole number from 16 to 1024, got 8"),
        ({"copy": "no"}, "copy must be one of True, False, got 'no'"),
        ({"num_threads": -1}, "num_threads must be a whole number from 0 to 1024, got -1"),
    ],
)
def test_wrong_keywords_are_refused(kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        MirageVectorEnv(**{"num_envs": 2, **kwargs})


@pytest.mark.parametrize("make", [MirageVectorEnv, MirageEnv])
def test_an_unknown_keyword_names_the_nearest(make: Callable[..., Any]) -> None:
    message = (
        f"{make.__name__} got an unknown keyword argument 'framestack': did you mean 'frame_stack'?"
    )
    with pytest.raises(TypeError, match=re.escape(message)):
        make(framestack=4)


def test_an_unknown_keyword_is_named_through_gymnasium_too() -> None:
    with pytest.raises(TypeError, match="unknown keyword argument 'colour'"):
        gymnasium.make("Mirage-v0", colour="red")
    with pytest.raises(TypeError, match="unknown keyword argument 'colour'"):
        gymnasium.make_vec("Mirage-v0", 2, colour="red")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ship_z": [0, 0, 0]}, "there is no state field 'ship_z': there are rock_x,"),
        (
            {"lives": [1, 1]},
            "'lives' must be integers of the shape (3,), got int64 of the shape (2,)",
        ),
        ({"lives": [1.0, 1.0, 1.0]}, "got float64 of the shape (3,)"),
        ({"lives": [0, 1, 4]}, "'lives' must be from 0 to 3, got values from 0 to 4"),
        ({"ship_heading": [0, 0, 64]}, "'ship_heading' must be from 0 to 63"),
        ({"ship_x": [0, 0, 2**32]}, "'ship_x' must be from 0 to 4294967295"),
        ({"wave": [0, 1, 1]}, "'wave' must be from 1 to"),
        ({"rock_size": np.full((3, 24), 4)}, "'rock_size' must be from 0 to 3"),
        ({"rock_size": np.full((3, 24), 3)}, "the rocks of environment 0 may break in 96"),
        ({"seed": [0, 0, -1]}, "'seed' must be from 0 to 18446744073709551615"),
    ],
)
def test_impossible_states_are_refused(
    envs: MirageVectorEnv, change: dict[str, Any], message: str
) -> None:
    refused(envs, lambda: envs.set_state(change), message)
    refused(envs, lambda: envs.set_state({"shield": [9, 9, 9], **change}), message)


def test_what_is_no_state_is_refused(envs: MirageVectorEnv) -> None:
    for junk in (5, [("lives", [1, 1, 1])]):
        refused(envs, lambda junk=junk: envs.set_state(junk), "a state must be a mapping")
    ragged = {"rock_x": [[1, 2], [3]]}
    refused(envs, lambda: envs.set_state(ragged), "'rock_x' must be integers of the shape (3, 24)")
    env = MirageEnv()
    env.reset(seed=0)
    before = env.state_hash()
    with pytest.raises(ValueError, match="a state must be a mapping"):
        env.set_state(5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'rock_x' must be integers"):
        env.set_state({"rock_x": [1, [2]]})
    assert env.state_hash() == before


def test_a_state_that_ended_is_refused_where_none_can_be() -> None:
    envs = MirageVectorEnv(2, autoreset_mode="SameStep")
    envs.reset(seed=0)
    refused(envs, lambda: envs.set_state({"ended": [0, 1]}), "'ended' must be 0")


CALLS = [
    lambda e: e.step(e.action_space.sample()),
    lambda e: e.render(),
    lambda e: e.observe(),
    lambda e: e.snapshot(),
    lambda e: e.state(),
    lambda e: e.state_hash(),
    lambda e: e.set_state({}),
]


@pytest.mark.parametrize("make", [lambda: MirageVectorEnv(2), MirageEnv])
@pytest.mark.parametrize("call", CALLS)
def test_everything_needs_a_reset_first_and_nothing_works_after_close(
    make: Callable[[], Any], call: Callable[[Any], Any]
) -> None:
    env = make()
    with pytest.raises(ResetNeeded, match="call reset"):
        call(env)
    env.reset(seed=0)
    saved = env.snapshot()
    env.close()
    env.close()
    for late in (call, lambda e: e.reset(seed=1), lambda e: e.restore(saved)):
        with pytest.raises(ClosedEnvironmentError, match="the environment is closed"):
            late(env)


def test_a_first_reset_with_a_mask_is_refused() -> None:
    envs = MirageVectorEnv(2)
    with pytest.raises(ResetNeeded, match="of all environments"):
        envs.reset(seed=0, options={"reset_mask": np.array([True, False])})
    envs.reset(seed=0, options={"reset_mask": np.array([True, True])})


# Backends and extras ----------------------------------------------------------------------------


def config() -> SimulatorConfig:
    return SimulatorConfig(np.zeros((1, 6), np.int32))


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"device": "tpu"}, "device must be 'auto', 'cuda' or 'cuda:N', got 'tpu'"),
        ({"device": 0}, "device must be 'auto', 'cuda' or 'cuda:N', got 0"),
        (
            {"device": "cuda:1", "backend": "native"},
            "device='cuda:1' is for backend='cuda', got backend='native'",
        ),
    ],
)
def test_a_device_that_makes_no_sense_is_refused(kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        MirageVectorEnv(1, **kwargs)


def test_without_a_driver_the_cuda_backend_says_so_and_auto_does_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = ctypes.CDLL

    def no_driver(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "libcuda.so.1":
            raise OSError(f"{name}: cannot open shared object file")
        return real(name, *args, **kwargs)

    monkeypatch.setattr("ctypes.CDLL", no_driver)
    for kwargs in ({"backend": "cuda"}, {"device": "cuda:0"}):
        with pytest.raises(BackendUnavailableError, match=r"no driver .* use backend='native'"):
            MirageVectorEnv(1, **kwargs)
    pytest.importorskip("torch")
    envs = MirageVectorEnv(1, output="torch")
    observations, _ = envs.reset(seed=0)
    assert observations.device.type == "cpu"


def test_a_missing_native_module_says_what_to_do_and_never_falls_to_the_oracle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "mirage_env.backends.native", None)
    for name in ("auto", "native"):
        with pytest.raises(BackendUnavailableError, match="'native' cannot be used"):
            mirage_env.backends.make(name, config())
    assert type(mirage_env.backends.make("oracle", config())).__name__ == "OracleSimulator"


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    modules = __import__("sys").modules
    monkeypatch.setitem(modules, "torch", None)
    monkeypatch.setitem(modules, "pygame", None)
    with pytest.raises(MissingExtraError, match=r"output='torch' needs torch.*mirage-env\[wm\]"):
        MirageVectorEnv(1, output="torch")
    with pytest.raises(
        MissingExtraError, match=r"render_mode='human' needs pygame.*mirage-env\[play\]"
    ):
        MirageEnv(render_mode="human")
    with pytest.raises(ImportError, match="nothing_like_this"):
        import_extra("nothing_like_this", "play", "this test")
