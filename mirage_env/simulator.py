"""What every backend is: arenas stepped and drawn together, over buffers allocated once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirage_env.arena import ARENA_DTYPE, Arenas, named_arrays
from mirage_env.observations import state_vectors
from mirage_env.rules import RULES_VERSION

__all__ = [
    "ENDED_SNAPSHOT",
    "INFOS",
    "KIND",
    "Autoreset",
    "Simulator",
    "SimulatorConfig",
    "as_arenas",
    "refuse_snapshot",
]

INFOS: tuple[str, ...] = ("score", "lives", "wave", "tick")
"""What a simulator tells of each arena beside its observation: fields of `ARENA_DTYPE`."""

KIND = f"Mirage, rules version {RULES_VERSION}"
"""What a simulator is, of whatever backend: what one saved, any other can go on from."""

ENDED_SNAPSHOT = (
    "the snapshot holds an episode that is over, and in autoreset mode SAME_STEP the next one has "
    "always begun: take it one step earlier, or use another mode"
)
"""Why a snapshot is refused, in the game and in the dream."""


class Autoreset(IntEnum):
    """What a step does with an arena whose episode is over (Gymnasium's three modes)."""

    NEXT_STEP = 0
    SAME_STEP = 1
    DISABLED = 2


@dataclass(frozen=True)
class SimulatorConfig:
    """How a simulator steps.

    Attributes:
        tuning: int32 [num_envs, 6], the integers of `mirage_env.rules.tuning` for each arena.
        frame_skip: Ticks in a step.
        max_ticks: Ticks after which an episode is truncated.
        autoreset: What a step does with an arena that has ended.
        num_threads: Threads over arenas, where the backend has any; 0 takes one for each core.
        device: Which GPU, where the backend runs on one: "cuda:N", or "auto".
        size: Pixels of a side of the pictures that `step` will be asked for, and
        channels: 3 for colours or 1 for grey. Others can be asked for too, where a backend that is
            compiled for these is slower.
    """

    tuning: NDArray[np.int32]
    frame_skip: int = 1
    max_ticks: int = 4500
    autoreset: Autoreset = Autoreset.NEXT_STEP
    num_threads: int = 0
    device: str = "auto"
    size: int = 64
    channels: int = 3


class Simulator(ABC):
    """`num_envs` arenas, their states and what their last step gave.

    The arguments are trusted here: `mirage_env.vector_env` checks what users pass.

    Attributes:
        arenas: The states, `ARENA_DTYPE` [num_envs]; what is written here is the state.
        final_arenas: For each arena that ended in the last step under `Autoreset.SAME_STEP`, the
            state at the end; records of other arenas are stale.
        reward: int32 [num_envs], points of the last step.
        terminated: bool [num_envs].
        truncated: bool [num_envs].
        begun: bool [num_envs], arenas in which the last step or reset began an episode.
    """

    def __init__(self, config: SimulatorConfig) -> None:
        """Allocate the buffers. Call `reset` before anything else."""
        self.config = config
        n = self.num_envs = len(config.tuning)
        self.arenas: Arenas = np.zeros(n, ARENA_DTYPE)
        self.final_arenas: Arenas = np.zeros(n, ARENA_DTYPE)
        self.reward = np.zeros(n, np.int32)
        self.terminated = np.zeros(n, np.bool_)
        self.truncated = np.zeros(n, np.bool_)
        self.begun = np.zeros(n, np.bool_)

    @abstractmethod
    def reset(
        self, seeds: NDArray[np.uint64] | None = None, mask: NDArray[np.bool_] | None = None
    ) -> None:
        """Begin an episode in each arena of `mask` (all without one).

        With `seeds` (uint64 [num_envs]) it is episode 0 of that seed, without them the next episode
        of the arena's own.
        """

    @abstractmethod
    def step(self, actions: NDArray[np.int32], frames: NDArray[np.uint8] | None = None) -> None:
        """Step each arena by its action (int32 [num_envs], 0 to 11), autoreset included.

        With `frames` (uint8 [num_envs, size, size, channels], contiguous), draw each arena as it
        then is: in colours for 3 channels, in grey for 1.
        """

    @abstractmethod
    def render(
        self,
        size: int,
        indices: NDArray[np.intp] | None = None,
        *,
        final: bool = False,
        out: NDArray[np.uint8] | None = None,
        channels: int = 3,
    ) -> NDArray[np.uint8]:
        """Return pictures uint8 [len(indices), size, size, channels] of some arenas, or of all.

        With `final`, of their states in `final_arenas`. `out` takes the pictures where it is given.
        """

    @abstractmethod
    def state_hash(self) -> NDArray[np.uint64]:
        """Return a hash of each arena's state, uint64 [num_envs]: the same on all backends."""

    def step_vectors(self, actions: NDArray[np.int32], vectors: NDArray[np.float32]) -> None:
        """Step, and write each arena's state vector (float32 [num_envs, STATE_SIZE])."""
        self.step(actions)
        state_vectors(self.arenas, vectors)

    def vectors(
        self,
        indices: NDArray[np.intp] | None = None,
        *,
        final: bool = False,
        out: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """Return state vectors float32 [n, STATE_SIZE], of arenas chosen as in `render`."""
        return state_vectors(self._chosen(indices, final), out)

    def infos(
        self, indices: NDArray[np.intp] | None = None, *, final: bool = False
    ) -> dict[str, NDArray[np.int64]]:
        """Return `INFOS` as new arrays [n] by name, of arenas chosen as in `render`."""
        arenas = self._chosen(indices, final)
        return {name: arenas[name].astype(np.int64) for name in INFOS}

    def close(self) -> None:  # noqa: B027 (most backends hold nothing)
        """Free what the backend holds. Closing twice is fine."""

    def state(self) -> dict[str, NDArray[Any]]:
        """Return a copy of the states: raw integers [num_envs, ...] by field of `ARENA_DTYPE`."""
        return named_arrays(self.arenas)

    def set_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Set the given fields of all arenas; the others stay as they are."""
        for name, values in state.items():
            self.arenas[name] = values

    @property
    def kind(self) -> str:
        """The same for all backends: what one of them saved, any other can go on from."""
        return KIND

    def snapshot(self, indices: NDArray[np.intp]) -> tuple[Any, NDArray[np.int32]]:
        """Return a copy of some arenas and of the tuning they are played by."""
        return self.arenas[indices], self.config.tuning[indices]

    def restore(self, snapshot: tuple[Any, NDArray[np.int32]], indices: NDArray[np.intp]) -> None:
        """Put the arenas of a snapshot into the arenas `indices`.

        Raises:
            ValueError: If they were played by other rules than these arenas are, or have ended
                where arenas never stand at their end.
        """
        arenas = as_arenas(snapshot[0])
        refuse_snapshot(self.config, snapshot[1], indices, lambda: bool(arenas["ended"].any()))
        self.arenas[indices] = arenas

    def _chosen(self, indices: NDArray[np.intp] | None, final: bool) -> Arenas:
        arenas = self.final_arenas if final else self.arenas
        return arenas if indices is None else arenas[indices]


def as_arenas(records: Any) -> Arenas:
    """Return the arenas of a snapshot, [n], from whichever backend took it."""
    if isinstance(records, np.ndarray):
        return records
    return records.cpu().numpy().view(ARENA_DTYPE)[:, 0]


def refuse_snapshot(
    config: SimulatorConfig,
    tuning: NDArray[np.int32],
    indices: NDArray[np.intp],
    ended: Callable[[], bool],
) -> None:
    """Raise `ValueError` if arenas of this tuning, ended or not, cannot go on in `indices`."""
    if config.autoreset == Autoreset.SAME_STEP and ended():
        raise ValueError(ENDED_SNAPSHOT)
    if not np.array_equal(tuning, config.tuning[indices]):
        raise ValueError(
            "the snapshot was taken under other Rules than these environments have, so that "
            "its future would be another: choose environments with the same rules"
        )
