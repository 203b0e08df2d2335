"""Films of play that no model was trained on, and dreams begun from them with the same keys."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mirage_wm.recorder import Chunk, Event, Recorder
from mirage_wm.regression import Regression
from mirage_wm.seeds import HELD_OUT

__all__ = ["Films", "dream_along", "films", "films_by_event"]

BURN_IN = 800
"""Ticks played before filming, so that the films show all parts of an episode."""


class Films(NamedTuple):
    """n films of one episode each, every one from an arena of its own.

    Attributes:
        frames: uint8 [n, context + future, 64, 64, 3].
        actions: int64 [n, context + future - 1]; actions[:, i] leads from frames[:, i] to frames[:,
            i + 1].
        rewards: int64 [n, context + future], classes of the rewards that came with the frames.
        terminated: bool [n, context + future].
    """

    frames: Tensor
    actions: Tensor
    rewards: Tensor
    terminated: Tensor

    def to(self, device: torch.device | str) -> Films:
        """Return the films on a device."""
        return Films(*(tensor.to(device) for tensor in self))


def films(
    n: int, future: int, context: int = 4, *, seed: int = HELD_OUT, threads: int = 0
) -> Films:
    """Return up to n films as play goes: what is rare in it is rare in them.

    Arenas in which an episode ends on the way are left out.
    """
    recorder = Recorder(n, seed, "evaluation", burn_in=BURN_IN, threads=threads)
    chunk = Chunk.empty(context + future, n)
    recorder.record(chunk)
    return _cut(chunk, np.zeros(n, np.int64), ~np.any(chunk.begun[1:], axis=0), context + future)


def films_by_event(
    n: int, context: int = 4, *, seed: int = HELD_OUT + 2**40, threads: int = 0
) -> dict[Event, Films]:
    """Return up to n films for each kind of event, of context + 1 frames: it shows in the last.

    Under `Event(0)` are films in the last frame of which nothing happens. There are none of
    `Event.BEGIN`: the first frame of an episode follows from nothing.
    """
    recorder = Recorder(max(4 * n, 128), seed, "evaluation", burn_in=BURN_IN, threads=threads)
    chunk = Chunk.empty(96, recorder.simulator.num_envs)
    kinds = [Event(0), *(event for event in Event if event != Event.BEGIN)]
    found: dict[Event, list[Films]] = {event: [] for event in kinds}
    for _ in range(40):
        wanting = [event for event in kinds if sum(len(f.frames) for f in found[event]) < n]
        if not wanting:
            break
        recorder.record(chunk)
        for event in wanting:
            here = chunk.events & event.value != 0 if event else chunk.events == 0
            for d in range(context):
                here[context:] &= ~chunk.begun[context - d : len(here) - d]
            here[:context] = False
            start = here.argmax(0) - context
            found[event].append(_cut(chunk, start, here.any(0), context + 1))
    return {
        event: Films(*(torch.cat(parts)[:n] for parts in zip(*some, strict=True)))
        for event, some in found.items()
    }


def _cut(chunk: Chunk, start: np.ndarray, keep: np.ndarray, length: int) -> Films:
    arena = np.flatnonzero(keep)[:, None]
    time = start[keep][:, None] + np.arange(length)
    return Films(
        torch.from_numpy(chunk.frames[time, arena]),
        torch.from_numpy(chunk.actions[time[:, :-1], arena].astype(np.int64)),
        torch.from_numpy(chunk.rewards[time, arena].astype(np.int64)),
        torch.from_numpy(chunk.terminated[time, arena]),
    )


def dream_along(model: Regression, played: Films) -> tuple[Tensor, Tensor, Tensor]:
    """Dream from the first frames of each film, with its keys.

    Returns:
        What the model shows, uint8 [n, future, 64, 64, 3], and says: rewards int32 and terminated
        bool [n, future].
    """
    context = model.config.context
    seen = played.frames[:, :context]
    steps = []
    for t in range(played.frames.shape[1] - context):
        step = model.predict(seen, played.actions[:, t : t + context])
        seen = torch.cat([seen[:, 1:], step[0][:, None]], 1)
        steps.append(step)
    frames, rewards, terminated = (torch.stack(parts, 1) for parts in zip(*steps, strict=True))
    return frames, rewards, terminated
