"""Rewards cut off at bounds."""

from __future__ import annotations

from typing import Any

from gymnasium.vector import VectorEnv, VectorRewardWrapper

from mirage_env.wrappers.layers import require_vector

__all__ = ["ClipReward"]


class ClipReward(VectorRewardWrapper[Any, Any, Any]):
    """Clips rewards, on the device where they are.

    Example:
        >>> import numpy as np
        >>> from mirage_env import MirageVectorEnv
        >>> envs = ClipReward(MirageVectorEnv(2), 0, 1)
        >>> envs.rewards(np.array([0.0, 50.0]))
        array([0., 1.])
    """

    def __init__(
        self,
        env: VectorEnv[Any, Any, Any],
        min_reward: float | None = None,
        max_reward: float | None = None,
    ) -> None:
        """Clip the rewards of `env`.

        Args:
            env: The vector environment.
            min_reward: None leaves them open below.
            max_reward: None leaves them open above.

        Raises:
            ValueError: Without any bound, or for bounds in the wrong order.
        """
        require_vector("ClipReward", env)
        super().__init__(env)
        if min_reward is None and max_reward is None:
            raise ValueError("ClipReward needs min_reward, max_reward or both, got neither")
        if min_reward is not None and max_reward is not None and not min_reward <= max_reward:
            raise ValueError(
                f"min_reward must be at most max_reward, got {min_reward!r} and {max_reward!r}"
            )
        self.min_reward = None if min_reward is None else float(min_reward)
        self.max_reward = None if max_reward is None else float(max_reward)

    def rewards(self, rewards: Any) -> Any:
        """Return new rewards, clipped."""
        return rewards.clip(self.min_reward, self.max_reward)
