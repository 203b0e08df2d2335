"""The game and its dream for Stable-Baselines3.

>>> from stable_baselines3 import PPO  # doctest: +SKIP
>>> from mirage_env.sb3 import MirageVecEnv  # doctest: +SKIP
>>> envs = MirageVecEnv("Mirage-v0", 16, frame_skip=4, frame_stack=2)  # doctest: +SKIP
>>> PPO("CnnPolicy", envs).learn(100_000)  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from mirage_env import checks
from mirage_env.actions import ACTION_MEANINGS, key_codes_to_action
from mirage_env.errors import MissingExtraError
from mirage_env.world import Snapshot
from mirage_env.world_vector_env import WorldVectorEnv

try:
    from stable_baselines3.common.vec_env import VecEnv
except ImportError as error:
    raise MissingExtraError(
        f"mirage_env.sb3 needs stable_baselines3, which cannot be imported ({error}): "
        "pip install 'mirage-env[rl]'"
    ) from error

__all__ = ["MirageVecEnv"]

REGISTERED_BY = {"Mirage-v0": "mirage_env", "Mirage-Dream-v0": "mirage_wm"}


class MirageVecEnv(VecEnv):
    """Many arenas, or many dreams, as a vectorised environment of Stable-Baselines3.

    They are stepped together in one call, without a loop over environments or a process for each.
    Episodes begin anew in the step that ends them; their infos hold "terminal_observation" and
    "TimeLimit.truncated" then, beside the infos of the end.

    Observations are those of the vector environment, laid out as pictures that "CnnPolicy" takes:
    stacked pictures lie along the channels, as `VecFrameStack` lays them.
    """

    def __init__(self, env: str = "Mirage-v0", num_envs: int = 8, **kwargs: Any) -> None:
        """Make the environments.

        Args:
            env: "Mirage-v0", the game, or "Mirage-Dream-v0", its dream.
            num_envs: How many.
            **kwargs: As for `mirage_env.MirageVectorEnv` or `mirage_wm.DreamVectorEnv`, but for
                "output" and "autoreset_mode", which Stable-Baselines3 decides.

        Raises:
            ValueError: For another environment, or an argument out of its range.
            TypeError: For an unknown keyword.
        """
        name = checks.one_of("env", env, tuple(REGISTERED_BY))
        for fixed, value in (("output", "numpy"), ("autoreset_mode", AutoresetMode.SAME_STEP)):
            if fixed in kwargs:
                raise TypeError(f"{fixed} is always {value} here, as Stable-Baselines3 needs it")
            kwargs[fixed] = value
        made = gymnasium.make_vec(f"{REGISTERED_BY[name]}:{name}", num_envs=num_envs, **kwargs)
        self.envs: WorldVectorEnv = made.unwrapped  # pyright: ignore[reportAttributeAccessIssue]
        self._attributes: list[dict[str, Any]] = [{} for _ in range(num_envs)]
        self._actions: Any = None
        super().__init__(num_envs, self._space(), self.envs.single_action_space)
        self.metadata = dict(self.envs.metadata)

    # The game

    def reset(self) -> NDArray[Any]:
        """Begin an episode in every environment, by the seeds of `seed` or the next of its own."""
        if any(self._options):
            raise ValueError(f"there are no options for a reset, got {self._options}")
        observations, infos = self.envs.reset(seed=self._seeds)
        self._reset_seeds()
        self.reset_infos = _each(infos, self.num_envs)
        return self._laid_out(observations)

    def step_async(self, actions: NDArray[Any]) -> None:
        """Take the actions, integers [num_envs], for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], list[dict[str, Any]]]:
        """Step every environment.

        Returns:
            Observations, rewards float32 [num_envs], dones bool [num_envs], infos.
        """
        observations, rewards, terminated, truncated, infos = self.envs.step(self._actions)
        dones = terminated | truncated
        told = _each(infos, self.num_envs)
        for i, info in enumerate(told):
            info["TimeLimit.truncated"] = bool(truncated[i] and not terminated[i])
        for i in np.flatnonzero(dones):
            self.reset_infos[i] = {
                name: value for name, value in told[i].items() if name != "TimeLimit.truncated"
            }
            told[i].update(_at(infos["final_info"], i))
            told[i]["terminal_observation"] = self._laid_out(infos["final_obs"][i][None])[0]
        return self._laid_out(observations), rewards, dones, told

    def close(self) -> None:
        """Close the environments. Closing twice is fine."""
        self.envs.close()

    # Pictures

    def get_images(self) -> Sequence[NDArray[np.uint8] | None]:
        """Return a picture of each environment, for render_mode="rgb_array"."""
        pictures = self.envs.render()
        return [None] * self.num_envs if pictures is None else pictures

    def render(self, mode: str | None = None) -> NDArray[np.uint8] | None:
        """Return one picture of all environments, or draw them in their one window."""
        if self.render_mode == "human":
            self.envs.render()
            return None
        return super().render(mode)

    # One by one

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return an attribute of some environments: one that was set, or one of the game's."""
        return [self._attribute(i, attr_name) for i in self._chosen(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Remember an attribute for some environments.

        Raises:
            AttributeError: For one of the game's own, which is fixed when the game is made.
        """
        if hasattr(_One(self.envs, 0), attr_name):
            raise AttributeError(
                f"{attr_name!r} is fixed when the environments are made: make new ones, "
                f"MirageVecEnv(..., {attr_name}=...), where it is one of their arguments"
            )
        for i in self._chosen(indices):
            self._attributes[i][attr_name] = value

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list:
        """Call a method of some environments, such as "snapshot", "restore" or "state"."""
        return [self._attribute(i, method_name)(*args, **kwargs) for i in self._chosen(indices)]

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """No environment has a wrapper of its own."""
        return [False for _ in self._chosen(indices)]

    def _attribute(self, i: int, name: str) -> Any:
        if name in self._attributes[i]:
            return self._attributes[i][name]
        return getattr(_One(self.envs, i), name)

    def _chosen(self, indices: Any) -> list[int]:
        return checks.indices("indices", indices, self.num_envs).tolist()

    # Layout

    def _space(self) -> Box:
        """Return the space of observations as they are laid out."""
        space = self.envs.single_observation_space
        assert isinstance(space, Box)
        low, high = (self._laid_out(bound[None])[0] for bound in (space.low, space.high))
        return Box(low, high, dtype=space.dtype.type)

    def _laid_out(self, observations: NDArray[Any]) -> NDArray[Any]:
        """Return observations [n, ...] with pictures as [n, height, width, channels]."""
        if getattr(self.envs, "obs_type", "rgb") == "state":
            return observations
        if getattr(self.envs, "obs_type", "rgb") == "grayscale":
            observations = observations[..., None]
        if self.envs.frame_stack == 1:
            return observations
        n, depth, height, width, channels = observations.shape
        beside = np.moveaxis(observations, 1, 3)
        return beside.reshape(n, height, width, depth * channels)


class _One:
    """One environment of many, as Stable-Baselines3 asks for it by name."""

    def __init__(self, envs: WorldVectorEnv, index: int) -> None:
        self._envs, self._index = envs, index
        self.unwrapped = self
        self.render_mode, self.spec, self.metadata = envs.render_mode, envs.spec, envs.metadata
        self.observation_space = envs.single_observation_space
        self.action_space = envs.single_action_space
        self.frame_stack = envs.frame_stack
        for name in ("frame_skip", "max_episode_steps", "obs_type"):
            if hasattr(envs, name):
                setattr(self, name, getattr(envs, name))
        if hasattr(envs, "rules"):
            self.rules = envs.rules[index]  # pyright: ignore[reportAttributeAccessIssue]

    def __getattr__(self, name: str) -> Any:
        theirs = [n for n in (*vars(self), *dir(type(self))) if not n.startswith("_")]
        raise AttributeError(
            f"an environment of MirageVecEnv has no {name!r}; it has {', '.join(sorted(theirs))}"
        )

    def render(self) -> Any:
        pictures = self._envs.render()
        return None if pictures is None else pictures[self._index]

    def observe(self) -> Any:
        return self._envs.observe()[self._index]

    def snapshot(self) -> Snapshot:
        return self._envs.snapshot(self._index)

    def restore(self, snapshot: Snapshot) -> None:
        self._envs.restore(snapshot, self._index)

    def get_action_meanings(self) -> list[str]:
        return list(ACTION_MEANINGS)

    def get_keys_to_action(self) -> dict[tuple[int, ...], int]:
        return key_codes_to_action()

    def state(self, *, units: bool = False) -> dict[str, NDArray[Any]]:
        whole = self._envs.state(units=units)  # pyright: ignore[reportAttributeAccessIssue]
        return {name: values[self._index] for name, values in whole.items()}


def _each(infos: dict[str, Any], num_envs: int) -> list[dict[str, Any]]:
    """Return the infos of each environment as plain numbers."""
    told: list[dict[str, Any]] = [{} for _ in range(num_envs)]
    for name, values in infos.items():
        if name.startswith("_") or name.startswith("final_"):
            continue
        mask = infos[f"_{name}"].tolist()
        for info, value, there in zip(told, values.tolist(), mask, strict=True):
            if there:
                info[name] = value
    return told


def _at(infos: dict[str, Any], i: int | np.intp) -> dict[str, Any]:
    """Return the infos of one environment as plain numbers."""
    return {name: values[i].item() for name, values in infos.items() if not name.startswith("_")}
