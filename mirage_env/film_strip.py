"""A game as a strip of pictures side by side, in a PNG."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from mirage_env.errors import import_extra
from mirage_env.whole_file import write_whole

__all__ = ["film_strip", "write_strip"]

GAP = 2
"""Pixels between two pictures."""
GREY = 64


def film_strip(
    frames: Iterable[NDArray[np.uint8]], count: int, pictures: int = 8
) -> NDArray[np.uint8]:
    """Return some frames side by side: the first, the last, and others evenly between them.

    Args:
        frames: Each uint8 [height, width, 3]; all of them are taken.
        count: How many frames there are, at least one.
        pictures: How many are shown; all where there are fewer.

    Returns:
        uint8 [height, n * width + (n - 1) * gap, 3].
    """
    wanted = set(np.linspace(0, count - 1, min(pictures, count)).round().astype(int).tolist())
    shown = [frame for i, frame in enumerate(frames) if i in wanted]
    gap = np.full((shown[0].shape[0], GAP, 3), GREY, np.uint8)
    row = [part for frame in shown for part in (gap, frame)]
    return np.concatenate(row[1:], axis=1)


def write_strip(
    path: str | os.PathLike[str],
    frames: Iterable[NDArray[np.uint8]],
    count: int,
    pictures: int = 8,
) -> None:
    """Write a `film_strip` as a PNG, whole or not at all.

    Raises:
        MissingExtraError: Without Pillow.
        OSError: If it cannot be written.
    """
    image = import_extra("PIL.Image", "video", "writing a PNG")
    written = io.BytesIO()
    image.fromarray(film_strip(frames, count, pictures)).save(written, "png")
    write_whole(path, written.getvalue())
