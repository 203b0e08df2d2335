"""Mirage as a single Gymnasium environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Never

from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from mirage_env.errors import refuse_keywords
from mirage_env.rules import Rules
from mirage_env.vector_env import MirageVectorEnv
from mirage_env.world_env import WorldEnv

__all__ = ["MirageEnv"]


class MirageEnv(WorldEnv):
    """One arena of Mirage.

    The observation is a picture uint8 [obs_size, obs_size, 3], or with `obs_type="state"` a vector
    float32 [244] (see `mirage_env.observations`). An action is an integer from 0 to 11 (see
    `mirage_env.actions`). The reward is the points gained. Infos are "score", "lives" and "wave".

    The environment truncates its episodes itself after `max_episode_steps`. In `gymnasium.make` the
    keyword of that name belongs to Gymnasium, which adds its wrapper `TimeLimit`: it makes episodes
    shorter than 4500 steps, never longer.

    Example:
        >>> from mirage_env import MirageEnv
        >>> env = MirageEnv()
        >>> observation, info = env.reset(seed=0)
        >>> observation, reward, terminated, truncated, info = env.step(3)
        >>> observation.shape, reward, info
        ((64, 64, 3), 0.0, {'score': 0, 'lives': 3, 'wave': 1})
        >>> env.close()
    """

    vector_env: MirageVectorEnv

    def __init__(
        self,
        *,
        backend: str = "auto",
        output: str = "numpy",
        obs_size: int = 64,
        obs_type: str = "rgb",
        frame_skip: int = 1,
        frame_stack: int = 1,
        max_episode_steps: int = 4500,
        rules: Rules | None = None,
        render_mode: str | None = None,
        render_size: int = 512,
        copy: bool = True,
        **unknown: Never,
    ) -> None:
        """Make the arena; call `reset` next.

        Args:
            backend: As for `MirageVectorEnv`.
            output: "numpy", or "torch" for observations that are tensors (`gymnasium.make` then
                warns of them, unless it is called with `disable_env_checker=True`).
            obs_size: Width and height of the observation, pixels (16 to 1024).
            obs_type: "rgb" for a picture, "state" for a vector.
            frame_skip: Ticks in a step; the action is held down and the points add up.
            frame_stack: Observations stacked on a new first axis, the oldest first.
            max_episode_steps: Steps after which an episode is truncated.
            rules: The game's rules where they should differ from the standard.
            render_mode: None, "rgb_array" or "human" (a window, needs the extra "play").
            render_size: Width and height of what `render` draws, pixels (16 to 1024).
            copy: False hands out the same observation array at every step.
            **unknown: Nothing: any other keyword raises `TypeError`.

        Raises:
            ValueError: For an argument out of its range.
            TypeError: For an unknown keyword.
            BackendUnavailableError: If the backend cannot run here.
            MissingExtraError: If PyTorch or pygame is asked for and is not installed.
        """
        refuse_keywords(type(self), unknown)
        super().__init__(
            MirageVectorEnv(
                1,
                backend=backend,
                output=output,
                autoreset_mode=AutoresetMode.DISABLED,
                obs_size=obs_size,
                obs_type=obs_type,
                frame_skip=frame_skip,
                frame_stack=frame_stack,
                max_episode_steps=max_episode_steps,
                rules=rules,
                render_mode=render_mode,
                render_size=render_size,
                copy=copy,
                num_threads=1,
            )
        )

    def state(self, *, units: bool = False) -> dict[str, NDArray[Any]]:
        """Return a copy of the state by field: `MirageVectorEnv.state` without its first axis."""
        return {name: values[0] for name, values in self.vector_env.state(units=units).items()}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Set the given fields of the state: `MirageVectorEnv.set_state` without its first axis."""
        batch = state
        if isinstance(state, Mapping):
            batch = {name: [values] for name, values in state.items()}
        self.vector_env.set_state(batch)

    def state_hash(self) -> int:
        """Return a hash of the state, equal on every backend for equal states."""
        return int(self.vector_env.state_hash()[0])
