"""Any actions, seeds, masks, options and states: they work or are refused, and never by half."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays, integer_dtypes, scalar_dtypes

from mirage_env import MirageVectorEnv, Rules
from mirage_env.actions import checked_actions
from mirage_env.arena import ARENA_DTYPE
from mirage_env.checks import reset_options, seeds

N = 3
quick = settings(max_examples=150, deadline=None)

junk = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.binary(max_size=5),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=3),
    st.lists(
        st.one_of(st.none(), st.integers(-20, 20), st.floats(), st.text(max_size=2)), max_size=5
    ),
    arrays(scalar_dtypes(), array_shapes(max_dims=3, max_side=4)),
)
near_actions = arrays(integer_dtypes(), st.sampled_from([(N,), (N,), (N + 1,), (1, N)]))
near_masks = arrays(st.sampled_from([np.bool_, np.int8]), st.sampled_from([(N,), (N,), (N - 1,)]))


def started(**kwargs: Any) -> MirageVectorEnv:
    envs = MirageVectorEnv(N, num_threads=1, **kwargs)
    envs.reset(seed=0)
    return envs


ENVS = started(max_episode_steps=30)


@quick
@given(st.one_of(junk, near_actions, st.lists(st.integers(-2, 13), min_size=N, max_size=N)))
def test_any_actions_are_played_or_refused(actions: Any) -> None:
    before = ENVS.state_hash()
    try:
        obs, rewards, terminated, truncated, _ = ENVS.step(actions)
    except ValueError:
        np.testing.assert_array_equal(ENVS.state_hash(), before)
        return
    given_ = np.asarray(actions)
    assert given_.shape == (N,)
    assert given_.dtype.kind in "iu"
    assert ((given_ >= 0) & (given_ <= 11)).all()
    assert obs in ENVS.observation_space
    assert (rewards >= 0).all()
    assert not (terminated & truncated).any()


@quick
@given(
    st.one_of(
        junk, st.integers(0, 2**64 - 1), st.lists(st.integers(0, 2**64), min_size=N, max_size=N)
    ),
    st.one_of(
        st.none(),
        junk,
        near_masks.map(lambda mask: {"reset_mask": mask}),
        st.fixed_dictionaries({"reset_mask": junk}),
        st.fixed_dictionaries({"reset_mask": near_masks, "more": junk}),
    ),
)
def test_any_seeds_and_options_reset_or_are_refused(seed: Any, options: Any) -> None:
    before, rng = ENVS.state_hash(), repr(ENVS.np_random.bit_generator.state)
    try:
        obs, _ = ENVS.reset(seed=seed, options=options)
    except ValueError:
        np.testing.assert_array_equal(ENVS.state_hash(), before)
        assert repr(ENVS.np_random.bit_generator.state) == rng
        return
    assert obs in ENVS.observation_space
    mask, wanted = reset_options(options, N, ("reset_mask",)), seeds(seed, N)
    state = ENVS.state()
    assert (ENVS.state_hash() == before)[~mask].all()
    assert (state["tick"][mask] == 0).all()
    assert all(
        int(state["seed"][i]) == wanted[i] for i in np.flatnonzero(mask) if wanted[i] is not None
    )


@quick
@given(st.integers(1, 6), near_actions)
def test_checked_actions_never_lets_a_wrong_one_through(n: int, actions: Any) -> None:
    try:
        checked = checked_actions(actions, n)
    except ValueError:
        return
    assert checked.dtype == np.int32
    assert checked.shape == (n,)
    assert checked.min() >= 0
    assert checked.max() <= 11
    assert checked.tolist() == actions.tolist()


ORACLE, NATIVE = started(backend="oracle", obs_size=16), started(backend="native", obs_size=16)


@st.composite
def states(draw: st.DrawFn) -> dict[str, Any]:
    """Some fields of a state with any values of their types, mostly within what can be."""
    chosen = draw(st.lists(st.sampled_from(ARENA_DTYPE.names or ()), unique=True, max_size=6))
    narrow = {"rock_size": 3, "bullet_life": 24, "ship_heading": 63, "shield": 60, "dying": 16}
    narrow |= {"cooldown": 60, "thrusting": 1, "lives": 3, "wave_timer": 24, "ended": 3}
    state = {}
    for name in chosen:
        field = ARENA_DTYPE[name]
        most = draw(st.sampled_from([narrow.get(name), None]))
        elements = None if most is None else st.integers(0, most)
        state[name] = draw(arrays(field.base, (N, *field.shape), elements=elements))
    if "rock_size" in state and draw(st.booleans()):
        state["rock_size"][:, 6:] = 0
    return state


@settings(max_examples=100, deadline=None)
@given(states(), arrays(np.int32, (3, N), elements=st.integers(0, 11)))
def test_any_state_is_refused_or_played_alike_by_both_backends(
    state: dict[str, Any], actions: Any
) -> None:
    for envs in (ORACLE, NATIVE):
        envs.reset(seed=5)
    before = NATIVE.state_hash()
    try:
        NATIVE.set_state(state)
    except ValueError:
        np.testing.assert_array_equal(NATIVE.state_hash(), before)
        return
    ORACLE.set_state(state)
    np.testing.assert_array_equal(ORACLE.observe(), NATIVE.observe())
    for a in actions:
        wanted, got = ORACLE.step(a), NATIVE.step(a)
        for x, y in zip(wanted[:4], got[:4], strict=True):
            np.testing.assert_array_equal(x, y)
    np.testing.assert_array_equal(ORACLE.state_hash(), NATIVE.state_hash())


@settings(max_examples=40, deadline=None)
@given(
    thrust=st.floats(0, 0.25),
    rock_speed=st.floats(0, 1.5),
    wave_first=st.integers(1, 6),
    cooldown=st.integers(1, 60),
    split=st.sampled_from(["bullet", "random"]),
    wave=st.sampled_from(["random", "ring", "ship"]),
    frame_skip=st.integers(1, 6),
    frame_stack=st.integers(1, 4),
    obs_type=st.sampled_from(["rgb", "state"]),
    mode=st.sampled_from(["NextStep", "SameStep", "Disabled"]),
)
def test_any_options_make_an_environment_that_keeps_its_spaces(
    frame_skip: int, frame_stack: int, obs_type: str, mode: str, **rules: Any
) -> None:
    envs = started(
        rules=Rules(**rules),
        frame_skip=frame_skip,
        frame_stack=frame_stack,
        obs_type=obs_type,
        obs_size=16,
        autoreset_mode=mode,
        max_episode_steps=12,
    )
    envs.action_space.seed(0)
    for _ in range(30):
        obs, _, terminated, truncated, _ = envs.step(envs.action_space.sample())
        assert obs in envs.observation_space
    assert (terminated | truncated).all() == (mode == "Disabled")
