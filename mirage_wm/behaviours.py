"""Who presses the keys while a model learns: a mixture of simple players.

A model knows only what it has seen. Random keys alone hardly turn and seldom hit; good players
alone never show what a collision looks like. So every arena has one of the players below at a time
and changes it now and then, and every player sometimes slips. They read the simulator's states, all
arenas at once, on the device where these are. One of them may be an agent that learned to play
(`mirage_wm.trained_player`). What an arena's players do is decided by its seed: it does not depend
on the other arenas.
"""

from __future__ import annotations

from enum import IntEnum
from itertools import accumulate, count
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mirage_env.rules import UNIT
from mirage_wm.fields import Fields
from mirage_wm.noise import stream_keys, uniform
from mirage_wm.trained_player import TrainedPlayer

__all__ = ["Behaviour", "Behaviours", "aimed_actions"]


class Behaviour(IntEnum):
    """The players."""

    STICKY = 0
    """Presses random keys, each for a while."""
    HUNTER = 1
    """Turns to where the nearest rock will be and shoots."""
    CAREFUL = 2
    """Hunts, and runs from rocks that come too near: reaches the later waves."""
    FLEEING = 3
    """Turns away from the rocks and thrusts."""
    IDLE = 4
    """Does nothing."""
    AGENT = 5
    """Learned to play. Where no agent is given the careful play in its place."""


SHARES = {
    Behaviour.STICKY: 0.30,
    Behaviour.HUNTER: 0.20,
    Behaviour.CAREFUL: 0.17,
    Behaviour.AGENT: 0.15,
    Behaviour.FLEEING: 0.12,
    Behaviour.IDLE: 0.06,
}
"""How often each is chosen."""

SWITCH = 1 / 200
"""Chance a tick that an arena gets another player."""
RELEASE = 1 / 8
"""Chance a tick that random keys change."""
SLIP = 1 / 25
"""Chance a tick that a player presses random keys instead."""
BULLET_SPEED = 1.6
"""Of a bullet seen from the ship, units a tick, for aiming."""
DANGER = 13.0
"""Distance in units at which a rock frightens the careful."""


class Draws:
    """The random numbers of a tick: each use of it is a site, in the order of the program."""

    def __init__(self, keys: Tensor) -> None:
        self._keys, self._sites = keys, count()

    def uniform(self) -> Tensor:
        """Return numbers from 0 to 1, float32 [n], others at each call."""
        return uniform(self._keys, next(self._sites), torch)

    def below(self, n: int, low: int = 0) -> Tensor:
        """Return whole numbers from `low` to n - 1, int64 [n]."""
        return (low + self.uniform() * (n - low)).long().clamp_(max=n - 1)


class Behaviours:
    """The players of the arenas with some seeds.

    Example:
        >>> from mirage_env.arena import ARENA_DTYPE
        >>> players = Behaviours(torch.tensor([1, 2]))
        >>> players.act(Fields(np.zeros(2, ARENA_DTYPE))).shape
        torch.Size([2])
    """

    ROWS = ("kind", "keys", "held")
    """What is remembered of each arena: its player, the random keys, what the agent holds."""

    def __init__(self, seeds: Tensor, agent: TrainedPlayer | None = None) -> None:
        """Give each arena a player.

        Args:
            seeds: int64 [n], on the device of the arenas.
            agent: Who plays as `Behaviour.AGENT`, in the simulator of the arenas.
        """
        self.seeds, self.tick, self.agent = seeds, 0, agent
        stand_in = {} if agent else {Behaviour.AGENT: Behaviour.CAREFUL}
        self._kinds = torch.tensor([stand_in.get(k, k) for k in SHARES], device=seeds.device)
        self._edges = torch.tensor(list(accumulate(SHARES.values()))[:-1], device=seeds.device)
        self.held = torch.zeros_like(seeds)
        draws = self.draws()
        self.kind, self.keys = self._chosen(draws), self._random_keys(draws)

    def draws(self) -> Draws:
        """Return the random numbers of the next tick."""
        self.tick += 1
        tick = torch.full_like(self.seeds, self.tick)
        return Draws(stream_keys(self.seeds, torch.zeros_like(tick), tick))

    def act(self, arenas: Fields, draws: Draws | None = None) -> Tensor:
        """Return the actions int64 [n] for the arenas as they are."""
        draws = draws or self.draws()
        self.kind = torch.where(draws.uniform() < SWITCH, self._chosen(draws), self.kind)
        self.keys = torch.where(draws.uniform() < RELEASE, self._random_keys(draws), self.keys)
        aimed = aimed_actions(arenas, self.kind)
        pressed = torch.where(self.kind == Behaviour.STICKY, self.keys, aimed)
        pressed = torch.where(self.kind == Behaviour.IDLE, 0, pressed)
        if self.agent:
            playing, chance = self.kind == Behaviour.AGENT, draws.uniform()
            if self.tick % self.agent.frame_skip == 0:
                self.held = self.agent.act(playing, chance)
            pressed = torch.where(playing, self.held, pressed)
        return torch.where(draws.uniform() < SLIP, self.keys, pressed)

    def state_dict(self) -> dict[str, Any]:
        """Return all that decides the actions to come."""
        rows = {name: getattr(self, name).clone() for name in self.ROWS}
        return {**rows, "tick": self.tick}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a `state_dict`."""
        for name in self.ROWS:
            setattr(self, name, state[name].to(self.seeds.device))
        self.tick = state["tick"]

    def _chosen(self, draws: Draws) -> Tensor:
        return self._kinds[(draws.uniform()[:, None] >= self._edges).sum(1)]

    def _random_keys(self, draws: Draws) -> Tensor:
        turn, thrust, fire = draws.below(3), draws.uniform() < 0.35, draws.uniform() < 0.45
        return turn * 4 + thrust * 2 + fire


def aimed_actions(arenas: Fields, kind: Tensor) -> Tensor:
    """Return what players of `kind` HUNTER, CAREFUL or FLEEING press, int64 [n]."""
    # [n, 24] offsets from the ship to each rock, the short way around the torus, and relative
    # velocities; in units.
    dx = _units(arenas["rock_x"] - arenas["ship_x"][:, None])
    dy = _units(arenas["rock_y"] - arenas["ship_y"][:, None])
    vx = _units(arenas["rock_vx"] - arenas["ship_vx"][:, None])
    vy = _units(arenas["rock_vy"] - arenas["ship_vy"][:, None])
    size = arenas["rock_size"]
    distance = torch.where(size == 0, 1e3, (dx * dx + dy * dy).sqrt() - 2 * size)

    nearest = distance.argmin(1, keepdim=True)
    near, x, y, vx, vy = (a.gather(1, nearest)[:, 0] for a in (distance, dx, dy, vx, vy))
    flight = near.clip(0, 60) / BULLET_SPEED
    aim = _heading(x + vx * flight, y + vy * flight)
    push = distance.clip(min=1) ** -2
    away = _heading(-(dx * push).sum(1), -(dy * push).sum(1))

    solid = arenas["wave_timer"] == 0
    fleeing = kind == Behaviour.FLEEING
    afraid = fleeing | (
        (kind == Behaviour.CAREFUL) & (near < DANGER) & (arenas["shield"] < 8) & solid
    )
    heading = arenas["ship_heading"].float()
    off = (torch.where(afraid, away, aim) - heading + 32) % 64 - 32
    turn = torch.where(off > 1.5, 1, torch.where(off < -1.5, 2, 0))
    thrust = torch.where(afraid, off.abs() < 10, (off.abs() < 5) & (near > 30))
    # The careful go on shooting at what is before them while they run.
    aimed = ((aim - heading + 32) % 64 - 32).abs() < 2.5
    fire = aimed & (near < 38) & (~fleeing | (near < 8))
    return turn * 4 + thrust * 2 + fire


def _units(difference: Tensor) -> Tensor:
    """Return a wrapped difference, int32, in units, -32 to 32."""
    return difference.float() / UNIT


def _heading(x: Tensor, y: Tensor) -> Tensor:
    """Return the heading (0 to 64, counter-clockwise as seen, y down) of a direction."""
    return torch.atan2(-y, x) * (32 / np.pi)
