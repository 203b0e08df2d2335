"""What a contestant shows of n scenes, beside the game, and what can be asked of it.

Where to look is known from the scene: as no chance is in it (bar the new wave), the game itself
says where each object has to be. What is there is read off the pictures alone, with the tolerances
below: a dream may be a pixel off and a little blurred, but what has to be there must be, and
nothing else may.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mirage_env.arena import Arenas
from mirage_env.rules import UNIT, Rules
from mirage_wm.evaluation import objects
from mirage_wm.evaluation.worlds import draw

__all__ = ["OFF", "ROCK_AREA", "SHIP", "SHIP_OFF", "SPECKS", "Film", "Moment"]

R = Rules()

ROCK_AREA = np.array([0.0, 12.5, 35.0, 95.5])
"""Of a rock by its size, pixels, as the game draws them where nothing overlaps."""

MOST = 0.6
"""So much of an object's area must be there."""
SHIP = 0.5
"""The ship's is small, and the gun's light and the shield cover some of it."""
OFF = 2.0
"""So far off may a rock or a coasting ship be, pixels."""
SHIP_OFF = 1.25
"""So far off may a ship be after it has accelerated for half a second, pixels."""
SPECKS = 3
"""So many pixels may be lit where nothing is."""
LIT = 50
"""What a speck has at least, of 255."""
HEADING_OFF = 1
"""So far off may the heading be; a tick of turning is 3, a full turn 64."""


@dataclass
class Film:
    """What a contestant showed of n scenes, and what the game did.

    Attributes:
        frames: uint8 [1 + ticks, n, 64, 64, 3]; frames[0] is the last of the past.
        truth: Records [1 + ticks, n]: the states of the game at these frames.
        true_frames: Its pictures, on the same device.
        rules: Of the game.
    """

    frames: Tensor
    truth: Arenas
    true_frames: Tensor
    rules: Rules = R

    def at(self, ticks: Any) -> Moment:
        """Return the moment at a frame, one for all or [n]."""
        n = self.truth.shape[1]
        ticks = np.broadcast_to(np.asarray(ticks), n)
        where = torch.as_tensor(ticks.copy()), torch.arange(n)
        return Moment(self.frames[where], self.truth[ticks, np.arange(n)], self.true_frames[where])

    @property
    def device(self) -> torch.device:
        """Where the frames are."""
        return self.frames.device

    @property
    def last(self) -> Moment:
        """The last moment."""
        return self.at(len(self.frames) - 1)

    def first(self, happened: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Return the first frame at which something [1 + ticks, n] is so."""
        return happened.argmax(0)


@dataclass
class Moment:
    """One frame of each of n scenes: shown, and as it is in the game."""

    frames: Tensor
    truth: Arenas
    true_frames: Tensor

    def place(self, name: str, slot: int | None = None) -> NDArray[np.float64]:
        """Return where the ship, or a rock or bullet of a slot, has to be, [2, n] in pixels."""
        raw = (self.truth[f"{name}_{axis}"] for axis in "xy")
        return np.stack([a if slot is None else a[:, slot] for a in raw]) / UNIT

    def rock_colours(self) -> NDArray[np.int64]:
        """Return the colours of the wave."""
        return objects.colours_of(self.truth, "rock")

    def extra(self) -> Tensor:
        """Return how many pixels are lit far from all that is lit in the game, [n]."""
        real = objects.grown(objects.brightness(self.true_frames) >= 30, 3)
        return ((objects.brightness(self.frames) >= LIT) & ~real).sum((1, 2))

    def rock_at(self, slot: int) -> Tensor:
        """Return whether the rock of a slot is where it has to be, and of its size, bool [n]."""
        size, place = self.truth["rock_size"][:, slot], self.place("rock", slot)
        reach = np.array([0.0, *R.rock_radius])[size] + OFF
        stone = objects.alike(self.frames, self.rock_colours())
        here = stone & objects.within(place, reach, stone.device)
        area = here.sum((1, 2))
        wanted = torch.as_tensor(ROCK_AREA[size], device=area.device)
        off = objects.centre(here, place).norm(dim=0)
        return (area >= MOST * wanted) & (area <= wanted / MOST) & (off <= OFF)

    def rock_pixels_elsewhere(self, slots: tuple[int, ...]) -> Tensor:
        """Return how many pixels have the hue of the wave, away from the rocks of some slots."""
        stone = objects.alike(self.frames, self.rock_colours())
        for slot in slots:
            reach = np.array([0.0, *R.rock_radius])[self.truth["rock_size"][:, slot]] + OFF + 1
            stone &= ~objects.within(self.place("rock", slot), reach, stone.device)
        return (stone & ~self._near_ship(7)).sum((1, 2))

    def hull(self) -> Tensor:
        """Return the share of the hull that is there, near where it has to be, [n]."""
        return self._share_near_ship(objects.colours_of(self.truth, "ship"), 4)

    def hull_off(self) -> Tensor:
        """Return how far the hull is from where the game shows it, in pixels, [n]."""
        colours = objects.colours_of(self.truth, "ship")
        near = self._near_ship(5)
        shown, real = (
            objects.centre(objects.alike(f, colours) & near, self.place("ship"))
            for f in (self.frames, self.true_frames)
        )
        return (shown - real).norm(dim=0)

    def near_ship(self, colours: Any, radius: float = 6.0) -> Tensor:
        """Return how many pixels near the ship have the hues of colours [n, 3] (or [3]), [n]."""
        colours = np.broadcast_to(np.asarray(colours), (len(self.truth), 3))
        return (objects.alike(self.frames, colours.copy()) & self._near_ship(radius)).sum((1, 2))

    def share_near_ship(self, colours: Any, radius: float = 6.0) -> Tensor:
        """Return the same as a share of what the game shows."""
        colours = np.broadcast_to(np.asarray(colours), (len(self.truth), 3)).copy()
        return self._share_near_ship(colours, radius)

    def heading_off(self, most: int, step: int) -> Tensor:
        """Return how far the heading is off: the best fitting one from -most to most, [n].

        The ship may be a pixel off.
        """
        offsets, place = range(-most, most + 1, step), self.place("ship")
        shown = torch.stack(
            [
                objects.around(self.frames, place + np.array([[x], [y]]), 4)
                for x, y in product((-1, 0, 1), repeat=2)
            ]
        ).float()
        errors = []
        for offset in offsets:
            turned = self.truth.copy()
            turned["ship_heading"] = (turned["ship_heading"].astype(int) + offset) % R.headings
            drawn = torch.as_tensor(draw(turned, R), device=shown.device)
            there = objects.around(drawn, place, 4).float()
            errors.append((shown - there).square().mean((2, 3, 4)).amin(0))
        best = torch.stack(errors).argmin(0)
        return torch.tensor(list(offsets), device=best.device)[best].abs()

    def light_at(self, place: Any, radius: float) -> Tensor:
        """Return the brightest pixel near places [2, n], [n]."""
        near = objects.within(place, radius, self.frames.device)
        return (objects.brightness(self.frames) * near).amax((1, 2))

    def bullet_at(self, slot: int) -> Tensor:
        """Return where the bullet of a slot is there, half as bright as it has to be; bool [n]."""
        near = objects.within(self.place("bullet", slot), 1.5, self.frames.device)
        shown, real = (
            (objects.brightness(f) * near).amax((1, 2)) for f in (self.frames, self.true_frames)
        )
        return shown >= 0.5 * real

    def _near_ship(self, radius: float) -> Tensor:
        return objects.within(self.place("ship"), radius, self.frames.device)

    def _share_near_ship(self, colours: Any, radius: float) -> Tensor:
        near = self._near_ship(radius)
        shown, real = (
            (objects.alike(f, colours) & near).sum((1, 2)) for f in (self.frames, self.true_frames)
        )
        return shown / real
