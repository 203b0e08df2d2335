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
import torch
from torch import Tensor

from mirage_env.agent import Agent
from mirage_env.arena import ARENA_DTYPE
from mirage_env.rules import Rules, constants
from mirage_wm.behaviours import Behaviours, Draws
from mirage_wm.fields import Fields
from mirage_wm.rewards import REWARDS
from mirage_wm.seeds import arena_seeds
from mirage_wm.simulators import make_simulator
from mirage_wm.trained_player import TrainedPlayer

__all__ = ["Chunk", "Event", "Recorder", "play_in_one_thread"]


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
    SHIELD = 16
    """A shield came, with a new ship, or went, or a rock is within it."""
    WAVE = 32
    """A wave was announced."""
    BEGIN = 64
    """An episode began."""
    END = 128
    """The episode was over."""


_HITS = {20: 1, 40: 1, 50: 2, 70: 3, 100: 4, 120: 5, 150: 6, 200: 4}
_C = constants()
_SHIELD_REACH = [0, *(reach + _C.SHIELD_RADIUS[1] for reach in _C.ROCK_REACH[1:])]
"""How near a rock of each size is to the ship when it meets the widest shield, 1/1024 unit; nothing
is within 0."""
_EVENTS_OF_REWARD = torch.tensor([_HITS.get(reward, 0) for reward in REWARDS], dtype=torch.uint8)


@dataclass
class Chunk:
    """T steps of N arenas, time first; arrays of numpy, or tensors of a device.

    Attributes:
        frames: uint8 [T, N, 64, 64, 3].
        actions: uint8 [T, N]; actions[t] leads from frames[t] to frames[t+1] (the last row is
            unused).
        rewards: uint8 [T, N], the class of the reward that came with frames[t].
        terminated: bool [T, N], came with frames[t].
        begun: bool [T, N], frames[t] does not follow from frames[t-1].
        events: uint8 [T, N], `Event`s on the way to frames[t].
    """

    frames: Any
    actions: Any
    rewards: Any
    terminated: Any
    begun: Any
    events: Any

    @classmethod
    def empty(cls, steps: int, arenas: int) -> Chunk:
        """Allocate a chunk of numpy's arrays."""
        rows = (np.zeros((steps, arenas), t) for t in (np.uint8, np.uint8, bool, bool, np.uint8))
        return cls(np.empty((steps, arenas, 64, 64, 3), np.uint8), *rows)


def play_in_one_thread() -> None:
    """Let PyTorch compute in one thread on the CPU, where all large tensors are on a GPU.

    Play is of small tensors: on 32 cores threads that wait for one another made it ten times
    slower.
    """
    torch.set_num_threads(1)


class Recorder:
    """Plays in a simulator and records chunks; what it records is decided by its seed alone.

    The simulator is one of the host, or one whose results stay on a device: then so do the chunks,
    and nothing waits for it.
    """

    LATER = 0.7
    """Share of the episodes that begin at a later wave, with one to three lives."""

    THIN = 1 / 250
    """In training, the chance a tick that all rocks of an arena but one are taken away and that one
    is small: soon it is shot and the next wave is announced, which is rare in play and hard to
    learn, since nobody can know where."""

    LATE = 6
    """In training these begin with up to so many ticks without a rock. The game has no such moment;
    a dream whose next wave did not come at once is in one, and has to know the way out."""

    GONE, BACK = 1 / 500, 1 / 16
    """In training, the chance a tick that a ship is gone without a blast, and that it comes back
    then, as after one. In the game there is no such moment either: a dream in which the ship melted
    into a rock is in one, and never showed a ship again."""

    def __init__(
        self,
        num_envs: int,
        seed: int,
        purpose: Literal["training", "evaluation"] = "training",
        *,
        burn_in: int = 0,
        threads: int = 0,
        rules: Rules | None = None,
        agent: Agent | None = None,
        simulator: Callable[[int, int, Rules | None], Any] = make_simulator,
    ) -> None:
        """Begin an episode in every arena.

        Args:
            num_envs: Arenas.
            seed: Of the first arena; the others have the ones after it (see `mirage_wm.seeds`).
            purpose: What the films are for; the seeds must fit.
            burn_in: Ticks played before the first chunk, so that arenas are in different parts of
                an episode.
            threads: Of the simulator; 0 takes one for each core.
            rules: That are played; None for the standard ones.
            agent: One of the players; None for the scripted ones alone.
            simulator: Makes it, from the number of arenas, of threads and the rules.
        """
        seeds = arena_seeds(purpose, seed, num_envs)
        self._training = purpose == "training"
        self.simulator = simulator(num_envs, threads, rules)
        self.simulator.reset(seeds)
        self.device = getattr(self.simulator, "device", torch.device("cpu"))
        self.on_device = hasattr(self.simulator, "device")
        self.arenas = Fields(self.simulator.arenas)
        self.players = Behaviours(
            torch.from_numpy(seeds.view(np.int64)).to(self.device),
            TrainedPlayer(agent, self.simulator) if agent else None,
        )
        self._hits = _EVENTS_OF_REWARD.to(self.device)
        self._square_reach = torch.tensor(_SHIELD_REACH, device=self.device).float().square()
        classes = torch.tensor(REWARDS)
        self._edges = ((classes[:-1] + classes[1:]) / 2).to(self.device)
        everywhere = torch.ones(num_envs, dtype=torch.bool, device=self.device)
        self._begin_later(everywhere, self.players.draws())
        self._altered = everywhere
        for _ in range(burn_in):
            self._step(None)

    def record(self, chunk: Chunk) -> None:
        """Play `len(chunk.frames)` steps and write them down."""
        for t in range(len(chunk.frames)):
            before = {name: self.arenas[name].clone() for name in ("wave", "dying", "shield")}
            actions, begun = self._step(chunk.frames[t])
            if t:
                chunk.actions[t - 1] = self._given(actions)
            rewards = torch.bucketize(self._told("reward").float(), self._edges)
            terminated = self._told("terminated")
            events = self._events(before, begun, rewards, terminated)
            chunk.rewards[t], chunk.terminated[t] = self._given(rewards), self._given(terminated)
            chunk.begun[t], chunk.events[t] = self._given(begun), self._given(events)
        chunk.actions[-1] = 0

    def step(self, frames: Any) -> tuple[Any, Any]:
        """Step once, drawing into `frames` if they are given.

        Returns:
            The actions int64 [num_envs], and in which arenas what is seen does not follow from what
            was seen before, bool [num_envs]; of numpy, on a device tensors.
        """
        actions, begun = self._step(frames)
        return self._given(actions), self._given(begun)

    def snapshot(self) -> dict[str, Any]:
        """Return all that decides the chunks to come: tensors and numbers."""
        return {
            "arenas": self.arenas.records.clone(),
            "altered": self._altered.clone(),
            "players": self.players.state_dict(),
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go on from a `snapshot`: the same chunks follow."""
        self.arenas.records.copy_(snapshot["arenas"])
        self._altered = snapshot["altered"].to(self.device)
        self.players.load_state_dict(snapshot["players"])

    def _step(self, frames: Any) -> tuple[Tensor, Tensor]:
        draws = self.players.draws()
        actions = self.players.act(self.arenas, draws)
        self.simulator.step(actions if self.on_device else actions.int().numpy(), frames)
        begun = self._told("begun")
        seen_anew = begun | self._altered
        self._altered = self._begin_later(begun, draws)
        if self._training:
            self._altered = self._altered | self._thin_out(draws) | self._lose_ships(draws)
        return actions, seen_anew

    def _told(self, name: str) -> Tensor:
        """Return what the simulator said of its last step."""
        value = getattr(self.simulator, name)
        return value if self.on_device else torch.from_numpy(value)

    def _given(self, value: Tensor) -> Any:
        return value if self.on_device else value.numpy()

    def _begin_later(self, begun: Tensor, draws: Draws) -> Tensor:
        """Move some of the episodes that just began to a later wave; return which."""
        moved = begun & (draws.uniform() < self.LATER)
        # Without a rock the rules announce the next wave in the tick after the timer is over.
        for name in ARENA_DTYPE.names or ():
            if name.startswith("rock_"):
                self.arenas[name].masked_fill_(moved[:, None], 0)
        for name, value in (
            ("wave_timer", draws.below(self.LATE + 1 if self._training else 1)),
            ("wave", draws.below(6)),
            ("lives", draws.below(4, low=1)),
            ("ship_heading", draws.below(64)),
        ):
            field = self.arenas[name]
            field.copy_(torch.where(moved, value.to(field.dtype), field))
        return moved

    def _thin_out(self, draws: Draws) -> Tensor:
        """Take away all rocks but the first of some arenas; return which."""
        size = self.arenas["rock_size"]
        several = ((size > 0).sum(1) > 1) & (self.arenas["wave_timer"] == 0)
        thinned = several & (draws.uniform() < self.THIN)
        first = (size > 0) & ((size > 0).cumsum(1) == 1)
        size.copy_(torch.where(thinned[:, None] & first, 1, size))
        for name in ARENA_DTYPE.names or ():
            if name.startswith("rock_"):
                self.arenas[name].masked_fill_(thinned[:, None] & ~first, 0)
        return thinned

    def _lose_ships(self, draws: Draws) -> Tensor:
        """Let some ships be gone, and others that are come back; return which are gone now."""
        lives, dying = self.arenas["lives"], self.arenas["dying"]
        playing = (dying == 0) & (self.arenas["ended"] == 0) & (self.arenas["shield"] == 0)
        lost = playing & (lives > 0) & (draws.uniform() < self.GONE)
        back = playing & (lives == 0) & (draws.uniform() < self.BACK)
        lives.copy_(torch.where(back, draws.below(4, low=1).to(lives.dtype), lives))
        dying.masked_fill_(back, 1)  # in the next tick the blast is over
        for name in ("lives", "cooldown", "thrusting", "ship_vx", "ship_vy"):
            self.arenas[name].masked_fill_(lost, 0)
        self.arenas["ship_heading"].masked_fill_(lost, _C.HEADING_UP)
        return lost

    def _events(
        self, before: dict[str, Tensor], begun: Tensor, rewards: Tensor, terminated: Tensor
    ) -> Tensor:
        still, now = ~begun, self.arenas
        happened = {
            Event.DEATH: (before["dying"] == 0) & (now["dying"] > 0) & still,
            Event.SHIELD: self._shielded(before["shield"] > 0) & still,
            Event.WAVE: (before["wave"] != now["wave"]) & still,
            Event.BEGIN: begun,
            Event.END: terminated,
        }
        events = torch.where(still, self._hits[rewards], 0)
        for event, where in happened.items():
            events = events | where * event.value
        return events.to(torch.uint8)

    def _shielded(self, before: Tensor) -> Tensor:
        """Return where a shield came or went, or a rock is within it."""
        now = self.arenas["shield"] > 0
        places = ((self.arenas[f"rock_{axis}"], self.arenas[f"ship_{axis}"]) for axis in "xy")
        x, y = (((rock - ship[:, None]) >> 16).float() for rock, ship in places)
        within = x.square() + y.square() < self._square_reach[self.arenas["rock_size"].long()]
        return (before != now) | (now & within.any(1))
