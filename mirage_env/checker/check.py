"""The contract: what every vector environment promises, checked in this order."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from gymnasium.spaces import Space
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from mirage_env.checker.history import Moment, Player
from mirage_env.checker.results import difference, fail

__all__ = ["check_vector_env"]

OTHERS = 3
"""So many other actions are tried where one should be ignored."""


def check_vector_env(
    envs: VectorEnv[Any, Any, Any],
    *,
    seed: int = 0,
    steps: int = 500,
    independent: bool = True,
    fewer: VectorEnv[Any, Any, Any] | None = None,
    skip_close: bool = False,
) -> None:
    """Check a vector environment against Gymnasium's contract, and close it.

    Checked are: spaces and their batches, shapes and dtypes, infos and their masks, the metadata;
    that the same seed and actions give the same history; that what was handed out does not change
    and what was passed is not changed; what the autoreset mode promises of the step that ends an
    episode and of the one after it; partial resets; pictures; closing.

    Args:
        envs: Any vector environment, of arrays or tensors. Episodes should be short, so that each
            environment ends some within `steps`.
        seed: Passed to `reset`.
        steps: At most so many are played, several times over.
        independent: Demand that an environment's history is decided by its own seed and actions:
            ``reset(seed=s)`` gives environment i the seed s + i, and no neighbour changes it.
            Pass False for environments that draw from one generator for all of them.
        fewer: The same environments, but fewer: their histories must be those of the first ones.
            They are closed, too.
        skip_close: Leave `envs` open, and do not check closing.

    Raises:
        VectorEnvError: For the first promise that is broken, in one line.
        TypeError: If it is no vector environment.

    Example:
        >>> from mirage_env import MirageVectorEnv
        >>> check_vector_env(MirageVectorEnv(3, obs_size=16, max_episode_steps=20))
    """
    if not isinstance(envs, VectorEnv):
        raise TypeError(
            f"check_vector_env checks a gymnasium.vector.VectorEnv, got {type(envs).__name__}: "
            "gymnasium.utils.env_checker.check_env is for single environments"
        )
    mode = _check_attributes(envs)
    player = Player(envs, mode, seed)
    plan, moments = player.first(seed, steps)
    _demand_the_same(player.play(seed, plan), moments, "the same seed and actions again")
    _check_endings(player, seed, plan, moments)
    if independent and envs.num_envs > 1:
        _check_independence(player, seed, plan, moments)
    if fewer is not None:
        _check_fewer(fewer, seed, plan, moments)
    player.reset()
    _check_pictures(envs)
    if not skip_close:
        _check_closing(envs)


def _check_attributes(envs: VectorEnv[Any, Any, Any]) -> AutoresetMode:
    n = getattr(envs, "num_envs", None)
    if not isinstance(n, (int, np.integer)) or n < 1:
        fail("num_envs", "must be a whole number of at least 1", repr(n))
    for what in ("observation", "action"):
        single, batch = f"single_{what}_space", f"{what}_space"
        for name in (single, batch):
            if not isinstance(getattr(envs, name, None), Space):
                fail(name, "must be a gymnasium.Space", repr(getattr(envs, name, None)))
        wanted = batch_space(getattr(envs, single), envs.num_envs)
        if getattr(envs, batch) != wanted:
            fail(
                batch,
                f"must be {single} batched, {wanted}",
                getattr(envs, batch),
                "gymnasium.vector.utils.batch_space makes it",
            )
    mode = envs.metadata.get("autoreset_mode")
    if not isinstance(mode, AutoresetMode):
        fail(
            "metadata['autoreset_mode']",
            "must be a gymnasium.vector.AutoresetMode, which algorithms go by",
            repr(mode),
        )
    return mode


def _demand_the_same(got: list[Moment], wanted: list[Moment], why: str) -> None:
    for t, (a, b) in enumerate(zip(got, wanted, strict=True), 1):
        for i in range(len(a.rewards)):
            differs = difference(b.of(i), a.of(i))
            if differs:
                fail(f"step {t}, environment {i}", f"{why} must give the same history", differs)


# Autoreset ----------------------------------------------------------------------------------------


def _check_endings(player: Player, seed: int, plan: list[list[Any]], moments: list[Moment]) -> None:
    """Check the steps that end episodes and those after them."""
    ends = [t for t, moment in enumerate(moments) if moment.ended.any()]
    if not ends:
        warnings.warn(
            f"no episode ended within {len(plan)} steps, so that nothing is known of how they end: "
            "make the environments with shorter episodes, or pass more steps",
            stacklevel=3,
        )
        return
    if player.mode is AutoresetMode.NEXT_STEP:
        _check_next_step(player, seed, plan, moments, ends)
    elif player.mode is AutoresetMode.DISABLED:
        _check_partial_resets(moments, ends)
    pairs = list(_beginnings(player.mode, moments, ends))
    moving = any(difference(m.observations[0], moments[0].observations[0]) for m in moments)
    if pairs and moving and not any(difference(last, first) for last, first in pairs):
        fail(
            f"step {ends[0] + 1}",
            "the observation that begins an episode must be its first",
            "in every environment the last one of the episode before",
        )


def _check_next_step(
    player: Player, seed: int, plan: list[list[Any]], moments: list[Moment], ends: list[int]
) -> None:
    """The step after an end begins an episode, gives no reward and obeys no action."""
    after = [t + 1 for t in ends if t + 1 < len(moments)]
    for t in after:
        for i in np.flatnonzero(moments[t - 1].ended):
            where = f"step {t + 1}, environment {i}, the step after an episode's end"
            if moments[t].rewards[i] != 0:
                fail(where, "in mode NEXT_STEP the reward must be 0", moments[t].rewards[i])
            if moments[t].ended[i]:
                fail(where, "in mode NEXT_STEP it must begin an episode", "the end of one")
    for _ in range(OTHERS if after else 0):
        t = after[0]
        who = np.flatnonzero(moments[t - 1].ended)
        drawn = player.draw()
        other = [drawn[i] if i in who else action for i, action in enumerate(plan[t])]
        replayed = player.play(seed, [*plan[:t], other])[t]
        for i in who:
            differs = difference(moments[t].of(i), replayed.of(i))
            if differs:
                fail(
                    f"step {t + 1}, environment {i}, the step after an episode's end",
                    "in mode NEXT_STEP the action must be ignored",
                    f"with another action {differs}",
                )


def _check_partial_resets(moments: list[Moment], ends: list[int]) -> None:
    """A reset of some environments leaves the others as they are."""
    for t in ends:
        again = moments[t].again or []
        for i in np.flatnonzero(~moments[t].ended):
            differs = difference(moments[t].observations[i], again[i], "its observation")
            if differs:
                fail(
                    f"a reset after step {t + 1}, environment {i}",
                    "an environment that the reset_mask leaves out must stay as it is",
                    differs,
                )


def _beginnings(mode: AutoresetMode, moments: list[Moment], ends: list[int]) -> Any:
    """Yield the last observation of an episode and the first of the next one."""
    for t in ends:
        for i in np.flatnonzero(moments[t].ended):
            if mode is AutoresetMode.SAME_STEP:
                yield moments[t].final[i], moments[t].observations[i]
            elif mode is AutoresetMode.DISABLED:
                yield moments[t].observations[i], (moments[t].again or [])[i]
            elif t + 1 < len(moments):
                yield moments[t].observations[i], moments[t + 1].observations[i]


# Independence -------------------------------------------------------------------------------------


def _check_independence(
    player: Player, seed: int, plan: list[list[Any]], moments: list[Moment]
) -> None:
    """What one does changes no other, and its place among them changes nothing either."""
    other = [[player.draw()[0], *actions[1:]] for actions in plan]
    for t, moment in enumerate(player.play(seed, other)):
        for i in range(1, player.envs.num_envs):
            differs = difference(moments[t].of(i), moment.of(i))
            if differs:
                fail(
                    f"step {t + 1}, environment {i}",
                    "the actions of environment 0 must not change it",
                    f"with others {differs}",
                )
    moved = [[*actions[1:], actions[0]] for actions in plan]
    for t, moment in enumerate(player.play(seed + 1, moved)):
        for i in range(player.envs.num_envs - 1):
            differs = difference(moments[t].of(i + 1), moment.of(i))
            if differs:
                fail(
                    f"step {t + 1}, environment {i} after reset(seed={seed + 1})",
                    f"it must be what environment {i + 1} is after reset(seed={seed}), since "
                    "environment i has the seed + i",
                    differs,
                    "pass independent=False where one generator is for all",
                )


def _check_fewer(
    fewer: VectorEnv[Any, Any, Any], seed: int, plan: list[list[Any]], moments: list[Moment]
) -> None:
    n = fewer.num_envs
    player = Player(fewer, _check_attributes(fewer), seed)
    for t, moment in enumerate(player.play(seed, [actions[:n] for actions in plan])):
        for i in range(n):
            differs = difference(moments[t].of(i), moment.of(i))
            if differs:
                fail(
                    f"step {t + 1}, environment {i} of {n}",
                    f"it must be what it is among {len(moments[t].rewards)}",
                    differs,
                )
    fewer.close()


# The rest -----------------------------------------------------------------------------------------


def _check_pictures(envs: VectorEnv[Any, Any, Any]) -> None:
    if envs.render_mode != "rgb_array":
        return
    pictures = envs.render()
    if not isinstance(pictures, tuple) or len(pictures) != envs.num_envs:
        what = type(pictures).__name__
        got = f"{what} of {len(pictures)}" if hasattr(pictures, "__len__") else what  # pyright: ignore
        fail("render()", f"must return a tuple of {envs.num_envs} pictures", got)
    for i, picture in enumerate(pictures):
        shape, dtype = getattr(picture, "shape", ()), getattr(picture, "dtype", None)
        if len(shape) != 3 or shape[2] != 3 or dtype != np.uint8:
            fail(
                f"render()[{i}]",
                "must be a picture uint8 [height, width, 3]",
                f"{dtype} of the shape {shape}",
            )


def _check_closing(envs: VectorEnv[Any, Any, Any]) -> None:
    envs.close()
    if not envs.closed:
        fail("close()", "closed must be True afterwards", envs.closed)
    try:
        envs.close()
    except Exception as error:
        fail("close()", "closing twice must be fine", f"{type(error).__name__}: {error}")
