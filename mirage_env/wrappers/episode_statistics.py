"""Returns and lengths of episodes."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv, VectorRewardWrapper, VectorWrapper
from gymnasium.wrappers.vector import NormalizeReward
from gymnasium.wrappers.vector import RecordEpisodeStatistics as GymnasiumsStatistics

from mirage_env import checks
from mirage_env.wrappers.layers import (
    autoreset_mode,
    layers,
    namespace,
    require_vector,
    reset_mask,
)

__all__ = ["RecordEpisodeStatistics"]


class RecordEpisodeStatistics(VectorWrapper[Any, Any, Any, Any, Any]):
    """Adds the statistics of each episode to the infos of the step that ends it, once.

    They have the form of Gymnasium's wrapper of this name: ``infos["episode"]`` holds "r", the
    return (float64), "l", the length (int64), and "t", the seconds it took (float64), [num_envs]
    each and 0 where no episode ended; ``infos["_episode"]`` (bool) says where one did. With arrays
    of NumPy both are there when an episode ended, with tensors always: on a GPU nobody here knows.
    (There "t" tells when steps were launched, and stands still in a CUDA graph.)

    The last episodes are kept on the device and fetched when they are asked for, see `last`.

    Example:
        >>> from mirage_env import MirageVectorEnv
        >>> envs = RecordEpisodeStatistics(MirageVectorEnv(2, max_episode_steps=3))
        >>> _ = envs.reset(seed=0)
        >>> for _ in range(3):
        ...     *_, infos = envs.step([0, 0])
        >>> infos["episode"]["l"], infos["_episode"]
        (array([3, 3]), array([ True,  True]))
        >>> envs.last()["r"]
        array([0., 0.])
    """

    def __init__(self, env: VectorEnv[Any, Any, Any], buffer_length: int = 100) -> None:
        """Record the episodes of `env`.

        Args:
            env: The vector environment, with the rewards that are to be summed up.
            buffer_length: How many of the last episodes `last` returns.

        Raises:
            ValueError: If rewards were changed below or are recorded already.
        """
        require_vector("RecordEpisodeStatistics", env)
        super().__init__(env)
        self._mode = autoreset_mode("RecordEpisodeStatistics", env)
        self.buffer_length = checks.whole_number("buffer_length", buffer_length, 1, 10**7)
        for layer in layers(env):
            name = type(layer).__name__
            if isinstance(layer, (RecordEpisodeStatistics, GymnasiumsStatistics)):
                raise ValueError(f"{name} below records episodes already: leave one of the two out")
            if isinstance(layer, (VectorRewardWrapper, NormalizeReward)):
                raise ValueError(
                    f"RecordEpisodeStatistics would sum up what {name} below makes of the rewards: "
                    f"wrap the other way round, {name}(RecordEpisodeStatistics(envs))"
                )
        self._returns: Any = None  # the first step knows what arrays there are

    def reset(
        self, *, seed: Any = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin episodes, all or those of a "reset_mask"."""
        mask = None if self._returns is None else reset_mask(options, self._returns)
        observations, infos = self.env.reset(seed=seed, options=options)
        self._now = time.perf_counter()
        if mask is None:
            self._returns = None
        else:
            self._restart(mask)
            self._over = self._over & ~mask
        return observations, infos

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Step every environment."""
        observations, rewards, terminated, truncated, infos = self.env.step(actions)
        if self._returns is None:
            self._allocate(rewards)
        self._now = time.perf_counter()
        ended = terminated | truncated
        # In mode NEXT_STEP the step after the end begins the next episode and is none of its steps;
        # in mode DISABLED what is over stands still, and is not told of again.
        counts = ~self._over
        if self._mode is AutoresetMode.NEXT_STEP:
            self._restart(self._over)
        self._returns = namespace(rewards).where(counts, self._returns + rewards, self._returns)
        self._lengths = self._lengths + counts
        told = ended & counts
        self._tell(told, infos)
        if self._mode is AutoresetMode.SAME_STEP:
            self._restart(told)
        else:
            self._over = ended if self._mode is AutoresetMode.NEXT_STEP else ended | self._over
        return observations, rewards, terminated, truncated, infos

    def last(self) -> dict[str, Any]:
        """Return the last `buffer_length` episodes that ended, the oldest first.

        Waits for a GPU, unlike anything else here.

        Returns:
            "r" float64 and "l" int64, [n] each, n at most `buffer_length`.
        """
        if self._last is None:
            return {"r": np.zeros(0), "l": np.zeros(0, np.int64)}
        end = int(self._count)
        order = np.arange(max(0, end - self.buffer_length), end) % self.buffer_length
        return {name: values[order] for name, values in self._last.items()}

    @property
    def episode_count(self) -> int:
        """How many episodes have ended since the wrapper was made; waits for a GPU."""
        return int(self._count)

    _last: Any = None
    _count: Any = 0

    def _allocate(self, rewards: Any) -> None:
        xp = namespace(rewards)
        self._returns = xp.zeros_like(rewards, dtype=xp.float64)
        self._lengths = xp.zeros_like(rewards, dtype=xp.int64)
        self._start = xp.full_like(self._returns, self._now)
        self._over = self._lengths > 0
        if self._last is None:
            self._last = {"r": self._ring(self._returns), "l": self._ring(self._lengths)}

    def _ring(self, like: Any) -> Any:
        """Return room for the last episodes, and one more place, where everything else goes."""
        length = self.buffer_length + 1
        return np.zeros(length, like.dtype) if namespace(like) is np else like.new_zeros(length)

    def _restart(self, where: Any) -> None:
        """Forget what was counted in some environments, bool [num_envs]."""
        xp = namespace(where)
        self._returns = xp.where(where, 0.0, self._returns)
        self._lengths = xp.where(where, 0, self._lengths)
        self._start = xp.where(where, self._now, self._start)

    def _tell(self, told: Any, infos: dict[str, Any]) -> None:
        """Write down the episodes that ended, bool [num_envs]."""
        xp = namespace(told)
        if xp is np and not told.any():
            return
        infos["episode"] = {
            "r": xp.where(told, self._returns, 0.0),
            "l": xp.where(told, self._lengths, 0),
            "t": xp.where(told, self._now - self._start, 0.0),
        }
        infos["_episode"] = told
        # Each goes in its own place of a ring, without anybody counting them on the host.
        rank = xp.cumsum(told, 0)
        kept = told & (rank > rank[-1] - self.buffer_length)
        place = xp.where(kept, (self._count + rank - 1) % self.buffer_length, self.buffer_length)
        self._last["r"][place] = self._returns
        self._last["l"][place] = self._lengths
        self._count = self._count + rank[-1]
