"""Mirage as a Gymnasium vector environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Never

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from mirage_env import backends, checks
from mirage_env.errors import refuse_keywords
from mirage_env.observations import OBS_TYPES, picture_space, state_space
from mirage_env.rules import Rules, tuning
from mirage_env.simulator import INFOS, Autoreset, SimulatorConfig
from mirage_env.state import checked_state, in_units
from mirage_env.world_vector_env import OUTPUTS, RENDER_MODES, TICKS_PER_SECOND, WorldVectorEnv

__all__ = ["MirageVectorEnv"]


class MirageVectorEnv(WorldVectorEnv):
    """Many arenas of Mirage, simulated together.

    Observations are pictures uint8 [num_envs, obs_size, obs_size, 3] (without the last axis with
    `obs_type="grayscale"`), or with `obs_type="state"` vectors float32 [num_envs, 244] (see
    `mirage_env.observations`). An action is an integer from 0 to 11 (see `mirage_env.actions`). The
    reward is the points gained. Infos are "score", "lives", "wave" and "tick": at the step that
    ends an episode, score and tick are its statistics.

    Example:
        >>> from mirage_env import MirageVectorEnv
        >>> envs = MirageVectorEnv(4)
        >>> observations, infos = envs.reset(seed=0)
        >>> observations.shape, observations.dtype
        ((4, 64, 64, 3), dtype('uint8'))
        >>> observations, rewards, terminated, truncated, infos = envs.step([0, 1, 2, 3])
        >>> infos["lives"]
        array([3, 3, 3, 3])
        >>> envs.close()
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (gymnasium reads it from the class, each instance has its own)
        "render_modes": list(RENDER_MODES),
        "render_fps": TICKS_PER_SECOND,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        *,
        backend: str = "auto",
        device: str = "auto",
        output: str = "numpy",
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        obs_size: int = 64,
        obs_type: str = "rgb",
        frame_skip: int = 1,
        frame_stack: int = 1,
        max_episode_steps: int = 4500,
        rules: Rules | Sequence[Rules] | None = None,
        render_mode: str | None = None,
        render_size: int = 512,
        copy: bool = True,
        num_threads: int = 0,
        **unknown: Never,
    ) -> None:
        """Make the arenas; call `reset` next.

        Args:
            num_envs: How many.
            backend: "cuda" (on a GPU), "native" (on the CPU), "oracle" (slow, for reading and
                checking) or "auto": with output="torch" the GPU where it can be used, otherwise
                the CPU.
            device: Which GPU: "cuda:N", or "auto" for PyTorch's current one.
            output: "numpy"; or "torch" for tensors, which with backend="cuda" are the GPU's and
                never wait for it, and otherwise share the arrays' memory.
            autoreset_mode: What a step does with an episode that is over: one of Gymnasium's
                `AutoresetMode` or its name. In mode DISABLED such an arena stands still until it is
                reset.
            obs_size: Width and height of observations, pixels (16 to 1024).
            obs_type: "rgb" or "grayscale" for pictures, "state" for vectors.
            frame_skip: Ticks in a step; the action is held down and the points add up.
            frame_stack: Observations stacked on a new first axis of each, the oldest first.
            max_episode_steps: Steps after which an episode is truncated.
            rules: One `Rules` for all arenas or a sequence with one for each.
            render_mode: None, "rgb_array" or "human" (a window, needs the extra "play").
            render_size: Width and height of what `render` draws, pixels (16 to 1024).
            copy: False hands out the same observation array at every step: the fastest, for those
                who never keep one.
            num_threads: Threads over arenas; 0 takes one for each core.
            **unknown: Nothing: any other keyword raises `TypeError`.

        Raises:
            ValueError: For an argument out of its range.
            TypeError: For an unknown keyword.
            BackendUnavailableError: If the backend cannot run here.
            MissingExtraError: If PyTorch or pygame is asked for and is not installed.
        """
        refuse_keywords(type(self), unknown)
        num_envs = checks.whole_number("num_envs", num_envs, 1)
        obs_size = checks.whole_number("obs_size", obs_size, 16, 1024)
        self.obs_type = checks.one_of("obs_type", obs_type, OBS_TYPES)
        self.frame_skip = checks.whole_number("frame_skip", frame_skip, 1, 1000)
        self.max_episode_steps = checks.whole_number(
            "max_episode_steps", max_episode_steps, 1, 10**6
        )
        self.rules = checks.rules_of_each(rules, num_envs)
        checks.one_of("output", output, OUTPUTS)
        channels = 1 if obs_type == "grayscale" else 3
        self.simulator = backends.make(
            checks.backend_on(backend, device),
            SimulatorConfig(
                tuning=np.array([tuning(r) for r in self.rules], np.int32),
                frame_skip=self.frame_skip,
                max_ticks=self.frame_skip * self.max_episode_steps,
                autoreset=Autoreset[checks.autoreset_mode(autoreset_mode).name],
                num_threads=checks.whole_number("num_threads", num_threads, 0, 1024),
                device=device,
                size=obs_size,
                channels=channels,
            ),
            tensors=output == "torch",
        )
        super().__init__(
            self.simulator,
            state_space() if obs_type == "state" else picture_space(obs_size, channels),
            output=output,
            autoreset_mode=autoreset_mode,
            frame_stack=frame_stack,
            render_mode=render_mode,
            render_size=render_size,
            render_fps=max(1, round(TICKS_PER_SECOND / self.frame_skip)),
            copy=copy,
        )

    def rollout(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Take T steps in one call: on a GPU in one launch, which pays with few environments.

        The same as T calls of `step`, but for "final_obs" and "final_info", which are not kept:
        in autoreset mode SAME_STEP an ending is seen by its flags alone.

        Args:
            actions: Integers [T, num_envs] from 0 to 11, as for `step`.

        Returns:
            What `step` returns, each with a first axis of T; infos are [T, num_envs] by name,
            without masks.

        Raises:
            InvalidActionError: For actions of another shape, type or range; nothing has changed.
            ValueError: With a frame stack, which this does not keep.
        """
        self.require_started()
        if self._stack is not None:
            raise ValueError(
                "rollout() gives single observations: make the environments with frame_stack=1 and "
                "stack them along its first axis"
            )
        checked = self._arrays.checked_rollout(actions)
        pool = self._arrays.pool(
            (len(checked), self.num_envs, *(self._frame_space.shape)),
            self._frame_space.dtype,
            reuse=False,
        )
        observations = pool.take()
        if self._on_device:
            state = self.obs_type == "state"
            results = self.simulator.rollout(
                checked,
                None if state else self._with_channels(observations),
                observations if state else None,
            )
            terminated, truncated, _ = results.flags.unbind(1)
            infos = results.named_infos()
            return observations, results.reward, terminated, truncated, infos
        parts = []
        for row, out in zip(checked, observations, strict=True):
            self._advance(row, out)
            parts.append((*self._arrays.results(self.world), self.simulator.infos()))
        self._show()
        give = self._arrays.give
        rewards, terminated, truncated, told = zip(*parts, strict=True)
        return (
            give(observations),
            give(np.stack(rewards)),
            give(np.stack(terminated)),
            give(np.stack(truncated)),
            give({name: np.stack([info[name] for info in told]) for name in INFOS}),
        )

    def invalid_actions(self) -> int:
        """Return how many actions so far were not from 0 to 11 and were taken as 0.

        Only actions in a tensor of the GPU come so far; all others are refused by `step`. This
        waits for the GPU.
        """
        self.require_open()
        return self.simulator.invalid_actions() if self._on_device else 0

    def state(self, *, units: bool = False) -> dict[str, NDArray[Any]]:
        """Return a copy of the states.

        They are arrays [num_envs, ...] by name, the fields of `mirage_env.arena.ARENA_DTYPE` (told
        in docs/rules.md).

        Args:
            units: Give places in units and velocities in units/tick (float64) instead of raw
                integers.
        """
        self.require_started()
        raw = self.simulator.state()
        return in_units(raw) if units else raw

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Set some fields of all arenas: raw integers [num_envs, ...], as `state` returns them.

        Slots that are empty afterwards are cleared. A frame stack then shows the new state alone,
        as after a reset.

        Raises:
            ValueError: For a field, shape, type or value that cannot be; nothing has changed.
        """
        self.require_started()
        wanted = checked_state(state, self.simulator.state())
        if self.autoreset_mode == AutoresetMode.SAME_STEP and wanted["ended"].any():
            raise ValueError("in autoreset mode SAME_STEP the state field 'ended' must be 0")
        self.simulator.set_state(wanted)
        if self._stack is not None:
            everything = np.arange(self.num_envs)
            self._stack.fill(everything, self._observe(everything))

    def state_hash(self) -> NDArray[np.uint64]:
        """Return a hash of each state, uint64 [num_envs]: the same on every backend."""
        self.require_started()
        return self.simulator.state_hash()

    def _advance(self, actions: Any, out: Any) -> None:
        if self.obs_type == "state":
            self.simulator.step_vectors(actions, out)
        else:
            self.simulator.step(actions, self._with_channels(out))

    def _observe(
        self, indices: NDArray[np.intp] | None, *, final: bool = False, out: Any = None
    ) -> Any:
        if self.obs_type == "state":
            return self.simulator.vectors(indices, final=final, out=out)
        if self.obs_type == "rgb":
            return super()._observe(indices, final=final, out=out)
        size = self._frame_space.shape[0]
        into = None if out is None else self._with_channels(out)
        return self.simulator.render(size, indices, final=final, out=into, channels=1)[..., 0]

    def _final_on_device(self) -> Any:
        out = self._arrays.pool(
            (self.num_envs, *self._frame_space.shape), self._frame_space.dtype, reuse=False
        ).take()
        if self.obs_type == "state":
            self.simulator.show_ended(vectors=out)
        else:
            self.simulator.show_ended(frames=self._with_channels(out))
        return out

    def _with_channels(self, pictures: Any) -> Any:
        """Return pictures with the axis of their channels, which grey ones lack."""
        return pictures if self.obs_type == "rgb" else pictures[..., None]

    def _world_info(
        self, indices: NDArray[np.intp] | None, *, final: bool = False
    ) -> dict[str, Any]:
        return self.simulator.infos(indices, final=final)
