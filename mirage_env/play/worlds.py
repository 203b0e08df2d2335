"""What a session plays: the game and the dream, each over its public environment."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from mirage_env.env import MirageEnv
from mirage_env.errors import import_extra
from mirage_env.replay import Replay
from mirage_env.rules import Rules

__all__ = ["DreamWorld", "GameWorld", "ReplayWorld", "load_dream"]

FOREVER = 10**6
"""Ticks after which an episode is cut off: people may play on."""


class GameWorld:
    """The real game; see `mirage_env.play.session.Playable`."""

    name = "GAME"
    pixels = 0

    def __init__(self, backend: str = "auto", rules: Rules | None = None) -> None:
        """Make an arena on a backend.

        Raises:
            ValueError: For an unknown backend.
            BackendUnavailableError: If it cannot run here.
        """
        self.env = MirageEnv(backend=backend, rules=rules, max_episode_steps=FOREVER, copy=False)
        self._beginning = Replay(0, b"", 0, 0, rules or Rules())
        self._done = bytearray()
        self.score = 0
        self.lives: int | None = None
        self.wave: int | None = None
        self.over = False

    def begin(self, seed: int) -> None:
        """Begin an episode."""
        _, info = self.env.reset(seed=seed)
        self._beginning = replace(self._beginning, seed=seed)
        self._done.clear()
        self.over = False
        self._note(info)

    def step(self, action: int) -> None:
        """Play one tick."""
        if not self.over:
            self._done.append(action)
        _, _, terminated, truncated, info = self.env.step(action)
        self.over = terminated or truncated
        self._note(info)

    @property
    def played(self) -> bytes:
        """The actions since the beginning, a byte for each tick."""
        return bytes(self._done)

    def replay(self) -> Replay:
        """Return the game so far, to be played again."""
        game = replace(self._beginning, actions=self.played)
        return game.ending(self.env.vector_env.simulator)

    def _note(self, info: dict[str, Any]) -> None:
        self.score, self.lives, self.wave = info["score"], info["lives"], info["wave"]

    def picture(self, size: int) -> NDArray[np.uint8]:
        """Return the arena drawn at a size."""
        return self.env.vector_env.world.render(size)[0]

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the raw state (see docs/rules.md), for a player that sees more than pixels."""
        return self.env.state()

    def vector(self) -> NDArray[np.float32]:
        """Return the state as a vector [244] (see `mirage_env.observations`)."""
        return self.env.vector_env.simulator.vectors()[0]


class ReplayWorld(GameWorld):
    """The game where a replay began; `next_action` says what was done in it."""

    def __init__(self, replay: Replay, backend: str = "auto") -> None:
        """Take the replay's rules and its beginning."""
        super().__init__(backend, replay.rules)
        self._given = replay

    def begin(self, seed: int) -> None:
        """Begin as the replay did, whatever the seed."""
        super().begin(self._given.seed)
        self._beginning = replace(self._given, actions=b"")
        self._given.begin(self.env.vector_env.simulator)
        info = self.env.vector_env.simulator.infos()
        self._note({name: int(values[0]) for name, values in info.items()})

    def next_action(self) -> int | None:
        """Return the action of the next tick, None after the last."""
        done = len(self._done)
        return self._given.actions[done] if done < len(self._given.actions) else None


class DreamWorld:
    """The dream of the game; see `mirage_env.play.session.Playable`.

    It counts neither lives nor waves: the network draws them, and nothing here knows them.
    """

    name = "DREAM"
    lives: int | None = None
    wave: int | None = None

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        """Show a dream.

        Args:
            env: Gives pictures uint8 [pixels, pixels, 3] and has the actions of the game.
        """
        self.env = env
        self.score = 0
        self.over = False
        self._picture = np.zeros((64, 64, 3), np.uint8)
        self.pixels = 64

    def begin(self, seed: int) -> None:
        """Begin an episode."""
        self._picture, _ = self.env.reset(seed=seed)
        self.pixels = self._picture.shape[0]
        self.score, self.over = 0, False

    def step(self, action: int) -> None:
        """Dream one tick."""
        self._picture, reward, terminated, truncated, _ = self.env.step(action)
        self.score += round(float(reward))
        self.over = terminated or truncated

    def picture(self, size: int) -> NDArray[np.uint8]:
        """Return what the network drew, whatever the size."""
        return self._picture


def load_dream(model: str | None = None) -> DreamWorld:
    """Load the dream of a model, or of the default one.

    Raises:
        MissingExtraError: Without what runs a model.
        ValueError: If there is no such model, or its weights are not what they should be.
        OSError: If its weights cannot be read.
    """
    mirage_wm = import_extra("mirage_wm", "dream", "the dream")
    choice = {} if model is None else {"model": model}
    return DreamWorld(mirage_wm.DreamEnv(max_episode_steps=FOREVER, **choice))
