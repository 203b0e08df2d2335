"""Where an evaluation begins, and the worlds that are measured from there: dreams and the game.

A start is a moment of the game: its last frames and keys, which are all that a dream sees, and its
hidden state, which the game itself goes on from. Every contestant begins from the same starts and
is stepped with the same keys, so that what it shows can be compared with the game frame by frame.

The game is a contestant too. With the random numbers that the moment has (`chance=0`) it is what
really comes; with others it is another future of the same visible past, and so the best that a
model can do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mirage_env import backends
from mirage_env.arena import Arenas
from mirage_env.rules import Rules, tuning
from mirage_env.simulator import Autoreset, Simulator, SimulatorConfig
from mirage_wm.predictors import Predictor
from mirage_wm.seeds import HELD_OUT

__all__ = [
    "PAST",
    "SIZE",
    "Contestant",
    "Dreamer",
    "Game",
    "Shown",
    "Starts",
    "along",
    "draw",
    "new_game",
    "parts",
]

FOREVER = 2**31 - 1
SIZE = 64
PAST = 4
"""Frames of the game that a dream begins with."""
SPREAD = 0x1E3779B97F4A7C15
"""Seeds of other branches lie so far from each other."""


class Starts(NamedTuple):
    """n moments of the game.

    Attributes:
        arenas: Records [n] of the hidden states, at the last frame.
        frames: uint8 [n, PAST, 64, 64, 3] (or more), the oldest first.
        actions: int64 [n, PAST - 1], one less than frames; the last led to the last frame.
    """

    arenas: Arenas
    frames: NDArray[np.uint8]
    actions: NDArray[np.int64]

    def __getitem__(self, rows: Any) -> Starts:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return some of the moments."""
        return Starts(self.arenas[rows], self.frames[rows], self.actions[rows])

    @classmethod
    def of(cls, history: Arenas, actions: NDArray[Any], rules: Rules) -> Starts:
        """Return the moments with these histories, drawn.

        Args:
            history: Records [PAST, n], the oldest first.
            actions: [n, PAST - 1].
            rules: That they were played by.
        """
        frames = np.stack([draw(states, rules) for states in history], axis=1)
        return cls(history[-1].copy(), frames, actions.astype(np.int64))


class Shown(NamedTuple):
    """What a contestant shows after a step, for n worlds.

    Attributes:
        frames: uint8 [n, 64, 64, 3], where the contestant computes.
        rewards: Whole numbers [n].
        terminated: bool [n].
    """

    frames: Tensor
    rewards: NDArray[Any]
    terminated: NDArray[np.bool_]


class Contestant(Protocol):
    """Worlds that begin from starts and are stepped with keys.

    Attributes:
        device: Where its pictures are.
    """

    device: torch.device

    def begin(self, starts: Starts) -> None:
        """Begin one world from each start."""
        ...

    def wake(self, rows: NDArray[np.intp], starts: Starts) -> None:
        """Let some of the worlds begin anew from other starts."""
        ...

    def step(self, actions: NDArray[Any]) -> Shown:
        """Step all worlds by their actions [n]. Endings change nothing: worlds go on."""
        ...


class Dreamer:
    """Dreams of a model. They go on whatever the model says of endings."""

    def __init__(
        self,
        predictor: Predictor,
        pad: int = 1,
        progress: Callable[[int], object] | None = None,
    ) -> None:
        """Make a dreamer.

        Args:
            predictor: Runs the model.
            pad: Predict a multiple of so many dreams together, those too many for nothing: a GPU
                records a graph for each size.
            progress: Is called with the number of frames after each step.

        Raises:
            ValueError: If the model sees more than `PAST` frames.
        """
        if predictor.context > PAST:
            raise ValueError(
                f"{predictor.card.name} sees {predictor.context} frames, and dreams are evaluated "
                f"from {PAST}"
            )
        self.predictor, self.pad = predictor, pad
        self.device = torch.device(getattr(predictor, "device", "cpu"))
        self._progress = progress or (lambda frames: None)
        self._seen: Any = None
        self._actions = np.zeros((0, 0), np.int64)
        self._count = 0

    def begin(self, starts: Starts) -> None:
        """See `Contestant.begin`."""
        self._count = len(starts.arenas)
        rows = np.arange(-(-self._count // self.pad) * self.pad) % self._count
        frames, self._actions = self._past(starts[rows])
        self._seen = self.predictor.take(frames)

    def wake(self, rows: NDArray[np.intp], starts: Starts) -> None:
        """See `Contestant.wake`."""
        frames, self._actions[rows] = self._past(starts)
        self._seen[rows] = self.predictor.take(frames)

    def step(self, actions: NDArray[Any]) -> Shown:
        """See `Contestant.step`."""
        n = self._count
        keys = np.zeros((len(self._actions), self.predictor.context), np.int64)
        keys[:, :-1], keys[:n, -1] = self._actions, actions
        frames, rewards, terminated = self.predictor.predict(self._seen, keys)
        self._seen, self._actions = self.predictor.append(self._seen, frames), keys[:, 1:]
        self._progress(n)
        return Shown(torch.as_tensor(frames)[:n], rewards[:n], terminated[:n])

    def _past(self, starts: Starts) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        context = self.predictor.context
        frames = np.ascontiguousarray(starts.frames[:, -context:])
        return frames, starts.actions[:, starts.actions.shape[1] - context + 1 :].copy()


class Game:
    """The game itself, from the hidden states of the starts.

    Attributes:
        simulator: Of the worlds that were begun last.
    """

    simulator: Simulator

    def __init__(self, rules: Rules, chance: int = 0, device: torch.device | str = "cpu") -> None:
        """Make the game.

        Args:
            rules: It is played by.
            chance: Which random numbers; 0 takes those of the starts themselves.
            device: Where its pictures go to.
        """
        self.rules, self.chance, self.device = rules, chance, torch.device(device)
        self._frames = np.zeros((0, SIZE, SIZE, 3), np.uint8)

    def begin(self, starts: Starts) -> None:
        """See `Contestant.begin`."""
        n = len(starts.arenas)
        if n != len(self._frames):
            self.simulator = new_game(n, self.rules)
            self._frames = np.zeros((n, SIZE, SIZE, 3), np.uint8)
        self.wake(np.arange(n), starts)

    def wake(self, rows: NDArray[np.intp], starts: Starts) -> None:
        """See `Contestant.wake`."""
        arenas = starts.arenas.copy()
        if self.chance:
            shift = np.uint64(self.chance * SPREAD % HELD_OUT)
            arenas["seed"] = (arenas["seed"] + shift) % np.uint64(HELD_OUT) + np.uint64(HELD_OUT)
        self.simulator.arenas[rows] = arenas

    def step(self, actions: NDArray[Any]) -> Shown:
        """See `Contestant.step`. An arena that has ended stands still."""
        self.simulator.step(actions.astype(np.int32), self._frames)
        frames = torch.from_numpy(self._frames.copy()).to(self.device)
        return Shown(frames, self.simulator.reward.copy(), self.simulator.terminated.copy())


def along(contestant: Contestant, starts: Starts, actions: NDArray[Any]) -> Iterator[Shown]:
    """Begin from the starts and yield what is shown after each step, by actions [n, steps]."""
    contestant.begin(starts)
    for t in range(actions.shape[1]):
        yield contestant.step(actions[:, t])


def parts(n: int, size: int) -> Iterator[slice]:
    """Yield slices of `size` that together are 0 to n."""
    for first in range(0, n, size):
        yield slice(first, min(first + size, n))


def new_game(num_envs: int, rules: Rules, autoreset: Autoreset = Autoreset.DISABLED) -> Simulator:
    """Return the fastest simulator there is, without a limit of time."""
    return backends.make(
        "auto",
        SimulatorConfig(
            tuning=np.tile(np.array(tuning(rules), np.int32), (num_envs, 1)),
            max_ticks=FOREVER,
            autoreset=autoreset,
        ),
    )


def draw(arenas: Arenas, rules: Rules) -> NDArray[np.uint8]:
    """Return the pictures of some states, uint8 [n, 64, 64, 3]."""
    simulator = new_game(len(arenas), rules)
    simulator.arenas[:] = arenas
    pictures = simulator.render(SIZE)
    simulator.close()
    return pictures
