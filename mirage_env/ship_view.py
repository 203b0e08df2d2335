"""Pictures as they are from the ship: which way it points is up, near is large and far is small.

Place and heading of the ship are found in the pixels alone, so that dreams, too, can be seen so.
Then each picture is sampled at points of rings around the ship, as an eye's retina would: what is
ahead is always in the same place, a turn of the ship is a shift along the rings, and the nearer a
thing is the more points it covers. No place and no direction of the arena is special to who sees
this.
"""

from __future__ import annotations

import math
from typing import Any

from mirage_env.errors import import_extra
from mirage_env.rules import COLOURS, Rules, constants

torch = import_extra("torch", "wm", "an agent")
from torch import Tensor, nn  # noqa: E402

__all__ = ["RAYS", "RINGS", "SIZE", "ShipView"]

SIZE = 64
"""Width and height of the pictures that agents see, pixels: those that dreams are made of."""

RAYS, RINGS = 64, 24
"""Points of a ring, the first ahead of the ship and then to its left; rings around the ship."""

NEAREST, FARTHEST = 2.0, 44.0
"""Radii of the first and the last ring, pixels; each is larger by the same factor. In the corners
of the arena nothing is farther than 45."""

HULLS = COLOURS["SHIP_COLOURS"][1:]
"""Colours of a ship with one life left, two or three."""

HULL_SPREAD = 30.0
"""How far the colour of a pixel may be from the hull's, of 255, and still look like it."""

MIX_SPREAD = 40.0
"""How far it may be from what hull, gun light and black make together, and still look like that."""

REACH = 3
"""The hull is sought within as many pixels of its middle."""

PLACES = (-0.5, 0.0, 0.5, 1.0, 1.5)
"""Where it may be on each axis: from a pixel's corner, 0, to its end, 1, and around it."""

HEADINGS = Rules().headings


def _shares(colour: tuple[int, int, int]) -> list[list[float]]:
    """Return what a pixel is multiplied by to get its shares of a colour and of white, [2][3]."""
    both = torch.tensor([colour, (255, 255, 255)], dtype=torch.float64)
    return torch.linalg.pinv(both.T).tolist()


SHARES = [_shares(colour) for colour in HULLS]


class ShipView(nn.Module):
    """Finds the ship in the newest picture, and shows all of them from there.

    It has nothing to learn and nothing that a file of weights would hold.
    """

    hulls: Tensor
    """How much of each pixel around a ship is covered, float32 [pixels, poses]."""
    half_squares: Tensor
    """Half the squared length of each of them, float32 [poses]."""
    poses: Tensor
    """y and x, pixels from the corner of the pixel in the middle, and the heading, [poses, 3]."""
    ahead: Tensor
    left: Tensor
    """Where the points of the view are from the ship, pixels, float32 [RAYS, RINGS]."""

    def __init__(self) -> None:
        """Draw the hull in all poses that a ship is compared with."""
        super().__init__()
        hulls, poses = _hulls()
        radii = NEAREST * (FARTHEST / NEAREST) ** (torch.arange(RINGS) / (RINGS - 1))
        angles = torch.arange(RAYS) * (2 * math.pi / RAYS)
        buffers = {
            "hulls": hulls.T.contiguous(),
            "half_squares": hulls.square().sum(1) / 2,
            "poses": poses,
            "ahead": torch.outer(angles.cos(), radii),
            "left": torch.outer(angles.sin(), radii),
        }
        for name, tensor in buffers.items():
            self.register_buffer(name, tensor, persistent=False)

    @torch.no_grad()
    def forward(self, pictures: Tensor) -> Tensor:
        """Return views uint8 [B, 64, 24, frames, 3] of pictures uint8 [B, frames, 64, 64, 3].

        All frames are seen from where the ship is in the last one, so that motion is seen. Where
        there is no ship, from where most looks like one.
        """
        with torch.autocast(pictures.device.type, enabled=False):
            row, column, pose = self.ship(pictures[:, -1])
        y, x, angle = pose[:, :, None, None].unbind(1)
        cosine, sine = angle.cos(), angle.sin()
        down = y - self.ahead * sine - self.left * cosine
        across = x + self.ahead * cosine - self.left * sine
        rows = (row[:, None, None] + down.floor().long()) % SIZE
        columns = (column[:, None, None] + across.floor().long()) % SIZE
        every = torch.arange(len(pictures), device=pictures.device)[:, None, None]
        return pictures[every, :, rows, columns]

    def ship(self, picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Find the ship in pictures [B, 64, 64, 3].

        Returns:
            Row and column of a pixel, int64 [B], and float32 [B, 3]: how far below that pixel's
            corner the ship is and how far to the right, pixels, and its heading, radians
            counter-clockwise from where x grows.
        """
        row, column = _pixel(picture.float())
        around = torch.arange(-REACH, REACH + 1, device=picture.device)
        rows, columns = (row[:, None] + around) % SIZE, (column[:, None] + around) % SIZE
        every = torch.arange(len(picture), device=picture.device)[:, None, None]
        near = picture[every, rows[:, :, None], columns[:, None, :]].float()
        # The least squared error: |covered|^2 is the same for all poses.
        best = (_covered(near).flatten(1) @ self.hulls - self.half_squares).argmax(1)
        return row, column, self.poses[best]


def _hulls() -> tuple[Tensor, Tensor]:
    """Return how much of each pixel hulls cover, [poses, pixels], and their poses, [poses, 3]."""
    angles = torch.arange(HEADINGS) * (2 * math.pi / HEADINGS)
    y, x, angle = torch.cartesian_prod(torch.tensor(PLACES), torch.tensor(PLACES), angles).T
    pixels = torch.arange(-REACH, REACH + 1.0) + 0.5  # their middles
    row, column = torch.cartesian_prod(pixels, pixels).T
    right, down = column - x[:, None], row - y[:, None]
    cosine, sine = angle.cos()[:, None], angle.sin()[:, None]
    ahead, beside = right * cosine - down * sine, (right * sine + down * cosine).abs()
    sides = [(a * ahead + b * beside - c) / 4096 for a, b, c in constants().HULL_PLANES]
    covered = (0.5 - torch.maximum(sides[0], sides[1])).clip(0, 1)
    return covered, torch.stack([y, x, angle], 1)


def _covered(pixels: Tensor) -> Tensor:
    """Return how much hull and gun light cover of pixels [..., 3], [...] from 0 to 1.

    A pixel at the edge is the hull's colour and black, one at the nose is white, too: each is taken
    for the nearest mixture of them, and counts the less the farther that is.
    """
    found = []
    for colour, shares in zip(HULLS, SHARES, strict=True):
        hull, light = (_dot(pixels, row).clip(0, 1) for row in shares)
        error = _distance(pixels, [k * hull + 255 * light for k in colour]) / MIX_SPREAD**2
        found.append((hull + light).clip(max=1) * (-error).exp())
    return torch.stack(found).amax(0)


def _dot(pixels: Tensor, weights: Any) -> Tensor:
    """Return the sums [...] of the channels of pixels [..., 3] by three numbers.

    They stay numbers: a tensor made of them would wait for a GPU.
    """
    red, green, blue = weights
    return pixels[..., 0] * red + pixels[..., 1] * green + pixels[..., 2] * blue


def _distance(pixels: Tensor, colour: Any) -> Tensor:
    """Return the squared distances [...] of pixels [..., 3] from a colour, or one for each."""
    red, green, blue = (pixels[..., i] - level for i, level in enumerate(colour))
    return red.square() + green.square() + blue.square()


def _pixel(picture: Tensor) -> tuple[Tensor, Tensor]:
    """Return row and column [B] of the middle of what looks like a hull in [B, 64, 64, 3]."""
    hull = torch.zeros_like(picture[..., 0])
    for colour in HULLS:
        hull += (_distance(picture, colour) / -(HULL_SPREAD**2)).exp()
    # A hull is many such pixels together; what only resembles one counts for nothing then.
    around = nn.functional.pad(hull[:, None], (1, 1, 1, 1), mode="circular")
    mass = nn.functional.avg_pool2d(around, 3, 1)[:, 0] ** 4
    return _middle(mass.sum(2)), _middle(mass.sum(1))


def _middle(mass: Tensor) -> Tensor:
    """Return the pixel [B] in which the mean place of an axis' mass [B, 64] is.

    The mean place on a circle is the direction of the mean of directions.
    """
    turn = 2 * math.pi / SIZE
    angles = (torch.arange(SIZE, device=mass.device) + 0.5) * turn
    place = torch.atan2((mass * angles.sin()).sum(1), (mass * angles.cos()).sum(1)) / turn
    return place.floor().long() % SIZE
