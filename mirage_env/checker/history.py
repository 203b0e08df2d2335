"""Playing a vector environment by a plan, and what came of it."""

from __future__ import annotations

import sys
from collections import deque
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import concatenate, create_empty_array, iterate
from numpy.typing import NDArray

from mirage_env.checker.results import (
    check_infos,
    check_observations,
    check_step,
    difference,
    fail,
    on_host,
)

__all__ = ["Moment", "Player"]

HELD = 4
"""So many of the last results are watched: whoever writes in few buffers in turn is found."""

ENOUGH = 2
"""Endings of each environment after which a first play stops."""


NAMES = ("observations", "rewards", "terminated", "truncated", "infos")
"""What a step returns."""


class Moment(NamedTuple):
    """What a step gave, copied to the host.

    Attributes:
        observations: Of each environment, a list.
        rewards: Floats [num_envs].
        terminated: bool [num_envs].
        truncated: bool [num_envs].
        final: Last observations of episodes that ended, None for the others.
        again: In mode DISABLED, observations after the reset of those that ended.
    """

    observations: list[Any]
    rewards: NDArray[Any]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    final: list[Any]
    again: list[Any] | None = None

    @property
    def ended(self) -> NDArray[np.bool_]:
        """Which episodes ended, bool [num_envs]."""
        return self.terminated | self.truncated

    def of(self, i: int | np.intp) -> dict[str, Any]:
        """Return what environment i was given."""
        return {
            "observation": self.observations[i],
            "reward": self.rewards[i],
            "terminated": self.terminated[i],
            "truncated": self.truncated[i],
            "final_obs": self.final[i],
        }


class Player:
    """Plays a vector environment by plans: for each step a list of the environments' actions."""

    def __init__(self, envs: VectorEnv[Any, Any, Any], mode: AutoresetMode, seed: int) -> None:
        """Play `envs`; actions are drawn by `seed`, from a copy of their space."""
        self.envs, self.mode = envs, mode
        self._space = deepcopy(envs.action_space)
        self._space.seed(seed)
        self._held: deque[tuple[str, Any, Any]] = deque(maxlen=HELD)

    def draw(self) -> list[Any]:
        """Return an action for each environment."""
        return list(deepcopy(tuple(iterate(self._space, self._space.sample()))))

    def first(self, seed: int, most: int) -> tuple[list[list[Any]], list[Moment]]:
        """Play until every episode has ended twice, or `most` steps; watch what was handed out.

        Returns:
            The plan that it was and what came of it.
        """
        plan: list[list[Any]] = []
        moments: list[Moment] = []
        endings = np.zeros(self.envs.num_envs, int)
        self.reset(seed)
        while len(plan) < most and (endings < ENOUGH).any():
            plan.append(self.draw())
            moments.append(self.step(plan[-1], f"step {len(plan)}", watch=True))
            endings += moments[-1].ended
        for _ in range(2):  # the very last results are watched, too
            self.step(self.draw(), "a step more", watch=True)
        return plan, moments

    def play(self, seed: int, plan: list[list[Any]]) -> list[Moment]:
        """Play by a plan."""
        self.reset(seed)
        return [self.step(actions, f"step {t}") for t, actions in enumerate(plan, 1)]

    def reset(self, seed: int | None = None, mask: NDArray[np.bool_] | None = None) -> list[Any]:
        """Reset all environments or those of a mask; return the observations."""
        where = f"reset(seed={seed})" if mask is None else "reset(options={'reset_mask': ...})"
        given = np.array(mask)
        options = {} if mask is None else {"options": {"reset_mask": given}}
        result = self.envs.reset(seed=seed, **options)
        if not isinstance(result, tuple) or len(result) != 2:
            fail(where, "must return observations and infos", type(result).__name__)
        observations, infos = on_host(result)
        check_observations(self.envs, observations, where)
        check_infos(infos, self.envs.num_envs, where)
        if mask is not None and not np.array_equal(given, mask):
            fail(where, "the mask that was passed must stay as it is", f"{given} for {mask}")
        self._like = result[0]
        if mask is None:
            self._held.clear()
            self._watch(where, result, ("observations", "infos"))
        return list(iterate(self.envs.observation_space, observations))

    def step(self, actions: list[Any], where: str, *, watch: bool = False) -> Moment:
        """Step by an action for each environment."""
        envs = self.envs
        empty = create_empty_array(envs.single_action_space, envs.num_envs)
        given = self._as_theirs(concatenate(envs.single_action_space, actions, empty))
        before = on_host(given)
        result = envs.step(given)
        copied = on_host(result)
        check_step(envs, copied, where)
        changed = difference(before, on_host(given), "actions")
        if changed:
            fail(where, "the actions that were passed must stay as they are", changed)
        if watch:
            self._watch(where, result)
        observations, rewards, terminated, truncated, infos = copied
        rows = list(iterate(envs.observation_space, observations))
        final = self._final(infos, terminated | truncated, where)
        moment = Moment(rows, rewards, terminated, truncated, final)
        if self.mode is AutoresetMode.DISABLED and moment.ended.any():
            moment = moment._replace(again=self.reset(mask=moment.ended))
        return moment

    def _watch(self, where: str, result: tuple[Any, ...], names: tuple[str, ...] = NAMES) -> None:
        """Hold what was handed out, and see that what is held has not changed."""
        for when, handed_out, then in self._held:
            for name, value in handed_out.items():
                changed = difference(then[name], on_host(value), name)
                if changed:
                    fail(
                        f"{when}, looked at again after {where}",
                        "what was handed out must not change later",
                        changed,
                        "copy what the environment goes on writing in",
                    )
        held = dict(zip(names, result, strict=True))
        self._held.append((where, held, on_host(held)))

    def _final(self, infos: dict[str, Any], ended: NDArray[np.bool_], where: str) -> list[Any]:
        """Return the last observations of the episodes that ended in a step, mode SAME_STEP."""
        n = self.envs.num_envs
        if self.mode is not AutoresetMode.SAME_STEP or not ended.any():
            return [None] * n
        for name in ("final_obs", "final_info"):
            if name not in infos:
                fail(
                    where,
                    f"in mode SAME_STEP infos must hold {name!r} where an episode ends",
                    f"only {sorted(infos)}",
                )
            if not np.array_equal(infos[f"_{name}"], ended):
                fail(
                    where,
                    f"infos['_{name}'] must be where an episode ended, {ended.tolist()}",
                    infos[f"_{name}"].tolist(),
                )
        last = [infos["final_obs"][i] if ended[i] else None for i in range(n)]
        space = self.envs.single_observation_space
        for i in np.flatnonzero(ended):
            if last[i] not in space:
                fail(
                    where,
                    f"infos['final_obs'][{i}] must be in single_observation_space",
                    f"{getattr(last[i], 'dtype', '')} {getattr(last[i], 'shape', last[i])}".strip(),
                )
        return last

    def _as_theirs(self, actions: Any) -> Any:
        """Return actions as tensors for environments that give tensors."""
        torch = sys.modules.get("torch")
        if torch is not None and isinstance(self._like, torch.Tensor):
            return torch.as_tensor(actions).to(self._like.device)
        return actions
