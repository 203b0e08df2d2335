"""Training data that never touches a disk: windows of recent play, on the device that trains.

Chunks of play are kept in a ring on the device. A new one takes part in the draws from the next
refresh on and is overwritten in its turn; where it comes from is the business of `mirage_wm.feeds`.
A draw of a batch is indexing on the device, with no word from the host.

Which chunk is where at which step does not depend on timing, so a run resumed from a checkpoint
sees the same windows.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from mirage_env import checks
from mirage_wm.feeds import Feed, make_feed
from mirage_wm.noise import stream_keys, uniform
from mirage_wm.recorder import Chunk, Event, Recorder

__all__ = ["EVENT_WEIGHTS", "StoreConfig", "WindowStore", "Windows", "window_weights"]

EVENT_WEIGHTS = {
    Event.LARGE: 3.0,
    Event.MEDIUM: 2.0,
    Event.SMALL: 2.0,
    Event.DEATH: 20.0,
    Event.SHIELD: 10.0,
    Event.WAVE: 10.0,
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
        play: Where the game is played: "cpu", beside the training, or "gpu", by the CUDA backend on
            the device that trains, whose frames never leave it.
        threads: Threads of the CPU's simulator; 0 takes one for each core.
        waves: How many times as often as plain motion the announcement of a wave is drawn.
        agent: One of the players: the name of an agent that comes with the project, or its
            .safetensors file; without one the scripted players are alone.
    """

    arenas: int = 1024
    steps: int = 64
    chunks: int = 12
    table: int = 16384
    context: int = 4
    horizons: tuple[int, ...] = (1, 12)
    burn_in: int = 1500
    play: Literal["cpu", "gpu"] = "cpu"
    threads: int = 0
    waves: float = EVENT_WEIGHTS[Event.WAVE]
    agent: str | None = "state"

    def __post_init__(self) -> None:
        """Raise `ValueError` for sizes that no window fits into, or that are none."""
        for name, least in (
            ("arenas", 1),
            ("chunks", 1),
            ("table", 1),
            ("context", 1),
            ("burn_in", 0),
            ("threads", 0),
        ):
            checks.whole_number(name, getattr(self, name), least)
        if not self.horizons:
            raise ValueError("horizons must be one number of frames at least, got none")
        for k in self.horizons:
            checks.whole_number("horizons", k, 1)
        longest = self.context + max(self.horizons)
        if self.steps < longest:
            raise ValueError(
                f"steps must be at least {longest}, the frames of the longest window, "
                f"got {self.steps}"
            )

    def frame_bytes(self) -> int:
        """Return the memory that the frames take on the device."""
        return (self.chunks + 1) * self.steps * self.arenas * 64 * 64 * 3


def window_weights(
    begun: Tensor,
    events: Tensor,
    context: int,
    k: int,
    waves: float = EVENT_WEIGHTS[Event.WAVE],
) -> Tensor:
    """Return how often each window of context + k frames is to be drawn, by its first frame.

    Args:
        begun: bool [T, N] (see `Chunk`).
        events: uint8 [T, N].
        context: Frames before the first predicted one.
        k: Predicted frames.
        waves: The weight of `Event.WAVE`, in place of that of `EVENT_WEIGHTS`.

    Returns:
        float64 [T - context - k + 1, N]: 0 where the window would reach over the beginning of an
        episode, else the largest of `EVENT_WEIGHTS` around its predicted frames, at least 1.
    """
    starts = len(begun) - context - k + 1
    if starts < 1:
        raise ValueError(
            f"a window has {context + k} frames and a chunk {len(begun)}: make chunks longer"
        )
    weight = torch.ones(begun.shape, dtype=torch.float64, device=begun.device)
    for event, times in (EVENT_WEIGHTS | {Event.WAVE: waves}).items():
        weight = torch.where(events & event.value != 0, weight.clamp(min=times), weight)
    # An end is followed by a beginning, which is the first frame of a context and no target: its
    # weight goes to the windows that begin with it.
    begins = events & Event.BEGIN.value != 0
    opening = torch.where(begins, EVENT_WEIGHTS[Event.BEGIN], torch.ones_like(weight))
    plain = torch.where(begins, 1.0, weight)
    broad = plain.clone()
    for d in range(1, AROUND + 1):
        broad[d:] = torch.maximum(broad[d:], plain[:-d])
        broad[:-d] = torch.maximum(broad[:-d], plain[d:])
    result = opening[:starts]
    for j in range(k):
        result = torch.maximum(result, broad[context + j : context + j + starts])
    for j in range(1, context + k):
        result = result.masked_fill(begun[j : j + starts], 0)
    return result


def draw_table(chunk: Chunk, config: StoreConfig, k: int, seed: int, number: int) -> Tensor:
    """Return starts of windows of k predicted frames, int64 [table], as step * arenas + arena.

    Drawn by their weights, the same for the same seed and number of the chunk; -1 where a chunk has
    no such window.
    """
    weights = window_weights(chunk.begun, chunk.events, config.context, k, config.waves)
    edges = weights.flatten().cumsum(0)
    place = torch.arange(config.table, device=edges.device)
    keys = stream_keys(torch.full_like(place, seed), torch.full_like(place, number), place)
    draws = uniform(keys, k, torch).double() * edges[-1]
    starts = torch.searchsorted(edges, draws, right=True).clamp(max=len(edges) - 1)
    return torch.where(edges[-1] > 0, starts, -1)


class WindowStore:
    """A ring of recent chunks on a device.

    Attributes:
        newest: Number of the newest chunk that takes part.
        waited: Seconds spent waiting for play.

    Example:
        >>> config = StoreConfig(arenas=8, steps=32, chunks=2, table=64, burn_in=0)
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
        self.config, self.device, self.seed = config, torch.device(device), seed
        self.generator = torch.Generator(self.device).manual_seed(seed)
        self.newest = -1
        slots, shape = config.chunks + 1, (config.steps, config.arenas)

        def ring(dtype: torch.dtype, *size: int) -> Tensor:
            return torch.empty((slots, *size), dtype=dtype, device=self.device)

        self._ring = {
            "frames": ring(torch.uint8, *shape, 64, 64, 3),
            "actions": ring(torch.uint8, *shape),
            "rewards": ring(torch.uint8, *shape),
            "terminated": ring(torch.bool, *shape),
            "begun": ring(torch.bool, *shape),
            "events": ring(torch.uint8, *shape),
        }
        self._tables = {k: ring(torch.int64, config.table) for k in config.horizons}
        self._origins: deque[dict[str, Any]] = deque(maxlen=slots)
        self._first = 0
        self._feed: Feed = make_feed(recorder, config.steps, self.device)

    @property
    def waited(self) -> float:
        """Seconds spent waiting for play."""
        return self._feed.waited

    def start(self) -> None:
        """Fill the ring and let play go on; if that cannot be or is interrupted, close."""
        try:
            self._fill()
        except BaseException:
            self.close()
            raise

    def advance(self) -> None:
        """Let the chunk on its way take part, drop the oldest, and send for the next."""
        self._count_in()
        self._send_for_next()

    def sample(self, batch: int, future: int, rows: slice = slice(None)) -> Windows:
        """Draw windows with `future` predicted frames, one of `config.horizons`.

        Args:
            batch: How many.
            future: Their predicted frames.
            rows: Return these of them alone.
        """
        c, n = self.config, self.config.arenas
        if future not in c.horizons:
            raise ValueError(
                f"futures of {future} frames are not prepared: StoreConfig.horizons is {c.horizons}"
            )

        def draw(below: int) -> Tensor:
            drawn = torch.randint(below, (batch,), device=self.device, generator=self.generator)
            return drawn[rows]

        slot = (self.newest - draw(c.chunks)) % (c.chunks + 1)
        start = self._tables[future][slot, draw(c.table)]
        frames = torch.arange(c.context + future, device=self.device) * n
        index = (slot * (c.steps * n) + start)[:, None] + frames
        # As 8-byte words: one copy an element would be one a byte.
        words = self._ring["frames"].view(-1, 64 * 64 * 3).view(torch.int64)
        pictures = words[index].view(torch.uint8).unflatten(2, (64, 64, 3))

        def of(name: str, places: Tensor) -> Tensor:
            return self._ring[name].flatten()[places]

        predicted = index[:, c.context :]
        return Windows(
            pictures,
            of("actions", index[:, :-1]).long(),
            of("rewards", predicted).long(),
            of("terminated", predicted),
            of("events", predicted),
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
        self._feed.restore(state["origin"])
        self.generator.set_state(state["generator"])

    def close(self) -> None:
        """Stop the play. Closing twice is fine."""
        self._feed.close()

    def _fill(self) -> None:
        self._feed.start()
        for _ in range(self.config.chunks):
            self._send_for_next()
            self._count_in()
        self._send_for_next()
        for k, table in self._tables.items():
            if bool((table[self._slots()] < 0).any()):
                raise ValueError(
                    f"there is no window of {self.config.context + k} frames in a chunk that does "
                    "not reach over a beginning: make chunks longer"
                )

    def _slots(self) -> list[int]:
        """Return the slots of the chunks that take part."""
        c = self.config.chunks
        return [(self.newest - age) % (c + 1) for age in range(c)]

    def _send_for_next(self) -> None:
        """Let the next chunk come to the slot of the oldest, which takes part no more."""
        slot = (self.newest + 1) % (self.config.chunks + 1)
        chunk = Chunk(**{name: part[slot] for name, part in self._ring.items()})
        self._origins.append(self._feed.send(chunk))

    def _count_in(self) -> None:
        """Count in the chunk on its way: later draws wait for it, on the device."""
        self._feed.arrived()
        self.newest += 1
        slot = self.newest % (self.config.chunks + 1)
        chunk = Chunk(**{name: part[slot] for name, part in self._ring.items()})
        for k, table in self._tables.items():
            table[slot] = draw_table(chunk, self.config, k, self.seed, self.newest)
