"""Pictures of the report: rows of frames, as PNG inside of the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["film_strips", "png"]

GAP = 2
GREY = 70
WIDE = 116
"""Pixels of the page for a frame, at most."""


def png(frames: NDArray[np.uint8]) -> str:
    """Return frames [k, 64, 64, 3] side by side as the URI of a PNG."""
    framed = np.pad(frames, ((0, 0), (0, 0), (0, GAP), (0, 0)), constant_values=GREY)
    row = np.concatenate(list(framed), axis=1)[:, :-GAP]
    # Frames have few colours: a palette that keeps them all halves the page.
    picture = Image.fromarray(row)
    colours = picture.getcolors(256)
    if colours is not None:
        picture = picture.quantize(len(colours), dither=Image.Dither.NONE)
    data = io.BytesIO()
    picture.save(data, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(data.getvalue()).decode()


def film_strips(
    rows: Mapping[str, NDArray[np.uint8]] | Sequence[tuple[str, NDArray[np.uint8]]],
    ticks: Sequence[Any] = (),
) -> str:
    """Return rows of frames with their names, and what stands above the frames.

    Args:
        rows: Frames [k, 64, 64, 3] by name.
        ticks: Of the k frames.
    """
    pairs = list(rows.items()) if isinstance(rows, Mapping) else list(rows)
    parts = ['<div class="strip">']
    if ticks:
        cells = "".join(f"<span>{escape(str(tick))}</span>" for tick in ticks)
        columns = f"max-width:{WIDE * len(ticks)}px;grid-template-columns:repeat({len(ticks)},1fr)"
        parts.append(f'<span></span><div class="ticks" style="{columns}">{cells}</div>')
    for name, frames in pairs:
        alt = escape(f"{len(frames)} frames: {name}")
        wide = f"max-width:{WIDE * len(frames)}px"
        picture = f'<img alt="{alt}" style="{wide}" src="{png(frames)}">'
        parts.append(f"<span>{escape(name)}</span>{picture}")
    return "".join(parts) + "</div>"
