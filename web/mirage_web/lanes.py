"""Worlds of one kind, stepped together for whoever plays: moments go in, the next moments come out.

A `Moment` is all there is to know of one world at a step. Lanes hold no player's world between two
calls, so players come, go, pause, and go back in time without anything being moved: who plays is
who is passed in. What a player sees does not depend on who else is.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from mirage_env import backends
from mirage_env.arena import ARENA_DTYPE
from mirage_env.rules import Rules, tuning
from mirage_env.runs import MAX_STEPS
from mirage_env.simulator import Autoreset, Simulator, SimulatorConfig
from mirage_env.world import World
from mirage_web.wire import EDGE
from mirage_wm.dream import Dream, DreamState
from mirage_wm.predictors import Predictor

__all__ = ["OPENING", "DreamLanes", "GameLanes", "Lanes", "Moment", "Pictures"]

OPENING = 4
"""Frames that a game begins with where no model says how many it needs."""

SIZES = 4
"""Worlds are kept for so many different numbers of players: the number seldom changes."""

Pictures = NDArray[np.uint8]
"""uint8 [n, 64, 64, 3]."""

REST = tuple(field.name for field in fields(DreamState) if field.name != "frames")
"""What there is in a dream's state beside the frames."""
NO_FRAMES = np.zeros((1, 0), np.uint8)

W = TypeVar("W", bound=World)


@dataclass(frozen=True, slots=True)
class Moment:
    """One world at a step.

    Attributes:
        state: What its lanes need to go on from it; nothing changes it.
        reward: Of this step.
        score: Of the episode.
        ended: 1 terminated, 2 truncated, 3 both, 0 neither. A world that has ended stands still.
        lives: Left, or None in a world that does not count them.
        wave: Its number, or None.
    """

    state: Any
    reward: int
    score: int
    ended: int
    lives: int | None = None
    wave: int | None = None

    def still(self) -> Moment:
        """Return the next moment of a world that has ended."""
        return replace(self, reward=0)


class Lanes(ABC, Generic[W]):
    """Steps any number of worlds of one kind in one call.

    Attributes:
        opening: Frames that an episode begins with, before the first action.
    """

    def __init__(self, opening: int) -> None:
        """Make worlds when they are needed, by `_make`."""
        self.opening = opening
        self._of_thread = threading.local()

    @abstractmethod
    def begin(self, seed: int) -> list[Moment]:
        """Return the moments of an opening, in which no key is pressed; the last is step 0.

        A dream has none before step 0: its opening is the game's.
        """

    def step(self, moments: Sequence[Moment], actions: Sequence[int]) -> list[Moment]:
        """Return the moments one tick later; none of those given has ended."""
        world = self._worlds(len(moments))
        everywhere = np.arange(len(moments))
        world.restore(self._join(moments), everywhere)
        world.step(np.array(actions, np.int32))
        return self._moments(world, moments)

    @abstractmethod
    def pictures(self, moments: Sequence[Moment]) -> Pictures:
        """Return what moments look like."""

    def _worlds(self, num_envs: int) -> W:
        """Return so many worlds that no other thread steps."""
        own = self._of_thread
        if not hasattr(own, "worlds"):
            own.worlds = lru_cache(maxsize=SIZES)(self._make)
        return own.worlds(num_envs)

    @abstractmethod
    def _make(self, num_envs: int) -> W:
        """Return so many worlds; they stand still when they have ended."""

    @abstractmethod
    def _join(self, moments: Sequence[Moment]) -> Any:
        """Return a snapshot, as `World.restore` takes it, of moments."""

    @abstractmethod
    def _moments(self, world: W, before: Sequence[Moment] = ()) -> list[Moment]:
        """Return the moment that each of the worlds is in, a step after those `before` if given."""


class GameLanes(Lanes[Simulator]):
    """The game. A moment's state is its arena as 640 bytes, drawn when a picture is asked for."""

    def __init__(self, opening: int = OPENING, backend: str = "auto") -> None:
        """Choose the simulator.

        Args:
            opening: Frames that an episode begins with.
            backend: Name of a simulator, see `mirage_env.backends`.
        """
        super().__init__(opening)
        self._backend = backend
        self._tuning = np.array(tuning(Rules()), np.int32)

    def begin(self, seed: int) -> list[Moment]:
        """See `Lanes.begin`."""
        simulator = self._worlds(1)
        simulator.reset(np.array([seed], np.uint64))
        moments = self._moments(simulator)
        for _ in range(self.opening - 1):
            moments += self.step(moments[-1:], [0])
        return moments

    def pictures(self, moments: Sequence[Moment]) -> Pictures:
        """See `Lanes.pictures`."""
        simulator = self._worlds(len(moments))
        simulator.restore(self._join(moments), np.arange(len(moments)))
        return simulator.render(EDGE)

    def _make(self, num_envs: int) -> Simulator:
        config = SimulatorConfig(
            np.tile(self._tuning, (num_envs, 1)),
            max_ticks=self.opening - 1 + MAX_STEPS,
            autoreset=Autoreset.DISABLED,
            num_threads=1,  # A tick of all players takes less time than waking another thread.
        )
        return backends.make(self._backend, config)

    def _join(self, moments: Sequence[Moment]) -> Any:
        arenas = np.frombuffer(b"".join([moment.state for moment in moments]), ARENA_DTYPE)
        return arenas, np.tile(self._tuning, (len(moments), 1))

    def _moments(self, world: Simulator, before: Sequence[Moment] = ()) -> list[Moment]:
        arenas = world.arenas
        told = [arenas[name].tolist() for name in ("score", "ended", "lives", "wave")]
        rows = zip(world.reward.tolist(), *told, strict=True)
        return [Moment(arenas[i].tobytes(), *row) for i, row in enumerate(rows)]


class Asleep(NamedTuple):
    """The state of a dream: the frames it sees, the oldest first, and everything else.

    Each frame is one array, shared with the moments before and after that see it too: a player's
    last ten seconds of dreaming take 4 MB, not 15.
    """

    frames: tuple[NDArray[np.uint8], ...]
    rest: DreamState


class DreamLanes(Lanes[Dream]):
    """Dreams of one model.

    Attributes:
        predictor: The model.
    """

    def __init__(self, predictor: Predictor, batch: int | None = 1) -> None:
        """Dream with a model.

        Args:
            predictor: The model.
            batch: Evaluate exactly so many at a time, filled up where there are fewer: on a GPU the
                sums in a model come out a little differently for another number, and a player's
                dream would depend on how many others are dreaming. None evaluates as many as there
                are, for a predictor to which their number makes no difference.
        """
        super().__init__(predictor.context)
        self.predictor, self._batch = predictor, batch

    def begin(self, seed: int) -> list[Moment]:
        """See `Lanes.begin`."""
        dream = self._worlds(1)
        dream.reset(np.array([seed], np.uint64))
        return self._moments(dream)

    def step(self, moments: Sequence[Moment], actions: Sequence[int]) -> list[Moment]:
        """See `Lanes.step`."""
        if self._batch is None:
            return super().step(moments, actions)
        following: list[Moment] = []
        for i in range(0, len(moments), self._batch):
            part, keys = moments[i : i + self._batch], actions[i : i + self._batch]
            empty = self._batch - len(part)
            filled = super().step([*part, *[part[0]] * empty], [*keys, *[0] * empty])
            following += filled[: len(part)]
        return following

    def pictures(self, moments: Sequence[Moment]) -> Pictures:
        """See `Lanes.pictures`."""
        return np.stack([moment.state.frames[-1] for moment in moments])

    def wake(self, moment: Moment, pictures: Pictures, actions: Sequence[int]) -> Moment:
        """Return a dream that goes on from other frames.

        Args:
            moment: The dream; its score and time stay.
            pictures: As many as `opening`, the oldest first.
            actions: That led to all of them but the first.
        """
        state = replace(
            moment.state.rest,
            actions=np.array([actions], np.int64),
            ended=np.zeros(1, np.uint8),
        )
        return replace(moment, state=Asleep(tuple(pictures.copy()), state), reward=0, ended=0)

    def _make(self, num_envs: int) -> Dream:
        return Dream(num_envs, self.predictor, max_ticks=MAX_STEPS, autoreset=Autoreset.DISABLED)

    def _join(self, moments: Sequence[Moment]) -> DreamState:
        rests = [moment.state.rest for moment in moments]
        joined = {name: np.concatenate([getattr(rest, name) for rest in rests]) for name in REST}
        frames = np.stack([frame for moment in moments for frame in moment.state.frames])
        return DreamState(frames=frames.reshape(len(moments), -1, *frames.shape[1:]), **joined)

    def _moments(self, world: Dream, before: Sequence[Moment] = ()) -> list[Moment]:
        everything = world.snapshot(np.arange(world.num_envs))
        rests = {name: getattr(everything, name) for name in REST}
        moments = []
        for i, (frames, reward) in enumerate(
            zip(everything.frames, world.reward.tolist(), strict=True)
        ):
            rest = DreamState(NO_FRAMES, **{name: rests[name][i : i + 1] for name in REST})
            seen = before[i].state.frames[1:] if before else tuple(map(np.copy, frames[:-1]))
            state = Asleep((*seen, frames[-1].copy()), rest)
            moments.append(Moment(state, reward, int(rest.score[0]), int(rest.ended[0])))
        return moments
