"""Worlds as a Gymnasium vector environment: all that Gymnasium asks for, and nothing of any game.

The simulator and the dream are both shown by this: see `mirage_env.vector_env.MirageVectorEnv`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, cast

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from mirage_env import checks
from mirage_env.actions import NUM_ACTIONS
from mirage_env.arrays import Arrays, DeviceArrays, HostArrays, LateInfos
from mirage_env.rules import Rules
from mirage_env.window import Window, tiles
from mirage_env.world import DeviceWorld, NotCopied, Snapshot, World

__all__ = ["OUTPUTS", "RENDER_MODES", "TICKS_PER_SECOND", "WorldVectorEnv"]

OUTPUTS = ("numpy", "torch")
RENDER_MODES = ("human", "rgb_array")
TICKS_PER_SECOND = Rules().ticks_per_second
SHOWN = 64
"""In render_mode="human" no more worlds than this are drawn."""


class WorldVectorEnv(NotCopied, VectorEnv[Any, Any, Any]):
    """A Gymnasium vector environment over a `World`.

    Subclasses build the world and, where pictures are not what agents see, override the three hooks
    `_advance`, `_observe` and `_world_info`.

    What `step` returns never changes afterwards, unless `copy` is False: the next step writes in
    other memory for as long as anybody holds the arrays (see `mirage_env.frame_pool`).
    """

    def __init__(
        self,
        world: World,
        observation_space: Box,
        *,
        output: str = "numpy",
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        frame_stack: int = 1,
        render_mode: str | None = None,
        render_size: int = 512,
        render_fps: int = TICKS_PER_SECOND,
        copy: bool = True,
    ) -> None:
        """Show `world` as an environment.

        Args:
            world: The worlds; its own autoreset must be `autoreset_mode`.
            observation_space: Of one observation of one world, before stacking.
            output: "numpy" or "torch": what observations, rewards, flags and infos are arrays of.
            autoreset_mode: One of Gymnasium's three, or its name.
            frame_stack: More than 1 stacks that many observations on a new first axis, the oldest
                first; an episode's first stands for those before it.
            render_mode: None, "rgb_array" or "human".
            render_size: Width and height of what `render` draws, pixels.
            render_fps: Steps in a second of the game as people see it.
            copy: False hands out the same observation array at every step.

        Raises:
            ValueError: For an argument out of its range.
            MissingExtraError: If PyTorch or pygame is asked for and is not installed.
        """
        self.world = world
        self.num_envs = world.num_envs
        self.output = checks.one_of("output", output, OUTPUTS)
        self.autoreset_mode = checks.autoreset_mode(autoreset_mode)
        self.frame_stack = checks.whole_number("frame_stack", frame_stack, 1, 1000)
        self.render_mode = checks.one_of("render_mode", render_mode, (None, *RENDER_MODES))
        self.render_size = checks.whole_number("render_size", render_size, 16, 1024)
        checks.one_of("copy", copy, (True, False))
        self.metadata = {
            "render_modes": list(RENDER_MODES),
            "render_fps": render_fps,
            "autoreset_mode": self.autoreset_mode,
        }
        device = getattr(world, "device", None)
        arrays: Arrays = (
            HostArrays(self.num_envs, self.output, getattr(world, "empty", np.empty))
            if device is None
            else DeviceArrays(cast(DeviceWorld, world))
        )
        self._arrays, self._on_device = arrays, device is not None
        if self.output == "torch":
            self.metadata["torch"] = True
        self._window = Window("Mirage", render_fps) if self.render_mode == "human" else None

        self.single_action_space = Discrete(NUM_ACTIONS)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._frame_space = observation_space
        stacked = self.frame_stack > 1
        self.single_observation_space = (
            batch_space(observation_space, self.frame_stack) if stacked else observation_space
        )
        shape, dtype = observation_space.shape, observation_space.dtype
        self._stack = arrays.stack(self.frame_stack, shape, dtype) if stacked else None
        whole = (self.num_envs, self.frame_stack, *shape) if stacked else (self.num_envs, *shape)
        self._pool = arrays.pool(whole, dtype, reuse=not copy)
        self._started, self._all_started = np.zeros(self.num_envs, np.bool_), False

    @cached_property
    def observation_space(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The space of all observations. Made when asked for: it holds four arrays as large."""
        return batch_space(self.single_observation_space, self.num_envs)

    # Gymnasium's methods

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Begin episodes.

        Args:
            seed: A whole number: environment i begins episode 0 of ``(seed + i) % 2**64``. A
                sequence: each its own. None, for all or one of them: the next episode of the seed
                it has; the first time one is drawn.
            options: ``{"reset_mask": bool [num_envs]}`` begins only those that are True; the others
                stay as they are.

        Returns:
            Observations of all environments and infos.

        Raises:
            ValueError: For a bad seed or option; nothing has changed.
            gymnasium.error.ResetNeeded: If a mask leaves out an environment that was never reset.
            gymnasium.error.ClosedEnvironmentError: After `close`.
        """
        self.require_open()
        seeds = checks.seeds(seed, self.num_envs)
        mask = checks.reset_options(options, self.num_envs, ("reset_mask",))
        if not (self._started | mask).all():
            raise gymnasium.error.ResetNeeded(
                "the first reset must be of all environments, without a reset_mask"
            )
        if isinstance(seed, (int, np.integer)):
            super().reset(seed=int(seed))
        self._begin(seeds, mask)
        begun = np.flatnonzero(mask)
        if self._stack is not None:
            self._stack.fill(begun, self._observe(begun))
        observations = self.observe()
        self._show()
        return observations, self._arrays.give(self._arrays.masked(self._world_info(begun), begun))

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Step every environment by its action.

        Args:
            actions: Integers [num_envs] from 0 to 11.

        Returns:
            Observations, rewards float32 [num_envs], terminated and truncated bool [num_envs],
            infos.

        Raises:
            InvalidActionError: For actions of another shape, type or range; nothing has changed.
            gymnasium.error.ResetNeeded: Before the first reset.
            gymnasium.error.ClosedEnvironmentError: After `close`.
        """
        self.require_started()
        world, arrays, stack = self.world, self._arrays, self._stack
        checked = arrays.checked_actions(actions)
        observations = self._pool.take()
        self._advance(checked, observations if stack is None else stack.advance())
        rewards, terminated, truncated = arrays.results(world)
        infos: dict[str, Any] = {}
        if self.autoreset_mode is AutoresetMode.SAME_STEP:
            infos = self._final_info(terminated | truncated)
        if stack is not None:
            stack.read(observations, world.begun)
        self._show()
        if self._on_device:
            world = cast(DeviceWorld, world)
            return observations, rewards, terminated, truncated, LateInfos(infos, arrays, world)
        infos.update(arrays.masked(self._world_info(None), None))
        give = arrays.give
        return give(observations), give(rewards), give(terminated), give(truncated), give(infos)

    def render(self) -> tuple[Any, ...] | None:
        """Return a picture of each environment, or None where a window shows them."""
        self.require_started()
        if self.render_mode is None:
            gymnasium.logger.warn(
                "render() draws nothing: make the env with render_mode='rgb_array' or 'human'"
            )
        if self.render_mode != "rgb_array":
            self._show()
            return None
        return tuple(self._pictures(self.render_size))

    def close_extras(self, **kwargs: Any) -> None:
        """Close the worlds and the window; `close` calls this once."""
        self.world.close()
        if self._window is not None:
            self._window.close()

    # Beyond Gymnasium

    def observe(self) -> Any:
        """Return the observations of all environments as they stand, such as after `restore`."""
        self.require_started()
        observations = self._pool.take()
        if self._stack is not None:
            self._stack.read(observations)
        else:
            self._observe(None, out=observations)
        return self._arrays.give(observations)

    def snapshot(self, indices: Any = None) -> Snapshot:
        """Save the whole state of some environments, of all without `indices`.

        Raises:
            ValueError: For indices that are none.
        """
        self.require_started()
        chosen = checks.indices("indices", indices, self.num_envs)
        stacks = None if self._stack is None else self._stack.stacks(chosen)
        return Snapshot(self.world.kind, len(chosen), self.world.snapshot(chosen), stacks)

    def restore(self, snapshot: Snapshot, indices: Any = None) -> None:
        """Let the environments `indices` (all without them) go on from a snapshot.

        The same actions then give the same future as they gave, or would have given, where it was
        taken.

        Raises:
            ValueError: If it is of another kind of world, rules or frame stack, or of another
                number of environments; nothing has changed.
        """
        self.require_open()
        chosen = checks.indices("indices", indices, self.num_envs, distinct=True)
        self._check_snapshot(snapshot, len(chosen))
        self.world.restore(snapshot.worlds, chosen)
        if self._stack is not None and snapshot.stacks is not None:
            self._stack.fill(chosen, snapshot.stacks)
        self._started[chosen] = True
        self._all_started = bool(self._started.all())

    def fork(self, source: int, targets: Any) -> None:
        """Make the environments `targets` copies of the environment `source`, as it is now."""
        self.require_open()
        origin = checks.whole_number("source", source, 0, self.num_envs - 1)
        chosen = checks.indices("targets", targets, self.num_envs, distinct=True)
        self.restore(self.snapshot(np.full(len(chosen), origin)), chosen)

    # Hooks for subclasses

    def _advance(self, actions: NDArray[np.int32], out: NDArray[Any]) -> None:
        """Step the world and write what each agent then sees to `out` [num_envs, ...]."""
        self.world.step(actions, out)

    def _observe(
        self,
        indices: NDArray[np.intp] | None,
        *,
        final: bool = False,
        out: NDArray[Any] | None = None,
    ) -> NDArray[Any]:
        """Return what is seen [n, ...] of some worlds (all for None), as `World.render` does."""
        return self.world.render(self._frame_space.shape[0], indices, final=final, out=out)

    def _world_info(
        self, indices: NDArray[np.intp] | None, *, final: bool = False
    ) -> dict[str, NDArray[Any]]:
        """Return infos, new arrays [n] by name, of some worlds, chosen as in `World.render`."""
        return {}

    # What they share

    def _begin(self, seeds: list[int | None], mask: NDArray[np.bool_]) -> None:
        """Begin worlds by a seed given or drawn, or with the next episode of their own."""
        seedless = np.array([s is None for s in seeds])
        fresh = mask & seedless & ~self._started
        numbers = np.array([s or 0 for s in seeds], np.uint64)
        if fresh.any():
            first = int(self.np_random.integers(0, checks.SEEDS, dtype=np.uint64))
            drawn = np.array([(first + i) % checks.SEEDS for i in range(self.num_envs)], np.uint64)
            numbers[fresh] = drawn[fresh]
        anew = mask & (fresh | ~seedless)
        if anew.any():
            self.world.reset(numbers, anew)
        if (mask & ~anew).any():
            self.world.reset(None, mask & ~anew)
        self._started |= mask
        self._all_started = bool(self._started.all())

    def _final_info(self, ended: Any) -> dict[str, Any]:
        """Return "final_obs" and "final_info" of worlds that ended in this step, bool [num_envs].

        On the host "final_obs" holds objects, an observation or None, as in Gymnasium's own vector
        environments. On a GPU, where nobody here knows whether any ended, it is one tensor, like
        the observations, whose rows mean something where "_final_obs" says so.
        """
        if self._on_device:
            last = self._final_on_device()
            if self._stack is not None:
                last = self._stack.ending_with(last, ended)
            info = self._arrays.masked(self._world_info(None, final=True), None)
            info.update({name: ended for name in info if name.startswith("_")})
            return {
                "final_obs": last,
                "_final_obs": ended,
                "final_info": info,
                "_final_info": ended,
            }
        who = np.flatnonzero(ended)
        if not len(who):
            return {}
        last = self._observe(who, final=True)
        if self._stack is not None:
            last = self._stack.ending_with(last, who)
        final_obs = np.full(self.num_envs, None, dtype=object)
        for i, observation in zip(who, last, strict=True):
            final_obs[i] = self._arrays.give(observation)
        return {
            "final_obs": final_obs,
            "_final_obs": ended.copy(),
            "final_info": self._arrays.masked(self._world_info(who, final=True), who),
            "_final_info": ended.copy(),
        }

    def _final_on_device(self) -> Any:
        """Return what was last seen of worlds that ended, in a tensor [num_envs, ...]."""
        return self._observe(None, final=True)

    def _pictures(self, size: int, indices: NDArray[np.intp] | None = None) -> NDArray[np.uint8]:
        """Return pictures for people, in an array of the host."""
        pictures = self.world.render(size, indices)
        return pictures.cpu().numpy() if self._on_device else pictures  # pyright: ignore

    def _show(self) -> None:
        """Show the first worlds in the window, where there is one."""
        if self._window is not None:
            count = min(self.num_envs, SHOWN)
            size = max(16, self.render_size // int(np.ceil(np.sqrt(count))))
            self._window.show(tiles(self._pictures(size, np.arange(count))))

    def _check_snapshot(self, snapshot: Snapshot, wanted: int) -> None:
        if not isinstance(snapshot, Snapshot):
            raise ValueError(
                f"restore takes what snapshot() returned, got {type(snapshot).__name__}"
            )
        if snapshot.kind != self.world.kind:
            raise ValueError(
                f"the snapshot is of {snapshot.kind!r} and these environments are of "
                f"{self.world.kind!r}: it can only go back into the same kind"
            )
        if snapshot.count != wanted:
            raise ValueError(
                f"the snapshot holds {snapshot.count} environments and {wanted} are to take it"
            )
        mine = None if self._stack is None else self._stack.stacks(np.arange(1)).shape[1:]
        its = None if snapshot.stacks is None else snapshot.stacks.shape[1:]
        if mine != its:
            raise ValueError(
                f"the snapshot's stacked observations have the shape {its}, these environments' "
                f"{mine}: frame_stack, obs_size and obs_type must be the same"
            )

    def require_open(self) -> None:
        """Raise `gymnasium.error.ClosedEnvironmentError` after `close`."""
        if self.closed:
            raise gymnasium.error.ClosedEnvironmentError(
                "the environment is closed: make a new one to go on"
            )

    def require_started(self) -> None:
        """Raise `gymnasium.error.ResetNeeded` before the first reset (or as `require_open`)."""
        self.require_open()
        if not self._all_started:
            raise gymnasium.error.ResetNeeded("call reset() before anything else")
