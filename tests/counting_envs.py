"""A vector environment small enough to know by heart, to test what is wrapped around it.

Episode e of seed s lasts 2 + (3s + 2e) % 4 steps and ends by termination where s + e is odd, by
truncation where it is even. An observation is [s, e, tick], the reward of a step its tick plus a
hundredth of its action.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

ACTIONS = 5


def length(seed: Any, episode: Any) -> Any:
    return 2 + (3 * seed + 2 * episode) % 4


class CountingEnvs(VectorEnv):
    """Follows Gymnasium's contract in all three autoreset modes."""

    def __init__(self, num_envs: int, mode: AutoresetMode | str = AutoresetMode.NEXT_STEP) -> None:
        self.num_envs = num_envs
        self.mode = AutoresetMode[mode] if isinstance(mode, str) else mode
        self.metadata = {"autoreset_mode": self.mode}
        self.single_observation_space = Box(0, 1000, (3,), np.float32)
        self.single_action_space = Discrete(ACTIONS)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.seeds: Any = np.full(num_envs, -1)
        self.episode = np.zeros(num_envs, np.int64)
        self.tick = np.zeros(num_envs, np.int64)
        self.over = np.zeros(num_envs, np.bool_)

    def reset(
        self, *, seed: Any = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        if isinstance(seed, int):
            super().reset(seed=seed)
            seed = [seed + i for i in range(self.num_envs)]
        mask = np.ones(self.num_envs, np.bool_)
        if options is not None and "reset_mask" in options:
            mask = options["reset_mask"]
        for i in np.flatnonzero(mask):
            if seed is not None and seed[i] is not None:
                self.seeds[i], self.episode[i] = seed[i], 0
            elif self.seeds[i] < 0:
                self.seeds[i] = self.np_random.integers(0, 1000)
            else:
                self.episode[i] += 1
            self.tick[i], self.over[i] = 0, False
        return self.seen(), self.told(mask)

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        actions = np.asarray(actions)
        going = ~self.over
        begun = self.over & (self.mode is AutoresetMode.NEXT_STEP)
        self.tick += going
        rewards = np.where(going, self.tick + actions / 100, 0.0)
        self.begin(begun)
        ended = self.tick >= length(self.seeds, self.episode)
        dies = (self.seeds + self.episode) % 2 == 1
        terminated, truncated = ended & dies, ended & ~dies
        infos: dict[str, Any] = {}
        if self.mode is AutoresetMode.SAME_STEP:
            infos = self.final(ended)
            self.begin(ended)
        else:
            self.over = ended
        infos |= self.told(np.ones(self.num_envs, np.bool_))
        return self.seen(), rewards, terminated, truncated, infos

    def begin(self, mask: Any) -> None:
        self.episode += mask
        self.tick[mask], self.over[mask] = 0, False

    def seen(self) -> Any:
        return np.stack([self.seeds, self.episode, self.tick], 1).astype(np.float32)

    def told(self, mask: Any) -> dict[str, Any]:
        return {"tick": np.where(mask, self.tick, 0), "_tick": mask.copy()}

    def final(self, ended: Any) -> dict[str, Any]:
        if not ended.any():
            return {}
        last = np.full(self.num_envs, None, dtype=object)
        for i in np.flatnonzero(ended):
            last[i] = self.seen()[i]
        return {
            "final_obs": last,
            "_final_obs": ended.copy(),
            "final_info": self.told(ended),
            "_final_info": ended.copy(),
        }
