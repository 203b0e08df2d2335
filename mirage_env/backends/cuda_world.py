"""The game on a GPU, results left there: a `World` whose arrays are PyTorch tensors.

A step is one launch and nothing waits for it. What it wrote is new memory at every step, taken from
PyTorch's allocator in blocks of many steps, so that it can be handed out as it is.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirage_env.arena import ARENA_DTYPE, Arenas, named_arrays
from mirage_env.backends.cuda import Kernels, kernels_for, usable_device
from mirage_env.backends.cuda_results import Places, Results, Row, by_name
from mirage_env.observations import CIRCLE, STATE_SIZE
from mirage_env.simulator import INFOS, KIND, Autoreset, SimulatorConfig, refuse_snapshot

__all__ = ["CudaWorld"]

WARPS = 4
"""Warps of a block in cuda/kernels.cu, and so arenas, where each has a warp of its own."""

SHARED_BELOW = 2048
"""With fewer arenas, four warps share the picture of each: then the GPU has more to do at once."""

LARGEST = 128
"""Pixels of a side up to which pictures are drawn with the step; larger ones in a second launch."""

BLOCK = 64
"""Steps whose rewards, flags and infos are allocated together."""

_BATCH = struct.Struct("=11Q6i")  # struct Batch
_SHOWN = struct.Struct("=7Qi4x")  # struct Shown
_PICTURES = struct.Struct("=4Q2i")  # struct Pictures
_BEGINNING = struct.Struct("=4Qi4x")  # struct Beginning
_STACKING = struct.Struct("=5Q4i")  # struct Stacking
_LIST = struct.Struct("=2Qi")  # two arrays and their length


def _infos_of(results: Results, t: int) -> dict[str, Any]:
    return by_name(results.infos[t])


class CudaWorld:
    """`num_envs` arenas on a GPU: a `mirage_env.world.DeviceWorld`.

    All tensors are on `device`. `step` and `rollout` never wait for the GPU and copy nothing to the
    host, so they can be captured in a CUDA graph. They may be called from any thread and stream:
    when the current stream is another than the last one, it waits for what was launched there.

    Attributes:
        device: Where it is.
        reward: float32 [num_envs]; like the next two new at each step, and never changed again.
        terminated: bool [num_envs].
        truncated: bool [num_envs].
        arenas: int32 [num_envs, 160], the records of `ARENA_DTYPE`.
        final_arenas: The same of the arenas that ended in the last step (`Autoreset.SAME_STEP`).
    """

    def __init__(self, config: SimulatorConfig) -> None:
        """Allocate the arenas and load the kernels.

        Raises:
            ImportError: If the backend cannot run here.
            ValueError: If there is no such GPU.
            MemoryError: If the GPU has too little memory left.
        """
        self.device = usable_device(config.device)
        import torch

        self._torch = torch
        self.config = config
        self.num_envs = n = len(config.tuning)
        self._step_drawing = "step_drawing_shared" if n < SHARED_BELOW else "step_drawing"
        self._pace = (config.frame_skip, config.max_ticks, int(config.autoreset))
        self._wide, self._capturing = torch.int64, torch.cuda.is_current_stream_capturing
        self.kernels: Kernels = kernels_for(self.device, min(config.size, LARGEST), config.channels)
        try:
            self.arenas = self._tensor((n, ARENA_DTYPE.itemsize // 4), torch.int32)
            same_step = config.autoreset == Autoreset.SAME_STEP
            self.final_arenas = torch.zeros_like(self.arenas[: n if same_step else 1])
            self._tuning = torch.from_numpy(np.ascontiguousarray(config.tuning)).to(self.device)
            self._cosines = torch.from_numpy(CIRCLE).to(self.device)
            self._refused = self._tensor((1,), torch.int32)
        except torch.OutOfMemoryError as error:
            raise MemoryError(f"{n} arenas do not fit in the GPU's memory: {error}") from error
        self._stream = self.kernels.current_stream()
        self._stream_object = torch.cuda.current_stream(self.device)
        self._rows: Iterator[Row] = iter(())
        self._pointers = [
            t.data_ptr()
            for t in (self.arenas, self.final_arenas, self._tuning, self._cosines, self._refused)
        ]
        first = Results(torch, self.device, 1, n)
        for part in (first.reward, first.flags, first.infos):
            part.zero_()
        self._set(next(first.rows()))

    # Stepping

    def step(self, actions: Any, frames: Any = None) -> None:
        """Step each arena by its action (int32 or int64 [num_envs]), autoreset included.

        An action that is none, not from 0 to 11, counts as 0; `invalid_actions` tells how many.
        With `frames` (uint8 [num_envs, size, size, channels], contiguous), draw each arena as it
        then is.
        """
        if frames is None:
            self._step("step_unseen", actions, 0, 0)
        elif self._draws(frames.shape):
            self._step(self._step_drawing, actions, frames.data_ptr(), 0)
        else:
            self._step("step_unseen", actions, 0, 0)
            self.render(frames.shape[1], out=frames)

    def step_vectors(self, actions: Any, vectors: Any) -> None:
        """Step, and write each arena's state vector (float32 [num_envs, STATE_SIZE])."""
        self._step("step_vectors", actions, 0, vectors.data_ptr())

    def rollout(self, actions: Any, frames: Any = None, vectors: Any = None) -> Results:
        """Take T steps in one launch, by actions int32 or int64 [T, num_envs].

        With `frames` uint8 [T, num_envs, ...] or `vectors` float32 [T, num_envs, ...], show each.
        """
        steps = len(actions)
        results = Results(self._torch, self.device, steps, self.num_envs)
        if frames is not None and not self._draws(frames.shape[1:]):
            for t, places in zip(range(steps), results.places(), strict=False):
                self._launch("step_unseen", actions[t], places, 0, 0)
                self.render(frames.shape[2], out=frames[t])
        else:
            shared = frames is not None and self.num_envs < SHARED_BELOW
            seen = "unseen" if frames is None and vectors is None else "drawing"
            kind = "vectors" if vectors is not None else f"{seen}_shared" if shared else seen
            seen_at = [0 if t is None else t.data_ptr() for t in (frames, vectors)]
            self._launch(f"steps_{kind}", actions, next(results.places()), *seen_at, steps=steps)
        *_, last = results.rows()
        self._set(last)
        return results

    def _step(self, name: str, actions: Any, frames: int, vectors: int) -> None:
        stream = self._follow()
        if self._capturing():  # What a graph writes must come from the graph's own memory.
            row = next(Results(self._torch, self.device, 1, self.num_envs).rows())
        else:
            row = next(self._rows, None)
            if row is None:
                self._rows = Results(self._torch, self.device, BLOCK, self.num_envs).rows()
                row = next(self._rows)
        self._launch(name, actions, row[5], frames, vectors, stream=stream)
        self._set(row)

    def _launch(
        self,
        name: str,
        actions: Any,
        to: Places,
        frames: int,
        vectors: int,
        steps: int = 1,
        stream: int | None = None,
    ) -> None:
        n, (arenas, final_arenas, tuning, cosines, refused) = self.num_envs, self._pointers
        packed = _BATCH.pack(
            arenas,
            final_arenas,
            tuning,
            actions.data_ptr(),
            *to,
            frames,
            vectors,
            cosines,
            refused,
            *self._pace,
            n,
            steps,
            8 if actions.dtype is self._wide else 4,
        )
        self._run(name, n if name.endswith("_shared") else -(-n // WARPS), packed, stream)

    def _draws(self, shape: tuple[int, ...]) -> bool:
        return shape[1] == self.kernels.size and shape[3] == self.kernels.channels

    def _set(self, row: Row) -> None:
        self.reward, self.terminated, self.truncated, self._results, self._t, _ = row

    @property
    def begun(self) -> Any:
        """Bool [num_envs], arenas in which the last step began an episode."""
        return self._results.flags[self._t, 2]

    # Showing

    def render(
        self,
        size: int,
        indices: Any = None,
        *,
        final: bool = False,
        out: Any = None,
        channels: int = 3,
    ) -> Any:
        """Return pictures uint8 [n, size, size, channels] of some arenas, or of all.

        `indices`: int64 [n], of the host or the device. See `Simulator.render`.
        """
        torch = self._torch
        chosen = None if indices is None else torch.as_tensor(indices).to(self.device)
        count = self.num_envs if chosen is None else len(chosen)
        if out is None:
            out = torch.empty((count, size, size, channels), dtype=torch.uint8, device=self.device)
        if count == 0:
            return out
        packed = _PICTURES.pack(
            (self.final_arenas if final else self.arenas).data_ptr(),
            self._tuning.data_ptr(),
            0 if chosen is None else chosen.data_ptr(),
            out.data_ptr(),
            size,
            out.shape[3],
        )
        parts = max(1, size * size // 4096)
        self._run("draw_arenas", (count, parts), packed)
        return out

    def vectors(self, indices: Any = None, *, final: bool = False, out: Any = None) -> Any:
        """Return state vectors float32 [n, STATE_SIZE] of some arenas, or of all."""
        torch, n = self._torch, self.num_envs
        if out is None or indices is not None:
            out = torch.empty((n, STATE_SIZE), dtype=torch.float32, device=self.device)
        self._show(None, out, final=final, ended=False)
        return out if indices is None else out[torch.as_tensor(indices).to(self.device)]

    def show_ended(self, frames: Any = None, vectors: Any = None) -> None:
        """Show the arenas that ended in the last step as they then were, `Autoreset.SAME_STEP`.

        Rows of `frames` or `vectors` [num_envs, ...] that belong to others stay as they are.
        """
        if frames is not None and not self._draws(frames.shape):
            self.render(frames.shape[1], final=True, out=frames)
        else:
            self._show(frames, vectors, final=True, ended=True)

    def _show(self, frames: Any, vectors: Any, *, final: bool, ended: bool) -> None:
        packed = _SHOWN.pack(
            (self.final_arenas if final else self.arenas).data_ptr(),
            self._tuning.data_ptr(),
            self.terminated.data_ptr() if ended else 0,
            self.truncated.data_ptr() if ended else 0,
            0 if frames is None else frames.data_ptr(),
            0 if vectors is None else vectors.data_ptr(),
            self._cosines.data_ptr(),
            self.num_envs,
        )
        self._run("show_arenas", -(-self.num_envs // (32 * WARPS)), packed)

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
        """See `DeviceWorld.stack`."""
        size = ring[0, 0].numel() * ring.element_size()
        chunks = size % 16 == 0
        packed = _STACKING.pack(
            ring.data_ptr(),
            0 if begun is None else begun.data_ptr(),
            0 if last is None else last.data_ptr(),
            0 if ended is None else ended.data_ptr(),
            out.data_ptr(),
            len(ring),
            newest,
            size // 16 if chunks else size,
            self.num_envs,
        )
        self._run("stack_chunks" if chunks else "stack_bytes", self.num_envs, packed)

    def infos(self, indices: Any = None, *, final: bool = False) -> dict[str, Any]:
        """Return `INFOS` as int64 tensors [n] by name, see `Simulator.infos`.

        With `final` those of arenas that did not end in the last step are meaningless.
        """
        values = self._told(final)
        if indices is not None:
            values = values[self._torch.as_tensor(indices).to(self.device)]
        return by_name(values)

    def step_infos(self) -> Callable[[], dict[str, Any]]:
        """See `DeviceWorld.step_infos`."""
        return functools.partial(_infos_of, self._results, self._t)

    def _told(self, final: bool) -> Any:
        n, arenas = self.num_envs, self.final_arenas if final else self.arenas
        values = self._tensor((n, len(INFOS)), self._torch.int32)
        packed = _LIST.pack(arenas.data_ptr(), values.data_ptr(), n)
        self._run("inform", -(-n // (32 * WARPS)), packed)
        return values

    # States

    def reset(
        self, seeds: NDArray[np.uint64] | None = None, mask: NDArray[np.bool_] | None = None
    ) -> None:
        """Begin episodes, see `Simulator.reset`; the arguments are the host's."""
        torch = self._torch
        given = None if seeds is None else torch.from_numpy(seeds.view(np.int64)).to(self.device)
        chosen = None if mask is None else torch.from_numpy(mask).to(self.device)
        packed = _BEGINNING.pack(
            self.arenas.data_ptr(),
            self._tuning.data_ptr(),
            0 if given is None else given.data_ptr(),
            0 if chosen is None else chosen.data_ptr(),
            self.num_envs,
        )
        self._run("reset_arenas", -(-self.num_envs // WARPS), packed)
        after = Results(torch, self.device, 1, self.num_envs)
        begun = torch.ones_like(self.begun) if chosen is None else chosen
        after.reward[0] = self.reward.masked_fill(begun, 0)
        after.flags[0, 0], after.flags[0, 1] = self.terminated & ~begun, self.truncated & ~begun
        after.flags[0, 2] = begun
        after.infos[0] = self._told(final=False)
        self._set(next(after.rows()))

    def state_hash(self) -> NDArray[np.uint64]:
        """Return a hash of each arena's state, uint64 [num_envs] on the host."""
        hashes = self._tensor((self.num_envs,))
        packed = _LIST.pack(self.arenas.data_ptr(), hashes.data_ptr(), self.num_envs)
        self._run("hash_arenas", -(-self.num_envs // WARPS), packed)
        return hashes.cpu().numpy().view(np.uint64)

    def records(self, *, final: bool = False) -> Arenas:
        """Return a copy of the states on the host, `ARENA_DTYPE` [num_envs]."""
        self._follow()
        arenas = self.final_arenas if final else self.arenas
        return arenas.cpu().numpy().view(ARENA_DTYPE)[:, 0]

    def put_records(self, records: Arenas) -> None:
        """Set the states, from `ARENA_DTYPE` [num_envs] on the host."""
        self._follow()
        self.arenas.copy_(self._words(records))

    def state(self) -> dict[str, NDArray[Any]]:
        """See `Simulator.state`."""
        return named_arrays(self.records())

    def set_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """See `Simulator.set_state`."""
        records = self.records()
        for name, values in state.items():
            records[name] = values
        self.put_records(records)

    @property
    def kind(self) -> str:
        """The same as of the other backends: what one of them saved, any other can go on from."""
        return KIND

    def snapshot(self, indices: NDArray[np.intp]) -> tuple[Any, NDArray[np.int32]]:
        """Return a copy of some arenas, int32 [n, 160] on the device, and of their tuning."""
        self._follow()
        chosen = self._torch.from_numpy(indices).to(self.device)
        return self.arenas.index_select(0, chosen), self.config.tuning[indices]

    def restore(self, snapshot: tuple[Any, NDArray[np.int32]], indices: NDArray[np.intp]) -> None:
        """Put the arenas of a snapshot, of any backend, into the arenas `indices`.

        Raises:
            ValueError: See `Simulator.restore`.
        """
        torch, arenas = self._torch, snapshot[0]
        if isinstance(arenas, np.ndarray):
            arenas = self._words(arenas)
        arenas = arenas.to(self.device)
        at = ARENA_DTYPE.fields["ended"][1]  # pyright: ignore[reportOptionalSubscript]
        refuse_snapshot(
            self.config,
            snapshot[1],
            indices,
            lambda: bool(arenas.view(torch.uint8)[:, at].any()),
        )
        self._follow()
        self.arenas.index_copy_(0, torch.from_numpy(indices).to(self.device), arenas)

    def invalid_actions(self) -> int:
        """Return how many actions so far were not from 0 to 11. Waits for the GPU."""
        self._follow()
        return int(self._refused.item())

    def close(self) -> None:
        """Give the memory back. Closing twice is fine."""
        self._rows = iter(())

    def _words(self, records: Arenas) -> Any:
        """Return records of the host as a tensor there, int32 [n, 160]."""
        words = np.ascontiguousarray(records).view(np.int32).reshape(len(records), -1)
        return self._torch.from_numpy(words)

    def _tensor(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        return self._torch.zeros(shape, dtype=dtype or self._torch.int64, device=self.device)

    def _run(
        self,
        name: str,
        blocks: int | tuple[int, int],
        packed: bytes,
        stream: int | None = None,
    ) -> None:
        """Launch a kernel in the current stream, or in that which `_follow` has just returned."""
        stream = self._follow() if stream is None else stream
        self.kernels.launch(name, blocks, 32 * WARPS, packed, stream)

    def _follow(self) -> int:
        """Return the current stream; it waits for what was launched on another one before."""
        current = self.kernels.current_stream()
        if current != self._stream and not self._capturing():
            now = self._torch.cuda.current_stream(self.device)
            now.wait_stream(self._stream_object)
            self._stream, self._stream_object = current, now
            self._rows = iter(())  # Memory is given back to the stream that it was taken in.
        return current
