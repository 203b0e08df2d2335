"""One world as a Gymnasium environment: the same code as for many, with one."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode

from mirage_env import checks
from mirage_env.actions import ACTION_MEANINGS, checked_action, key_codes_to_action
from mirage_env.world import NotCopied, Snapshot
from mirage_env.world_vector_env import RENDER_MODES, TICKS_PER_SECOND, WorldVectorEnv

__all__ = ["WorldEnv"]


class WorldEnv(NotCopied, gymnasium.Env[Any, Any]):
    """A Gymnasium environment over a `WorldVectorEnv` of one world in autoreset mode DISABLED.

    After the end of an episode the world stands still: `step` changes nothing, gives reward 0 and
    the same flags again.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (gymnasium reads it from the class, each instance has its own)
        "render_modes": list(RENDER_MODES),
        "render_fps": TICKS_PER_SECOND,
    }

    def __init__(self, vector_env: WorldVectorEnv) -> None:
        """Show the one world of `vector_env`.

        Raises:
            ValueError: If it has more than one, or another autoreset mode.
        """
        if vector_env.num_envs != 1 or vector_env.autoreset_mode != AutoresetMode.DISABLED:
            raise ValueError(
                "a single environment is made of a vector environment of one in mode DISABLED, "
                f"got {vector_env.num_envs} in mode {vector_env.autoreset_mode.name}"
            )
        self.vector_env = vector_env
        self.observation_space = vector_env.single_observation_space
        self.action_space = vector_env.single_action_space
        self.render_mode = vector_env.render_mode
        self.metadata = {k: v for k, v in vector_env.metadata.items() if k != "autoreset_mode"}
        self._seeded = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode.

        Args:
            seed: From 0 to 2**64 - 1: episode 0 of that seed. None: the next episode of the seed it
                has; the first time one is drawn.
            options: There are none.

        Raises:
            ValueError: For a bad seed or option; nothing has changed.
            gymnasium.error.ClosedEnvironmentError: After `close`.
        """
        self.vector_env.require_open()
        checks.reset_options(options, 1, ())
        if seed is not None:
            seed = checks.whole_number("seed", seed, 0, checks.SEEDS - 1)
        super().reset(seed=seed)
        if seed is None and not self._seeded:
            seed = int(self.np_random.integers(0, checks.SEEDS, dtype=np.uint64))
        observations, infos = self.vector_env.reset(seed=seed)
        self._seeded = True
        return observations[0], _first(infos)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Step by an action, one integer from 0 to 11.

        Returns:
            Observation, reward (float), terminated, truncated (bool), info.

        Raises:
            InvalidActionError: For an action of another shape, type or range; nothing has changed.
            gymnasium.error.ResetNeeded: Before the first reset.
            gymnasium.error.ClosedEnvironmentError: After `close`.
        """
        self.vector_env.require_started()
        observations, rewards, terminated, truncated, infos = self.vector_env.step(
            checked_action(action)
        )
        return (
            observations[0],
            float(rewards[0]),
            bool(terminated[0]),
            bool(truncated[0]),
            _first(infos),
        )

    def render(self) -> Any:
        """Return a picture uint8 [render_size, render_size, 3], or None where a window shows it."""
        pictures = self.vector_env.render()
        return None if pictures is None else pictures[0]

    def close(self) -> None:
        """Close the world and its window. Closing twice is fine."""
        self.vector_env.close()

    def get_action_meanings(self) -> list[str]:
        """Return the names of the twelve actions."""
        return list(ACTION_MEANINGS)

    def get_keys_to_action(self) -> dict[tuple[int, ...], int]:
        """Return the action for each set of keys held down, for `gymnasium.utils.play`."""
        return key_codes_to_action()

    def observe(self) -> Any:
        """Return the observation of the world as it stands, such as after `restore`."""
        return self.vector_env.observe()[0]

    def snapshot(self) -> Snapshot:
        """Save the whole state (see `WorldVectorEnv.snapshot`)."""
        return self.vector_env.snapshot()

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from a snapshot of one world (see `WorldVectorEnv.restore`)."""
        self.vector_env.restore(snapshot)
        self._seeded = True


def _first(infos: dict[str, Any]) -> dict[str, Any]:
    """Return the infos of the first world as plain numbers, without the masks."""
    return {name: values[0].item() for name, values in infos.items() if not name.startswith("_")}
