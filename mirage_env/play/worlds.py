"""What a session plays: the game and the dream, each over its public environment."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirage_env.env import MirageEnv, WorldEnv
from mirage_env.errors import import_extra

__all__ = ["DreamWorld", "GameWorld", "load_dream"]

FOREVER = 10**6
"""Ticks after which an episode is cut off: people may play on."""


class GameWorld:
    """The real game; see `mirage_env.play.session.Playable`."""

    name = "GAME"
    pixels = 0

    def __init__(self, backend: str = "auto") -> None:
        """Make an arena on a backend.

        Raises:
            ValueError: For an unknown backend.
            BackendUnavailableError: If it cannot run here.
        """
        self.env = MirageEnv(backend=backend, max_episode_steps=FOREVER, copy=False)
        self.score = 0
        self.lives: int | None = None
        self.wave: int | None = None
        self.over = False

    def begin(self, seed: int) -> None:
        """Begin an episode."""
        _, info = self.env.reset(seed=seed)
        self.over = False
        self._note(info)

    def step(self, action: int) -> None:
        """Play one tick."""
        _, _, terminated, truncated, info = self.env.step(action)
        self.over = terminated or truncated
        self._note(info)

    def _note(self, info: dict[str, Any]) -> None:
        self.score, self.lives, self.wave = info["score"], info["lives"], info["wave"]

    def picture(self, size: int) -> NDArray[np.uint8]:
        """Return the arena drawn at a size."""
        return self.env.vector_env.world.render(size)[0]

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the raw state (see docs/rules.md), for a player that sees more than pixels."""
        return self.env.state()
