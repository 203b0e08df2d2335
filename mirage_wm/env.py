"""The dream as a single Gymnasium environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Never

import numpy as np
from gymnasium.vector import AutoresetMode

from mirage_env.errors import refuse_keywords
from mirage_env.rules import Rules
from mirage_env.world_env import WorldEnv
from mirage_wm.dream import SIZE
from mirage_wm.vector_env import DreamVectorEnv

__all__ = ["DreamEnv"]


class DreamEnv(WorldEnv):
    """One dream of Mirage, with the API of `mirage_env.MirageEnv`.

    The observation is a picture uint8 [64, 64, 3]; reward and ending come from the model. The only
    info is "score".

    Example:
        >>> from mirage_wm import DreamEnv  # doctest: +SKIP
        >>> env = DreamEnv()  # doctest: +SKIP
        >>> observation, info = env.reset(seed=0)  # doctest: +SKIP
        >>> observation, reward, terminated, truncated, info = env.step(3)  # doctest: +SKIP
    """

    vector_env: DreamVectorEnv

    def __init__(
        self,
        *,
        model: str | Path = "v1",
        device: str = "auto",
        runtime: str = "auto",
        output: str = "numpy",
        obs_size: int = SIZE,
        obs_type: str = "rgb",
        frame_skip: int = 1,
        frame_stack: int = 1,
        max_episode_steps: int = 4500,
        rules: Rules | None = None,
        render_mode: str | None = None,
        render_size: int = 512,
        copy: bool = True,
        num_threads: int = 0,
        steps: int | None = None,
        views: int | None = None,
        compiled: bool = False,
        **unknown: Never,
    ) -> None:
        """Load the model and make the dream; call `reset` next.

        The arguments, and what they raise, are those of `mirage_wm.DreamVectorEnv`.
        """
        refuse_keywords(type(self), unknown)
        super().__init__(
            DreamVectorEnv(
                1,
                model=model,
                device=device,
                runtime=runtime,
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
                num_threads=num_threads,
                steps=steps,
                views=views,
                compiled=compiled,
            )
        )

    def wake(self, frames: Any, actions: Any) -> None:
        """Let the dream go on from given frames, see `DreamVectorEnv.wake`.

        Args:
            frames: uint8 [k, 64, 64, 3], 4 or more, the oldest first.
            actions: Integers [3] from 0 to 11, those that led to the last 3 frames.
        """
        self.vector_env.wake(np.asarray(frames)[None], np.asarray(actions)[None])
