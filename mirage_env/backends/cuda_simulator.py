"""The game on a GPU, results fetched to the host: a `Simulator` like the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mirage_env.arena import Arenas
from mirage_env.backends.cuda_world import CudaWorld
from mirage_env.simulator import Simulator, SimulatorConfig

__all__ = ["CudaSimulator"]


class CudaSimulator(Simulator):
    """A `CudaWorld` whose results are copied into the arrays of the host at each step.

    Attributes:
        world: The arenas on the GPU.
        arenas: A copy of the states, fetched when asked for: what is written there changes nothing.
            Use `set_state`.
        final_arenas: The same of the states at the ends.
    """

    def __init__(self, config: SimulatorConfig) -> None:
        """Allocate the arenas on the GPU; see `CudaWorld`."""
        self.config = config
        self.world = CudaWorld(config)
        self.num_envs = self.world.num_envs
        self._fetch()

    @property
    def arenas(self) -> Arenas:  # pyright: ignore[reportIncompatibleVariableOverride]
        """A copy of the states, `ARENA_DTYPE` [num_envs]."""
        return self.world.records()

    @property
    def final_arenas(self) -> Arenas:  # pyright: ignore[reportIncompatibleVariableOverride]
        """A copy of the states of arenas that ended in the last step."""
        return self.world.records(final=True)

    def reset(
        self, seeds: NDArray[np.uint64] | None = None, mask: NDArray[np.bool_] | None = None
    ) -> None:
        """See `Simulator.reset`."""
        self.world.reset(seeds, mask)
        self._fetch()

    def step(self, actions: NDArray[np.int32], frames: NDArray[np.uint8] | None = None) -> None:
        """See `Simulator.step`."""
        drawn = None if frames is None else self._beside(frames)
        self.world.step(self._upload(actions), drawn)
        self._download(drawn, frames)

    def step_vectors(self, actions: NDArray[np.int32], vectors: NDArray[np.float32]) -> None:
        """See `Simulator.step_vectors`."""
        seen = self._beside(vectors)
        self.world.step_vectors(self._upload(actions), seen)
        self._download(seen, vectors)

    def render(
        self,
        size: int,
        indices: NDArray[np.intp] | None = None,
        *,
        final: bool = False,
        out: NDArray[np.uint8] | None = None,
        channels: int = 3,
    ) -> NDArray[np.uint8]:
        """See `Simulator.render`."""
        if out is not None:
            channels = out.shape[3]
        drawn = self.world.render(size, indices, final=final, channels=channels).cpu().numpy()
        if out is None:
            return drawn
        out[:] = drawn
        return out

    def vectors(
        self,
        indices: NDArray[np.intp] | None = None,
        *,
        final: bool = False,
        out: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """See `Simulator.vectors`."""
        seen = self.world.vectors(indices, final=final).cpu().numpy()
        if out is None:
            return seen
        out[:] = seen
        return out

    def infos(
        self, indices: NDArray[np.intp] | None = None, *, final: bool = False
    ) -> dict[str, NDArray[np.int64]]:
        """See `Simulator.infos`."""
        told = self.world.infos(indices, final=final)
        return {name: values.cpu().numpy() for name, values in told.items()}

    def state_hash(self) -> NDArray[np.uint64]:
        """See `Simulator.state_hash`."""
        return self.world.state_hash()

    def state(self) -> dict[str, NDArray[Any]]:
        """See `Simulator.state`."""
        return self.world.state()

    def set_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """See `Simulator.set_state`."""
        self.world.set_state(state)

    def snapshot(self, indices: NDArray[np.intp]) -> tuple[Any, NDArray[np.int32]]:
        """See `CudaWorld.snapshot`."""
        return self.world.snapshot(indices)

    def restore(self, snapshot: tuple[Any, NDArray[np.int32]], indices: NDArray[np.intp]) -> None:
        """See `CudaWorld.restore`."""
        self.world.restore(snapshot, indices)

    def close(self) -> None:
        """See `CudaWorld.close`."""
        self.world.close()

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an array in pinned memory, which the GPU writes to directly."""
        import torch

        kind = torch.from_numpy(np.empty(0, dtype)).dtype
        return torch.empty(shape, dtype=kind, pin_memory=True).numpy()

    def _upload(self, actions: NDArray[np.int32]) -> Any:
        import torch

        return torch.from_numpy(actions).to(self.world.device)

    def _beside(self, array: NDArray[Any]) -> Any:
        """Return memory on the GPU for what goes into an array of the host."""
        import torch

        return torch.empty(
            array.shape, dtype=torch.from_numpy(array[:0]).dtype, device=self.world.device
        )

    def _download(self, seen: Any, array: NDArray[Any] | None) -> None:
        import torch

        if array is not None:  # It is there when `_fetch` is done, which waits for the stream.
            torch.from_numpy(array).copy_(seen, non_blocking=True)
        self._fetch()

    def _fetch(self) -> None:
        world = self.world
        self.reward = world.reward.cpu().numpy().astype(np.int32)
        flags = (world.terminated, world.truncated, world.begun)
        self.terminated, self.truncated, self.begun = (flag.cpu().numpy() for flag in flags)
