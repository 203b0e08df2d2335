"""How chunks of play come to the device that trains: from the CPU, or from the device itself.

On the CPU a thread plays and records into (pinned) memory of the host while the device trains, and
each chunk is copied beside the training. On a GPU the CUDA simulator draws right into the ring,
between two steps of the training, and nothing is copied.
"""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

import torch
from torch import Tensor

from mirage_wm.recorder import Chunk, Recorder

__all__ = ["Feed", "make_feed"]


class Feed(Protocol):
    """Brings chunks, one after another.

    Attributes:
        waited: Seconds spent waiting for play.
    """

    waited: float

    def start(self) -> None:
        """Begin to play."""
        ...

    def send(self, chunk: Chunk) -> dict[str, Any]:
        """Let the next chunk come to these tensors; return the recorder's snapshot before it."""
        ...

    def arrived(self) -> None:
        """Let what is done next on the device wait until the chunk sent for is there."""
        ...

    def restore(self, origin: dict[str, Any]) -> None:
        """Go on from a snapshot; before `start`."""
        ...

    def close(self) -> None:
        """Stop. Closing twice is fine."""
        ...


def make_feed(recorder: Recorder, steps: int, device: torch.device) -> Feed:
    """Return the feed of a recorder for chunks of so many steps."""
    return DeviceFeed(recorder) if recorder.on_device else HostFeed(recorder, steps, device)


class DeviceFeed:
    """Plays on the device that trains, when a chunk is sent for."""

    def __init__(self, recorder: Recorder) -> None:
        """Feed from this recorder."""
        self._recorder, self.waited = recorder, 0.0

    def start(self) -> None:
        """See `Feed.start`: it plays when asked."""

    def send(self, chunk: Chunk) -> dict[str, Any]:
        """See `Feed.send`."""
        origin = self._recorder.snapshot()
        self._recorder.record(chunk)
        return origin

    def arrived(self) -> None:
        """See `Feed.arrived`: the device works in order."""

    def restore(self, origin: dict[str, Any]) -> None:
        """See `Feed.restore`."""
        self._recorder.restore(origin)

    def close(self) -> None:
        """See `Feed.close`."""
        self._recorder.simulator.close()


@dataclass
class _Buffer:
    """A chunk in memory of the host, on its way to the device."""

    chunk: Chunk
    tensors: dict[str, Tensor]
    origin: dict[str, Any] = field(default_factory=dict)
    copied: Any = None


class HostFeed:
    """Plays on the CPU, in a thread, a chunk or two ahead."""

    def __init__(self, recorder: Recorder, steps: int, device: torch.device) -> None:
        """Allocate two buffers; `start` lets the thread play."""
        self._recorder, self._device, self.waited = recorder, device, 0.0
        cuda = device.type == "cuda"
        self._stream = torch.cuda.Stream(device) if cuda else None
        self._free: queue.SimpleQueue[_Buffer | None] = queue.SimpleQueue()
        self._ready: queue.SimpleQueue[_Buffer | BaseException] = queue.SimpleQueue()
        for _ in range(2):
            empty = Chunk.empty(steps, recorder.simulator.num_envs)
            tensors = {f.name: torch.from_numpy(getattr(empty, f.name)) for f in fields(Chunk)}
            if cuda:
                tensors = {name: tensor.pin_memory() for name, tensor in tensors.items()}
            chunk = Chunk(**{name: tensor.numpy() for name, tensor in tensors.items()})
            self._free.put(_Buffer(chunk, tensors))
        self._pending: Any = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def start(self) -> None:
        """See `Feed.start`."""
        self._thread = threading.Thread(target=self._play, name="mirage-recorder", daemon=True)
        self._thread.start()

    def send(self, chunk: Chunk) -> dict[str, Any]:
        """See `Feed.send`: wait for the thread, if need be, and begin to copy."""
        began = time.monotonic()
        buffer = self._ready.get()
        self.waited += time.monotonic() - began
        if isinstance(buffer, BaseException):
            raise RuntimeError("the thread that plays the game has failed") from buffer
        if self._stream is None:
            for name, tensor in buffer.tensors.items():
                getattr(chunk, name).copy_(tensor)
        else:
            # Draws from the chunk that was there are queued before this copy.
            self._stream.wait_stream(torch.cuda.current_stream(self._device))
            with torch.cuda.stream(self._stream):
                for name, tensor in buffer.tensors.items():
                    getattr(chunk, name).copy_(tensor, non_blocking=True)
                buffer.copied = self._pending = torch.cuda.Event()
                buffer.copied.record(self._stream)
        origin = buffer.origin
        self._free.put(buffer)
        return origin

    def arrived(self) -> None:
        """See `Feed.arrived`."""
        if self._pending is not None:
            torch.cuda.current_stream(self._device).wait_event(self._pending)

    def restore(self, origin: dict[str, Any]) -> None:
        """See `Feed.restore`."""
        self._recorder.restore(origin)

    def close(self) -> None:
        """See `Feed.close`."""
        self._closed = True
        self._free.put(None)
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _play(self) -> None:
        """Record chunk after chunk, as buffers become free (in the thread)."""
        try:
            while (buffer := self._free.get()) is not None and not self._closed:
                if buffer.copied is not None:
                    buffer.copied.synchronize()
                buffer.origin = self._recorder.snapshot()
                self._recorder.record(buffer.chunk)
                self._ready.put(buffer)
        except BaseException as error:
            self._ready.put(error)
