"""The last observations of each environment, stacked."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space

from mirage_env import checks
from mirage_env.wrappers.layers import (
    autoreset_mode,
    layers,
    namespace,
    require_vector,
    reset_mask,
)

__all__ = ["FrameStackObservation"]


class FrameStackObservation(VectorWrapper[Any, Any, Any, Any, Any]):
    """Stacks the last observations on a new axis after that of the environments, the oldest first.

    An episode's first observation stands for those before it, as in Gymnasium's wrapper for single
    environments. In autoreset mode SAME_STEP "final_obs" is stacked, too.

    Example:
        >>> from mirage_env import MirageVectorEnv
        >>> envs = FrameStackObservation(MirageVectorEnv(2, obs_type="grayscale"), 4)
        >>> envs.reset(seed=0)[0].shape
        (2, 4, 64, 64)
    """

    def __init__(self, env: VectorEnv[Any, Any, Any], stack_size: int) -> None:
        """Stack the observations of `env`.

        Args:
            env: The vector environment; its observations are arrays.
            stack_size: How many, 2 or more.

        Raises:
            ValueError: If it cannot be, or if observations are stacked already.
        """
        require_vector("FrameStackObservation", env)
        super().__init__(env)
        self.stack_size = checks.whole_number("stack_size", stack_size, 2, 1000)
        self._mode = autoreset_mode("FrameStackObservation", env)
        for layer in layers(env):
            if isinstance(layer, FrameStackObservation) or getattr(layer, "frame_stack", 1) != 1:
                raise ValueError(
                    "FrameStackObservation would stack what is stacked already by "
                    f"{type(layer).__name__}: leave one of the two out"
                )
        space = env.single_observation_space
        if not isinstance(space, Box):
            raise ValueError(f"FrameStackObservation stacks observations of a Box, got {space}")
        self.single_observation_space = batch_space(space, self.stack_size)
        self.observation_space = batch_space(self.single_observation_space, env.num_envs)
        self._stacks: Any = None  # [num_envs, stack_size, ...], never written to
        self._over: Any = None  # bool [num_envs]: the next step begins an episode

    def reset(
        self, *, seed: Any = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin episodes, all or those of a "reset_mask"."""
        mask = None if self._stacks is None else reset_mask(options, self._stacks)
        observations, infos = self.env.reset(seed=seed, options=options)
        whole = _repeated(observations, self.stack_size)
        if mask is None:
            self._stacks, self._over = whole, None
        else:
            self._stacks = _where(mask, whole, self._stacks)
            self._over = None if self._over is None else self._over & ~mask
        return self._stacks, infos

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Step every environment."""
        observations, rewards, terminated, truncated, infos = self.env.step(actions)
        before, ended = self._stacks, terminated | truncated
        stacks, begun = _pushed(before, observations), self._over
        if self._mode is AutoresetMode.SAME_STEP:
            begun = ended
            if "final_obs" in infos:
                infos["final_obs"] = _final(before, infos["final_obs"])
        elif self._mode is AutoresetMode.NEXT_STEP:
            self._over = ended
        if begun is not None:
            stacks = _where(begun, _repeated(observations, self.stack_size), stacks)
        self._stacks = stacks
        return stacks, rewards, terminated, truncated, infos


def _repeated(observations: Any, count: int) -> Any:
    """Return observations [n, ...] as stacks [n, count, ...] of the same."""
    return namespace(observations).stack([observations] * count, 1)


def _pushed(stacks: Any, newest: Any) -> Any:
    """Return stacks [n, count, ...] without their oldest and with the newest [n, ...]."""
    return namespace(stacks).concatenate([stacks[:, 1:], newest[:, None]], 1)


def _where(mask: Any, this: Any, that: Any) -> Any:
    """Choose rows by a mask [n]."""
    return namespace(this).where(mask.reshape(-1, *[1] * (this.ndim - 1)), this, that)


def _final(stacks: Any, last: Any) -> Any:
    """Return "final_obs" as stacks: objects, an observation or None each, or one tensor."""
    if not (isinstance(last, np.ndarray) and last.dtype == object):
        return _pushed(stacks, last)
    final = np.full(len(last), None, dtype=object)
    for i, observation in enumerate(last):
        if observation is not None:
            final[i] = _pushed(stacks[i : i + 1], observation[None])[0]
    return final
