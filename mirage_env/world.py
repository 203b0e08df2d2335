"""What a vector environment needs of its worlds: the simulator is one kind, a dream another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol, SupportsIndex

import numpy as np
from numpy.typing import NDArray

__all__ = ["DeviceWorld", "NotCopied", "Snapshot", "World"]


class World(Protocol):
    """`num_envs` worlds that are stepped and drawn together.

    `mirage_env.world_vector_env.WorldVectorEnv` makes a Gymnasium environment of one. It checks
    what users pass, so that arguments can be trusted here. The arrays below hold what the last
    `step` gave and are written anew by each.

    Attributes:
        num_envs: How many worlds there are.
        kind: Which future a snapshot has. Snapshots go from a world to another of the same kind and
            no other.
        reward: Numbers [num_envs].
        terminated: bool [num_envs].
        truncated: bool [num_envs].
        begun: bool [num_envs], worlds in which the last step began an episode (autoreset).
    """

    num_envs: int
    reward: NDArray[Any]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    begun: NDArray[np.bool_]

    @property
    def kind(self) -> str:
        """Which future a snapshot has, in words that an error message can show."""
        ...

    def reset(
        self, seeds: NDArray[np.uint64] | None = None, mask: NDArray[np.bool_] | None = None
    ) -> None:
        """Begin an episode in each world of `mask` (in all without one).

        With `seeds` (uint64 [num_envs]) it is episode 0 of that seed, without them the next episode
        of the world's own.
        """
        ...

    def step(self, actions: NDArray[np.int32], frames: NDArray[np.uint8] | None = None) -> None:
        """Step each world by its action (int32 [num_envs]), autoreset included.

        With `frames` (uint8 [num_envs, size, size, 3], contiguous), draw each world as it is
        afterwards.
        """
        ...

    def render(
        self,
        size: int,
        indices: NDArray[np.intp] | None = None,
        *,
        final: bool = False,
        out: NDArray[np.uint8] | None = None,
    ) -> NDArray[np.uint8]:
        """Return pictures uint8 [n, size, size, 3] of the n worlds `indices`, of all without.

        With `final`, as those that ended in the last step were at their end, before the autoreset
        in the same step.
        """
        ...

    def snapshot(self, indices: NDArray[np.intp]) -> Any:
        """Return the whole state of some worlds, picklable and sharing no memory with them."""
        ...

    def restore(self, snapshot: Any, indices: NDArray[np.intp]) -> None:
        """Put the n states of a snapshot into the n worlds `indices`.

        Raises:
            ValueError: If they do not fit these worlds, before anything changes.
        """
        ...

    def close(self) -> None:
        """Free what is held. Closing twice is fine."""
        ...


class DeviceWorld(World, Protocol):
    """A `World` that computes on a GPU and leaves there what it computes, as PyTorch tensors.

    `step` takes actions and frames that are tensors of `device`, and neither it nor the methods
    below wait for the device. `reward`, float32, and the flags are new tensors at each step. What
    `render` gives is on the device too.

    Attributes:
        device: A `torch.device`.
    """

    device: Any

    def step_infos(self) -> Callable[[], dict[str, Any]]:
        """Return what returns the infos of the last step, [num_envs] by name, whenever called."""
        ...

    def stack(
        self,
        ring: Any,
        newest: int,
        out: Any,
        *,
        begun: Any = None,
        last: Any = None,
        ended: Any = None,
    ) -> None:
        """Write stacks of observations, the oldest first, to `out` [num_envs, depth, ...].

        Args:
            ring: [depth, num_envs, ...]; the layers after the newest are the oldest.
            newest: The layer of the newest observations.
            out: Takes the stacks.
            begun: bool [num_envs]: where it is True, an episode has just begun and the newest
                stands for all, in the ring too.
            last: [num_envs, ...]: stands for the newest; the ring then stays as it is.
            ended: bool [num_envs]: stack only where it is True.
        """
        ...


@dataclass(frozen=True)
class Snapshot:
    """Some worlds at a moment, from which they can go on; it can be pickled.

    Attributes:
        kind: The kind of the worlds (`World.kind`).
        count: How many there are.
        worlds: What `World.snapshot` gave.
        stacks: Their stacked observations [count, frame_stack, ...], without a frame stack None.
    """

    kind: str
    count: int
    worlds: Any
    stacks: Any

    def __len__(self) -> int:
        """Return how many worlds there are in it."""
        return self.count


class NotCopied:
    """What neither `copy` nor `pickle` can take: the simulator behind it is of this process."""

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        """Refuse to be copied or pickled: the simulator is memory of this process."""
        raise TypeError(
            f"{type(self).__name__} cannot be copied or pickled: make another and let it go on "
            "from a moment of this one, by another.restore(this.snapshot())"
        )
