"""Where things are in a window of any size: the arenas, and the panels outside of them."""

from __future__ import annotations

from dataclasses import dataclass

from mirage_env.play.library import pygame

__all__ = ["LARGEST", "Layout", "layout", "window_size"]

LARGEST = 1024
"""The simulator draws an arena at most so large."""

SMALLEST = 16
"""And no smaller than this."""

_SIDE = 0.36  # width of a panel beside an arena, as a share of the arena
_STRIP = 0.13  # height of a panel under an arena
_FOOT = 0.05  # height of the line under all of them
_MARGIN = 0.03


@dataclass(frozen=True)
class Layout:
    """The places in a window.

    Attributes:
        arenas: A square for each world in view.
        panels: For each of them, where its score is.
        beside: Whether the one panel stands beside the arena, rather than under it.
        foot: The line at the bottom, where panels are under the arenas.
        unit: How large letters and lines are: 1 beside an arena of 640 pixels.
    """

    arenas: tuple[pygame.Rect, ...]
    panels: tuple[pygame.Rect, ...]
    beside: bool
    foot: pygame.Rect
    unit: float


def layout(width: int, height: int, worlds: int, grain: int = 1) -> Layout:
    """Return the places in a window for one or two worlds.

    Args:
        width: Of the window, pixels.
        height: Of the window, pixels.
        worlds: How many are in view.
        grain: An arena is a multiple of so many pixels wide, if it can be.
    """
    beside = worlds == 1 and width > 1.2 * height
    share_wide = worlds + 2 * _MARGIN * worlds + (_SIDE + _MARGIN if beside else 0)
    share_high = 1 + 2 * _MARGIN + (0 if beside else _STRIP + _FOOT)
    edge = int(min(width / share_wide, height / share_high, LARGEST))
    edge = max(edge - edge % grain or edge, SMALLEST)
    margin, side, strip = (round(share * edge) for share in (_MARGIN, _SIDE, _STRIP))
    block_wide = worlds * edge + (worlds - 1) * 2 * margin + (margin + side if beside else 0)
    block_high = edge + (0 if beside else strip)
    foot_high = 0 if beside else round(_FOOT * edge)
    left = (width - block_wide) // 2
    top = max((height - foot_high - block_high) // 2, 0)
    arenas = tuple(
        pygame.Rect(left + i * (edge + 2 * margin), top, edge, edge) for i in range(worlds)
    )
    if beside:
        panels = (pygame.Rect(left + edge + margin, top, side, edge),)
    else:
        panels = tuple(pygame.Rect(arena.left, arena.bottom, edge, strip) for arena in arenas)
    foot = pygame.Rect(left, panels[0].bottom, block_wide, foot_high)
    return Layout(arenas, panels, beside, foot, edge / 640)


def window_size(edge: int, worlds: int) -> tuple[int, int]:
    """Return the size of a window with arenas `edge` pixels wide; both sides are even."""
    if worlds == 1:
        wide, high = 1 + 3 * _MARGIN + _SIDE, 1 + 2 * _MARGIN
    else:
        wide, high = worlds + 2 * _MARGIN * worlds, 1 + 2 * _MARGIN + _STRIP + _FOOT
    return tuple(2 * (int(share * edge) // 2 + 1) for share in (wide, high))  # type: ignore[return-value]
