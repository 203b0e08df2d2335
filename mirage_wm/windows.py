"""Training data that never touches a disk: windows of recent play, on the device that trains.

A thread plays and records chunks into (pinned) host memory while the device trains; each is copied
into a ring of chunks on the device beside the training, takes part in the draws from the next
refresh on and is overwritten in its turn. A draw of a batch is indexing on the device, with no word
from the host.

Which chunk is where at which step does not depend on timing, so a run resumed from a checkpoint
sees the same windows.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mirage_wm.recorder import Chunk, Event, Recorder

__all__ = ["EVENT_WEIGHTS", "StoreConfig", "WindowStore", "Windows", "window_weights"]

EVENT_WEIGHTS = {
    Event.LARGE: 3.0,
    Event.MEDIUM: 2.0,
    Event.SMALL: 2.0,
    Event.DEATH: 6.0,
    Event.RETURN: 4.0,
    Event.WAVE: 6.0,
    Event.BEGIN: 6.0,
    Event.END: 6.0,
}
"""How many times as often as plain motion a window is drawn in which this is about to happen."""

ROWS = ("actions", "rewards", "terminated", "events")
"""What is kept of a chunk beside its frames: a byte a step and arena each."""

AROUND = 2
"""The weight of an event holds for targets up to so many ticks before and after it. Were it drawn
for the very tick alone, the model would learn that what may happen now or one tick later always
happens now."""


class Windows(NamedTuple):
    """A batch of B windows of `context` + k frames, on the device.

    Attributes:
        frames: uint8 [B, context + k, 64, 64, 3], all of one episode.
        actions: int64 [B, context + k - 1]; actions[:, i] leads from frames[:, i] to frames[:, i +
            1].
        rewards: int64 [B, k], the class of the reward that came with frames[:, context + j].
        terminated: bool [B, k], came with frames[:, context + j].
        events: uint8 [B, k], the `Event`s on the way to frames[:, context + j].
    """

    frames: Tensor
    actions: Tensor
    rewards: Tensor
    terminated: Tensor
    events: Tensor


@dataclass(frozen=True)
class StoreConfig:
    """How much play is kept on the device, and how it is drawn from.

    Attributes:
        arenas: Arenas that play (N).
        steps: Steps of a chunk (T).
        chunks: Chunks that windows are drawn from; a further one is being replaced meanwhile.
        table: Starts of windows drawn for each chunk when it is recorded; batches are drawn from
            these.
        context: Frames before the first predicted one.
        horizons: Lengths k of the futures that are asked for.
        burn_in: Ticks played before the first chunk.
        threads: Threads of the simulator; 0 takes one for each core.
    """

    arenas: int = 1024
    steps: int = 64
    chunks: int = 12
    table: int = 16384
    context: int = 4
    horizons: tuple[int, ...] = (1, 12)
    burn_in: int = 1500
    threads: int = 0


def window_weights(
    begun: NDArray[np.bool_], events: NDArray[np.uint8], context: int, k: int
) -> NDArray[Any]:
    """Return how often each window of context + k frames is to be drawn, by its first frame.

    Args:
        begun: bool [T, N] (see `Chunk`).
        events: uint8 [T, N].
        context: Frames before the first predicted one.
        k: Predicted frames.

    Returns:
        float [T - context - k + 1, N]: 0 where the window would reach over the beginning of an
        episode, else the largest of `EVENT_WEIGHTS` around its predicted frames, at least 1.
    """
    starts = len(begun) - context - k + 1
    if starts < 1:
        raise ValueError(
            f"a window has {context + k} frames and a chunk {len(begun)}: make chunks longer"
        )
    weight = np.ones(begun.shape)
    for event, times in EVENT_WEIGHTS.items():
        np.maximum(weight, times, out=weight, where=events & event != 0)
    # An end is followed by a beginning, which is the first frame of a context and no target: its
    # weight goes to the windows that begin with it.
    opening = np.where(events & Event.BEGIN != 0, EVENT_WEIGHTS[Event.BEGIN], 1.0)
    plain = np.where(events & Event.BEGIN != 0, 1.0, weight)
    broad = plain.copy()
    for d in range(1, AROUND + 1):
        np.maximum(broad[d:], plain[:-d], out=broad[d:])
        np.maximum(broad[:-d], plain[d:], out=broad[:-d])
    result = opening[:starts].copy()
    for j in range(k):
        np.maximum(result, broad[context + j : context + j + starts], out=result)
    for j in range(1, context + k):
        result[begun[j : j + starts]] = 0
    return result


@dataclass
class _Buffer:
    """A chunk in host memory on its way to the device."""

    chunk: Chunk
    tensors: dict[str, Tensor]
    origin: dict[str, Any] = field(default_factory=dict)
    copied: Any = None


class WindowStore:
    """A ring of recent chunks on a device, refreshed by a thread that plays.

    Attributes:
        newest: Number of the newest chunk that takes part.
        waited: Seconds spent waiting for the thread.

    Example:
        >>> config = StoreConfig(arenas=8, steps=16, chunks=2, table=64, burn_in=0)
        >>> store = WindowStore(Recorder(8, seed=0), config, device="cpu", seed=0)
        >>> store.start()
        >>> store.sample(32, future=1).frames.shape
        torch.Size([32, 5, 64, 64, 3])
        >>> store.close()
    """

    def __init__(
        self, recorder: Recorder, config: StoreConfig, device: torch.device | str, seed: int
    ) -> None:
        """Allocate the ring; `start` fills it."""
        self.recorder, self.config, self.device, self.seed = (
            recorder,
            config,
            torch.device(device),
            seed,
        )
        self.generator = torch.Generator(self.device).manual_seed(seed)
        self.newest, self.waited = -1, 0.0
        slots, shape = config.chunks + 1, (config.steps, config.arenas)

        def ring(dtype: torch.dtype, *size: int) -> Tensor:
            return torch.empty((slots, *size), dtype=dtype, device=self.device)

        self._ring = {
            "frames": ring(torch.uint8, *shape, 64 * 64 * 3),
            **{name: ring(torch.uint8, *shape) for name in ROWS},
            **{f"table{k}": ring(torch.int64, config.table) for k in config.horizons},
        }
        cuda = self.device.type == "cuda"
        self._stream = torch.cuda.Stream(self.device) if cuda else None
        self._free: queue.SimpleQueue[_Buffer | None] = queue.SimpleQueue()
        self._ready: queue.SimpleQueue[_Buffer | BaseException] = queue.SimpleQueue()
        for _ in range(2):
            tensors = {
                k: torch.empty(v.shape[1:], dtype=v.dtype, pin_memory=cuda)
                for k, v in self._ring.items()
            }
            frames = tensors["frames"].numpy().reshape(*shape, 64, 64, 3)
            chunk = Chunk.empty(*shape, frames=frames)
            chunk.actions, chunk.rewards = tensors["actions"].numpy(), tensors["rewards"].numpy()
            chunk.terminated = tensors["terminated"].numpy().view(bool)
            chunk.events = tensors["events"].numpy()
            self._free.put(_Buffer(chunk, tensors))
        self._first = 0
        self._origins: deque[dict[str, Any]] = deque(maxlen=slots)
        self._pending: Any = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def start(self) -> None:
        """Fill the ring and let the thread play on."""
        self._thread = threading.Thread(target=self._play, name="mirage-recorder", daemon=True)
        self._thread.start()
        for _ in range(self.config.chunks):
            self._upload()
            self._finish_upload()
        self._upload()

    def advance(self) -> None:
        """Let the chunk on its way take part, drop the oldest, and send for the next."""
        self._finish_upload()
        self._upload()

    def sample(self, batch: int, future: int) -> Windows:
        """Draw windows with `future` predicted frames, one of `config.horizons`."""
        c, n = self.config, self.config.arenas
        if future not in c.horizons:
            raise ValueError(
                f"futures of {future} frames are not prepared: StoreConfig.horizons is {c.horizons}"
            )

        def draw(below: int) -> Tensor:
            return torch.randint(below, (batch,), device=self.device, generator=self.generator)

        slot = (self.newest - draw(c.chunks)) % (c.chunks + 1)
        start = self._ring[f"table{future}"][slot, draw(c.table)]
        frames = torch.arange(c.context + future, device=self.device) * n
        index = (slot * (c.steps * n) + start)[:, None] + frames
        flat = {name: self._ring[name].flatten(0, 2) for name in ("frames", *ROWS)}
        # As 8-byte words: one copy an element would be one a byte.
        pictures = flat["frames"].view(torch.int64)[index].view(torch.uint8)
        return Windows(
            pictures.unflatten(2, (64, 64, 3)),
            flat["actions"][index[:, :-1]].long(),
            flat["rewards"][index[:, c.context :]].long(),
            flat["terminated"][index[:, c.context :]].bool(),
            flat["events"][index[:, c.context :]],
        )

    def state_dict(self) -> dict[str, Any]:
        """Return all that decides the windows to come; the ring itself is played again."""
        return {
            "first": self.newest - self.config.chunks + 1,
            "origin": self._origins[0],
            "generator": self.generator.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a `state_dict`; before `start`."""
        self._first = state["first"]
        self.newest = self._first - 1
        self.recorder.restore(state["origin"])
        self.generator.set_state(state["generator"])

    def close(self) -> None:
        """Stop the thread. Closing twice is fine."""
        self._closed = True
        self._free.put(None)
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _play(self) -> None:
        """Record chunk after chunk, as buffers become free (in the thread)."""
        number = self._first
        try:
            while (buffer := self._free.get()) is not None and not self._closed:
                if buffer.copied is not None:
                    buffer.copied.synchronize()
                buffer.origin = self.recorder.snapshot()
                self.recorder.record(buffer.chunk)
                self._draw_tables(buffer, number)
                self._ready.put(buffer)
                number += 1
        except BaseException as error:
            self._ready.put(error)

    def _draw_tables(self, buffer: _Buffer, number: int) -> None:
        """Draw the starts of windows in a chunk by their weights, as step·arenas + arena."""
        rng = np.random.default_rng([self.seed, number])
        for k in self.config.horizons:
            weights = window_weights(
                buffer.chunk.begun, buffer.chunk.events, self.config.context, k
            )
            edges = np.cumsum(weights.ravel())
            if edges[-1] == 0:
                raise ValueError(
                    "every window of a chunk reaches over a beginning: make chunks longer"
                )
            draws = rng.random(self.config.table) * edges[-1]
            starts = np.searchsorted(edges, draws, side="right")
            buffer.tensors[f"table{k}"].numpy()[:] = np.minimum(starts, edges.size - 1)

    def _upload(self) -> None:
        """Take the next chunk from the thread, waiting if need be, and begin to copy it."""
        began = time.monotonic()
        buffer = self._ready.get()
        self.waited += time.monotonic() - began
        if isinstance(buffer, BaseException):
            raise RuntimeError("the thread that plays the game has failed") from buffer
        slot = (self.newest + 1) % (self.config.chunks + 1)
        if self._stream is None:
            for name, tensor in buffer.tensors.items():
                self._ring[name][slot].copy_(tensor)
        else:
            # Draws from the chunk that was in this slot are queued before this copy.
            self._stream.wait_stream(torch.cuda.current_stream(self.device))
            with torch.cuda.stream(self._stream):
                for name, tensor in buffer.tensors.items():
                    self._ring[name][slot].copy_(tensor, non_blocking=True)
                buffer.copied = self._pending = torch.cuda.Event()
                buffer.copied.record(self._stream)
        self._origins.append(buffer.origin)
        self._free.put(buffer)

    def _finish_upload(self) -> None:
        """Let later draws wait (on the device) for the copy, and count its chunk in."""
        if self._pending is not None:
            torch.cuda.current_stream(self.device).wait_event(self._pending)
        self.newest += 1
