"""Whether a rule was kept, read off the pixels of its scenes: one function for each rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mirage_env.rules import COLOURS, Rules
from mirage_wm.evaluation import objects
from mirage_wm.evaluation.film import (
    HEADING_OFF,
    MOST,
    OFF,
    ROCK_AREA,
    SHIP,
    SHIP_OFF,
    SPECKS,
    Film,
    Moment,
)

__all__ = ["Check"]

Check = Callable[[Film], Tensor]
"""Returns in which of the n scenes the rule was kept, bool [n]."""

R = Rules()
APART = 12
"""Ticks after which the fragments of a rock no longer overlap."""
DARK = 30
"""Of 255: what is not brighter is no bullet."""
LIT = 90
"""Of 255: what is as bright may be a rock, of whatever colour."""
BESIDE = 7
"""Units from the ship within which there may be a blast or a shield."""


def hit(film: Film) -> Any:
    """Return when the bullet hits, [n]."""
    return film.first(film.truth["score"] > film.truth["score"][0])


def solid_wave(film: Film) -> Moment:
    """Return the moment at which the wave that follows the last rock is due to be solid."""
    return film.at(hit(film) + R.wave_ticks + 4)


def splits(film: Film) -> Tensor:
    """The rock is two of the next size, whole, and nothing else of it is left.

    Where their courses follow from the bullet's, they also have to be where they belong.
    """
    moment = film.at(hit(film) + APART)
    kept = in_two(moment)
    if film.rules.split == "bullet":
        elsewhere = moment.rock_pixels_elsewhere((0, 1))
        kept &= moment.rock_at(0) & moment.rock_at(1) & (elsewhere <= SPECKS)
    return kept


def in_two(moment: Moment) -> Tensor:
    """Return where the rocks to be seen are two, of the size of slot 0, and no shred besides."""
    colours = moment.rock_colours()
    solid = objects.alike(moment.frames, colours, least=0.4)
    faint = objects.alike(moment.frames, colours, least=0.15) & ~objects.grown(solid, 2)
    areas = objects.blobs(solid)
    wanted = torch.as_tensor(ROCK_AREA[moment.truth["rock_size"][:, 0]], device=areas.device)
    wanted = wanted[:, None]
    whole = (areas >= MOST * wanted) & (areas <= wanted / MOST)
    shreds = (areas * ~whole).sum(1) + faint.sum((1, 2))
    return (whole.sum(1) == 2) & (shreds <= SPECKS)


def vanishes(film: Film) -> Tensor:
    """Nothing is left of the small rock or its bullet, and the other rock is still there."""
    before, after = film.at(0), film.at(hit(film) + 4)
    gone = objects.within(before.place("rock", 0), 5, film.device)
    left = ((objects.brightness(after.frames) >= DARK) & gone).sum((1, 2))
    return before.rock_at(0) & after.rock_at(1) & (left <= SPECKS)


def bullet_dies(film: Film) -> Tensor:
    """The bullet is there until its last tick and then no more, nor is it further on."""
    last = film.first(film.truth["bullet_life"][..., 0] == 0) - 1
    alive, after = film.at(last), film.at(last + 3)
    place = alive.place("bullet", 0)
    step = np.stack([alive.truth[f"bullet_v{axis}"][:, 0] for axis in "xy"]) / 2**26
    gone = [after.light_at(place + k * step, 2.5) <= DARK for k in range(4)]
    return alive.bullet_at(0) & torch.stack(gone).all(0)


def wraps(film: Film) -> Tensor:
    """Rock and ship have gone over the edge and are whole, where they belong and nowhere else."""
    moment = film.last
    return (
        moment.rock_at(0)
        & (moment.hull() >= SHIP)
        & (moment.hull_off() <= OFF)
        & (moment.extra() <= SPECKS)
    )


def turns(film: Film) -> Tensor:
    """The ship points where it has to."""
    moment = film.last
    return (moment.hull() >= SHIP) & (moment.heading_off(15, 1) <= HEADING_OFF)


def thrusts(film: Film) -> Tensor:
    """The ship has moved as far as it has to, with a flame."""
    moment = film.last
    flame = moment.share_near_ship(COLOURS["FLAME_COLOUR"])
    return (moment.hull() >= SHIP) & (moment.hull_off() <= SHIP_OFF) & (flame >= SHIP)


def coasts(film: Film) -> Tensor:
    """The ship has moved on by itself, without a flame."""
    moment = film.last
    flame = moment.near_ship(COLOURS["FLAME_COLOUR"])
    return (moment.hull() >= SHIP) & (moment.hull_off() <= OFF) & (flame <= 1)


def bullets_fly(film: Film, ticks: tuple[int, ...]) -> Tensor:
    """Every bullet is where it has to be, and nothing else is lit."""
    kept = []
    for tick in ticks:
        moment = film.at(tick)
        kept.append(moment.extra() <= SPECKS)
        for slot in range(R.bullet_ticks // R.cooldown):
            life = moment.truth["bullet_life"][:, slot]
            kept.append(moment.bullet_at(slot) | torch.as_tensor(life == 0, device=film.device))
    return torch.stack(kept).all(0)


def fires(film: Film) -> Tensor:
    """The bullet comes out of the nose at once and flies ahead, alone."""
    return bullets_fly(film, (1, 3, 6))


def cools_down(film: Film) -> Tensor:
    """While the key is held there is a bullet every eight ticks, no more and no less."""
    return bullets_fly(film, (4, 12, 20))


def dies(film: Film) -> Tensor:
    """The hull is gone, and the blast grows in its place."""
    moment = film.at(film.first(film.truth["dying"] > 0) + 6)
    hull = objects.colours_of(film.truth[0], "ship")
    blast = objects.colours_of(moment.truth, "ship")
    return (moment.near_ship(hull, 4) <= SPECKS) & (moment.share_near_ship(blast) >= SHIP)


def returns(film: Film) -> Tensor:
    """The ship is back where it died, points up, wears its ring and the colour of its lives."""
    moment = film.at(film.first(film.truth["dying"] == 0) + 3)
    ring = moment.share_near_ship(COLOURS["SHIELD_COLOUR"])
    return (
        (moment.hull() >= SHIP)
        & (moment.hull_off() <= SHIP_OFF)
        & (moment.heading_off(30, 2) <= 2)
        & (ring >= SHIP)
    )


def is_over(film: Film) -> Tensor:
    """Nothing of the ship is left when the last explosion is over; the rock is."""
    moment = film.at(film.first(film.truth["ended"] > 0))
    near = objects.within(moment.place("ship"), 6, film.device)
    left = ((objects.brightness(moment.frames) >= DARK) & near).sum((1, 2))
    return (left <= SPECKS) & moment.rock_at(0)


def is_safe(film: Film) -> Tensor:
    """Ship and rock are both there after the rock went through the ship."""
    moment = film.last
    fewer = moment.truth.copy()
    fewer["lives"] -= 1
    blast = moment.near_ship(objects.colours_of(fewer, "ship"), 6)
    return (moment.hull() >= SHIP) & (blast <= SPECKS) & moment.rock_at(0)


def shield_ends(film: Film) -> Tensor:
    """The ring is there to the end, give or take two ticks, and then no more; the ship stays."""
    ring = COLOURS["SHIELD_COLOUR"]
    before, after = film.at(film.first(film.truth["shield"] == 0) - 3), film.last
    return (
        (before.share_near_ship(ring) >= SHIP)
        & (after.near_ship(ring) <= SPECKS)
        & (after.hull() >= SHIP)
    )


def drifts(film: Film) -> Tensor:
    """The rock has drifted on, the ship has stayed, and nothing else has come."""
    moment = film.last
    return moment.rock_at(0) & (moment.hull() >= SHIP) & (moment.extra() <= SPECKS)


def wave_comes(film: Film) -> Tensor:
    """The next wave is announced faintly, then solid: as many rocks as it has, wherever."""
    faint, solid = film.at(hit(film) + 12), solid_wave(film)
    count = np.minimum(R.wave_first + film.truth["wave"][0], R.wave_most)
    wanted = torch.as_tensor(count * ROCK_AREA[3], device=film.device)
    colours = solid.rock_colours()

    def area(moment: Moment, least: float) -> Tensor:
        return objects.alike(moment.frames, colours, least=least).sum((1, 2)) / wanted

    # Half way a ghost has a third of the area and at most half of the brightness.
    announced = (area(faint, 0.15) >= 0.15) & (area(faint, 0.6) <= 0.05)
    bright = area(solid, 0.4)
    return announced & (bright >= 0.55) & (bright <= 1.3)


def rocks_follow(film: Film) -> Tensor:
    """When the wave is due to be solid, a third of a large rock's area is lit beside the ship."""
    solid = solid_wave(film)
    beside = ~objects.within(solid.place("ship"), BESIDE, film.device)
    lit = (objects.brightness(solid.frames) >= LIT) & beside
    return lit.sum((1, 2)) >= ROCK_AREA[3] / 3
