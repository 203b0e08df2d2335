"""What can be seen in pictures, real or dreamt: lights, hues, blobs, and the objects they are.

A rock shades from its colour to half of it, a bullet fades, edges blend into black: brightness
varies, and what stays is the hue. So pixels are told apart by the angle between their colour and an
object's, as directions from black; two objects' colours are 5 to 20 degrees apart. All functions
take uint8 pictures [n, 64, 64, 3] as tensors on any device.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from mirage_env.rules import COLOURS

__all__ = [
    "KINDS",
    "alike",
    "around",
    "blobs",
    "brightness",
    "centre",
    "edges",
    "grown",
    "inventory",
    "kinds",
    "ship_shown",
    "within",
]

SIZE = 64

DIM = 40
"""Of 255: darker pixels belong to nothing."""

HUES = {
    "rock": COLOURS["ROCK_COLOURS"],
    "ship": COLOURS["SHIP_COLOURS"][1:],
    "bullet": (COLOURS["BULLET_COLOUR"],),
    "flame": (COLOURS["FLAME_COLOUR"],),
    "white": (COLOURS["GUN_COLOUR"],),
    "shield": (COLOURS["SHIELD_COLOUR"],),
}
KINDS = tuple(HUES)
"""Kinds of pixels, in the order of their numbers. "white" is the gun's light and grey embers."""

AREAS = {"small": (8, 22), "medium": (23, 64), "large": (65, SIZE**2)}
"""Areas of rocks by size, in pixels; where nothing overlaps they have 10 to 15, 32 to 38 and 90 to
100. Bullets have up to 7."""

SHIP_PIXELS, SHIP_VIEW = 4, 13
"""A ship is so many pixels of a hull's hue, or more, within a square of so many. It has about 10,
an explosion up to 33."""


def brightness(frames: Tensor) -> Tensor:
    """Return the largest of red, green and blue, uint8 [n, 64, 64]."""
    return frames.amax(-1)


def kinds(frames: Tensor) -> Tensor:
    """Return which of `KINDS` each pixel is, int64 [n, 64, 64]; -1 where there is nothing."""
    colours = torch.tensor([c for some in HUES.values() for c in some], device=frames.device)
    owner = torch.tensor(
        [i for i, some in enumerate(HUES.values()) for _ in some], device=frames.device
    )
    nearest = (frames.float() @ F.normalize(colours.float(), dim=1).T).argmax(-1)
    return torch.where(brightness(frames) >= DIM, owner[nearest], -1)


def alike(frames: Tensor, colours: Any, degrees: float = 8.0, least: float = 0.25) -> Tensor:
    """Return which pixels have the hue of a colour, bool [n, 64, 64].

    Args:
        frames: The pictures.
        colours: Of each picture, [n, 3].
        degrees: The hue may be so far off.
        least: Of the colour's own brightness, what a pixel must have.
    """
    wanted = torch.as_tensor(colours, device=frames.device).float()[:, None, None]
    pixels = frames.float()
    cosine = F.cosine_similarity(pixels, wanted, dim=-1)
    bright = pixels.amax(-1) >= least * wanted.amax(-1)
    return bright & (cosine >= np.cos(np.deg2rad(degrees)))


def offsets(place: Any, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return x and y, in pixels, from places [2, n] to all pixels: twice [n, 64, 64]."""
    x, y = torch.as_tensor(np.asarray(place), device=device).float()[:, :, None]
    pixel = torch.arange(SIZE, device=device) + 0.5
    dx, dy = ((pixel - a + SIZE / 2) % SIZE - SIZE / 2 for a in (x, y))
    shape = (len(x), SIZE, SIZE)
    return dx[:, None, :].expand(shape), dy[:, :, None].expand(shape)


def within(place: Any, radius: Any, device: torch.device) -> Tensor:
    """Return which pixels lie within a radius (one, or [n]) of places [2, n], bool [n, 64, 64]."""
    dx, dy = offsets(place, device)
    limit = torch.as_tensor(np.asarray(radius), device=device).float().reshape(-1, 1, 1)
    return dx.square() + dy.square() <= limit.square()


def centre(mask: Tensor, place: Any) -> Tensor:
    """Return where the middle of the pixels of a mask is, from places [2, n]: float [2, n].

    It is not a number where the mask is empty.
    """
    dx, dy = offsets(place, mask.device)
    count = mask.sum((1, 2))
    return torch.stack([(d * mask).sum((1, 2)) / count for d in (dx, dy)])


def around(frames: Tensor, place: Any, radius: int) -> Tensor:
    """Return what is around places [2, n], [n, 2 * radius + 1, 2 * radius + 1, ...]."""
    reach = torch.arange(-radius, radius + 1, device=frames.device)
    x, y = torch.as_tensor(np.floor(np.asarray(place)), device=frames.device).long()[:, :, None]
    n = torch.arange(len(frames), device=frames.device)[:, None, None]
    return frames[n, ((y + reach) % SIZE)[:, :, None], ((x + reach) % SIZE)[:, None, :]]


def grown(mask: Tensor, pixels: int) -> Tensor:
    """Return a mask [n, 64, 64] with all pixels up to so many away from it, around the torus."""
    padded = F.pad(mask[:, None].float(), (pixels,) * 4, mode="circular")
    return F.max_pool2d(padded, 2 * pixels + 1, 1)[:, 0] > 0


def blobs(mask: Tensor) -> Tensor:
    """Return the areas of the connected parts of a mask, int64 [n, 4096], in any order, 0 for none.

    Corners connect, and so do opposite edges of the picture.
    """
    n, size = len(mask), SIZE * SIZE
    allowed = mask[:, None].float()
    numbers = torch.arange(1, size + 1, device=mask.device).float().reshape(1, 1, SIZE, SIZE)
    label = allowed * numbers
    while True:  # Each pixel takes the largest number among its neighbours.
        spread = F.max_pool2d(F.pad(label, (1,) * 4, mode="circular"), 3, 1) * allowed
        if torch.equal(spread, label):
            break
        label = spread
    areas = torch.zeros(n, size + 1, dtype=torch.int64, device=mask.device)
    areas.scatter_add_(1, label.flatten(1).long(), torch.ones_like(areas[:, 1:]))
    return areas[:, 1:]


def inventory(frames: Tensor) -> dict[str, Tensor]:
    """Return what objects are to be seen in each picture, by name, each [n].

    Counts of rocks by size ("small", "medium", "large") and of bullets; areas in pixels of all
    rocks ("rock_area"), of the ship or its explosion ("ship_area"); whether "ship" is shown.
    Objects that touch count as one, in dreams as in the game.
    """
    kind = kinds(frames)

    def of(*names: str) -> Tensor:
        return torch.stack([kind == KINDS.index(name) for name in names]).any(0)

    # The hues of bullets and of the first wave are close, and those of the gun's light and of the
    # fifth: what is larger than a bullet is a rock.
    stones = blobs(of("rock", "bullet", "white"))
    counts = {
        name: ((stones >= low) & (stones <= high)).sum(1) for name, (low, high) in AREAS.items()
    }
    rock = torch.where(stones >= AREAS["small"][0], stones, 0).sum(1)
    specks = blobs(of("bullet"))
    bullets = ((specks > 0) & (specks < AREAS["small"][0])).sum(1)
    return {
        **counts,
        "bullets": bullets,
        "rock_area": rock,
        "ship_area": of("ship").sum((1, 2)),
        "ship": ship_shown(frames),
    }


def edges(frames: Tensor) -> dict[str, Tensor]:
    """Return how sharp the edges of rocks, ship and bullets are, in levels, each [n].

    It is the mean, over the object's pixels with nothing beside them, of the largest step in
    brightness to a neighbour; not a number where there is no such object.
    """
    kind, light = kinds(frames), brightness(frames).float()
    steps = torch.stack(
        [(light - torch.roll(light, by, axis)).abs() for axis in (1, 2) for by in (-1, 1)]
    ).amax(0)
    border = grown(kind < 0, 1)
    sharp = {}
    for name in ("rock", "ship", "bullet"):
        mask = border & (kind == KINDS.index(name))
        sharp[name] = (steps * mask).sum((1, 2)) / mask.sum((1, 2))
    return sharp


def ship_shown(frames: Tensor) -> Tensor:
    """Return in which pictures the ship, or its explosion, is to be seen, bool [n].

    It is `SHIP_PIXELS` of one of its hues close together, and few elsewhere: a picture drowned in
    colours shows no ship. On held-out play this found 9,782 of 9,785 ships and all of 295
    explosions (that of the last ship is grey and none), and nothing in 10,240 pictures from which
    the ship was taken out.
    """
    shown = torch.zeros(len(frames), dtype=torch.bool, device=frames.device)
    for colour in HUES["ship"]:
        hull = alike(frames, [colour] * len(frames), least=0.35)
        padded = F.pad(hull[:, None].float(), (SHIP_VIEW // 2,) * 4, mode="circular")
        together = F.avg_pool2d(padded, SHIP_VIEW, 1).flatten(1).amax(1) * SHIP_VIEW**2
        alone = together >= 0.75 * hull.sum((1, 2))
        shown |= (together.round() >= SHIP_PIXELS) & alone
    return shown


def colours_of(arenas: NDArray[Any], kind: str) -> NDArray[np.int64]:
    """Return the colours [n, 3] that rocks or ship have in some states."""
    if kind == "rock":
        return np.array(COLOURS["ROCK_COLOURS"])[np.minimum(arenas["wave"], 6).astype(int) - 1]
    return np.array(COLOURS["SHIP_COLOURS"])[np.minimum(arenas["lives"], 3)]
