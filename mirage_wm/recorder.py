"""Short films of the game, recorded from a simulator that plays on for ever.

A recorder drives one simulator with the players of `behaviours` and writes chunks: T steps of N
arenas. Arenas go on from chunk to chunk, so that they reach late waves; a share of the episodes
begins at a later wave and with fewer lives, so that these are not rare.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntFlag
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mirage_env import backends
from mirage_env.arena import ARENA_DTYPE
from mirage_env.rules import Rules, tuning
from mirage_env.simulator import Autoreset, Simulator, SimulatorConfig
from mirage_wm.behaviours import Behaviours
from mirage_wm.rewards import REWARDS, reward_class
from mirage_wm.seeds import arena_seeds

__all__ = ["Chunk", "Event", "Recorder", "make_simulator"]

FOREVER = 2**31 - 1
"""Ticks after which an episode is truncated: a limit is not in the picture: none is learned."""


class Event(IntFlag):
    """What happened on the way to a frame."""

    LARGE = 1
    """A large rock split."""
    MEDIUM = 2
    """A medium rock split."""
    SMALL = 4
    """A small rock was shot."""
    DEATH = 8
    """The ship was hit."""
    RETURN = 16
    """The ship came back."""
    WAVE = 32
    """A wave was announced."""
    BEGIN = 64
    """An episode began."""
    END = 128
    """The episode was over."""


_HITS = {20: 1, 40: 1, 50: 2, 70: 3, 100: 4, 120: 5, 150: 6, 200: 4}
_EVENTS_OF_REWARD = np.array([_HITS.get(reward, 0) for reward in REWARDS], np.uint8)


@dataclass
class Chunk:
    """T steps of N arenas, time first.

    Attributes:
        frames: uint8 [T, N, 64, 64, 3].
        actions: uint8 [T, N]; actions[t] leads from frames[t] to frames[t+1] (the last row is
            unused).
        rewards: uint8 [T, N], the class of the reward that came with frames[t].
        terminated: bool [T, N], came with frames[t].
        begun: bool [T, N], frames[t] does not follow from frames[t-1].
        events: uint8 [T, N], `Event`s on the way to frames[t].
    """

    frames: NDArray[np.uint8]
    actions: NDArray[np.uint8]
    rewards: NDArray[np.uint8]
    terminated: NDArray[np.bool_]
    begun: NDArray[np.bool_]
    events: NDArray[np.uint8]

    @classmethod
    def empty(cls, steps: int, arenas: int, frames: NDArray[np.uint8] | None = None) -> Chunk:
        """Allocate a chunk; `frames` may be given, such as pinned memory."""
        if frames is None:
            frames = np.empty((steps, arenas, 64, 64, 3), np.uint8)
        rows = (np.zeros((steps, arenas), t) for t in (np.uint8, np.uint8, bool, bool, np.uint8))
        return cls(frames, *rows)


def make_simulator(num_envs: int, threads: int = 0) -> Simulator:
    """Return the fastest simulator there is (never the oracle: training would crawl)."""
    config = SimulatorConfig(
        tuning=np.tile(np.array(tuning(Rules()), np.int32), (num_envs, 1)),
        max_ticks=FOREVER,
        autoreset=Autoreset.NEXT_STEP,
        num_threads=threads,
    )
    return backends.make("auto", config)


class Recorder:
    """Plays in a simulator and records chunks; what it records is decided by its seed alone."""

    LATER = 0.7
    """Share of the episodes that begin at a later wave, with one to three lives."""

    def __init__(
        self,
        num_envs: int,
        seed: int,
        purpose: Literal["training", "evaluation"] = "training",
        *,
        burn_in: int = 0,
        threads: int = 0,
        simulator: Callable[[int, int], Simulator] = make_simulator,
    ) -> None:
        """Begin an episode in every arena.

        Args:
            num_envs: Arenas.
            seed: Of the first arena; the others have the ones after it (see `mirage_wm.seeds`).
            purpose: What the films are for; the seeds must fit.
            burn_in: Ticks played before the first chunk, so that arenas are in different parts of
                an episode.
            threads: Of the simulator; 0 takes one for each core.
            simulator: Makes it, from the number of arenas and of threads.
        """
        seeds = arena_seeds(purpose, seed, num_envs)
        self.simulator = simulator(num_envs, threads)
        self.simulator.reset(seeds)
        self.players = Behaviours(num_envs, seed)
        everywhere = np.ones(num_envs, bool)
        self._begin_later(everywhere)
        self._altered = everywhere
        for _ in range(burn_in):
            self.step(None)

    def record(self, chunk: Chunk) -> None:
        """Play `len(chunk.frames)` steps and write them down."""
        for t in range(len(chunk.frames)):
            wave, dying = self.simulator.arenas["wave"].copy(), self.simulator.arenas["dying"] > 0
            actions, begun = self.step(chunk.frames[t])
            if t:
                chunk.actions[t - 1] = actions
            chunk.rewards[t] = reward_class(self.simulator.reward)
            chunk.terminated[t] = self.simulator.terminated
            chunk.begun[t] = begun
            chunk.events[t] = self._events(wave, dying, begun, chunk.rewards[t])
        chunk.actions[-1] = 0

    def snapshot(self) -> dict[str, Any]:
        """Return all that decides the chunks to come: arrays of numbers and strings."""
        return {
            "arenas": self.simulator.arenas.view(np.uint8)
            .reshape(self.simulator.num_envs, -1)
            .copy(),
            "altered": self._altered.copy(),
            "players": self.players.state_dict(),
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go on from a `snapshot`: the same chunks follow."""
        self.simulator.arenas[:] = np.asarray(snapshot["arenas"]).view(ARENA_DTYPE)[:, 0]
        self._altered = np.asarray(snapshot["altered"]).copy()
        self.players.load_state_dict(snapshot["players"])

    def step(self, frames: NDArray[np.uint8] | None) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Step once; return the actions, and whose frames do not follow from their last ones."""
        actions = self.players.act(self.simulator.arenas)
        self.simulator.step(actions, frames)
        begun = self.simulator.begun | self._altered
        self._altered = self._begin_later(self.simulator.begun)
        return actions, begun

    def _begin_later(self, begun: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Move some of the episodes that just began to a later wave; return which."""
        moved = np.zeros(len(begun), bool)
        indices = np.flatnonzero(begun)
        if len(indices):
            indices = indices[self.players.rng.random(len(indices)) < self.LATER]
            moved[indices] = True
            arenas, count = self.simulator.arenas, len(indices)
            # Without a rock and with no wave on its way, the rules announce the next wave in the
            # next tick.
            for name in ARENA_DTYPE.names or ():
                if name.startswith("rock_"):
                    arenas[name][indices] = 0
            arenas["wave_timer"][indices] = 0
            arenas["wave"][indices] = self.players.rng.integers(0, 6, count)
            arenas["lives"][indices] = self.players.rng.integers(1, 4, count)
            arenas["ship_heading"][indices] = self.players.rng.integers(0, 64, count)
        return moved

    def _events(
        self,
        wave: NDArray[np.uint32],
        dying: NDArray[np.bool_],
        begun: NDArray[np.bool_],
        rewards: NDArray[np.uint8],
    ) -> NDArray[np.uint8]:
        after, terminated = self.simulator.arenas, self.simulator.terminated
        still = ~begun
        happened = {
            Event.DEATH: ~dying & (after["dying"] > 0) & still,
            Event.RETURN: dying & (after["dying"] == 0) & ~terminated & still,
            Event.WAVE: (wave != after["wave"]) & still,
            Event.BEGIN: begun,
            Event.END: terminated,
        }
        events = np.where(still, _EVENTS_OF_REWARD[rewards], np.uint8(0))
        for event, where in happened.items():
            events[where] |= np.uint8(event)
        return events
