"""The picture of an arena: black, then each sprite blended over it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mirage_env.oracle.arithmetic import f32
from mirage_env.oracle.pixels import blend, dart, grey, octagon, opacity, ring
from mirage_env.oracle.shapes import Dart, Octagon
from mirage_env.oracle.sprites import sprites
from mirage_env.oracle.state import Arena, Tuning

__all__ = ["picture"]


def picture(arena: Arena, size: int, tuning: Tuning, channels: int = 3) -> NDArray[np.uint8]:
    """Return the arena as an image, uint8 [size, size, channels]: 3 in colours, 1 in grey."""
    image = np.zeros((size, size, 3), np.int64)
    pitch = f32(64) / f32(size)  # units a pixel
    for sprite in sprites(arena, size, tuning):
        columns = np.arange(sprite.across.width)
        rows = np.arange(sprite.down.width)
        dx = ((sprite.across.offset + columns.astype(np.float32)) * pitch)[np.newaxis, :]
        dy = ((sprite.down.offset + rows.astype(np.float32)) * pitch)[:, np.newaxis]
        if isinstance(sprite.shape, Octagon):
            coverage, shade = octagon(sprite.shape, dx, dy)
        elif isinstance(sprite.shape, Dart):
            coverage, shade = dart(sprite.shape, dx, dy)
        else:
            coverage, shade = ring(sprite.shape, dx, dy)
        where = np.ix_((sprite.down.first + rows) % size, (sprite.across.first + columns) % size)
        under, opaque = image[where], opacity(coverage, sprite.alpha)
        for channel, colour in enumerate(sprite.colour):
            under[..., channel] = blend(under[..., channel], colour, opaque, shade)
        image[where] = under
    if channels == 1:
        image = grey(*np.moveaxis(image, -1, 0))[..., np.newaxis]
    return image.astype(np.uint8)
