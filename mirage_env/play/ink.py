"""Letters, ships and boxes in the player's colours."""

from __future__ import annotations

from functools import lru_cache

from mirage_env.play.library import pygame
from mirage_env.rules import COLOURS

__all__ = [
    "ACCENTS",
    "BACKGROUND",
    "BRIGHT",
    "DIM",
    "FRAME",
    "QUIET",
    "Colour",
    "box",
    "ships",
    "text",
]

Colour = tuple[int, int, int]

BACKGROUND: Colour = (13, 15, 24)
FRAME: Colour = (38, 43, 60)
QUIET: Colour = (70, 78, 102)
DIM: Colour = (124, 134, 162)
BRIGHT: Colour = (232, 237, 247)
ACCENTS: dict[str, Colour] = {"GAME": (84, 224, 255), "DREAM": (186, 148, 255)}

_DART = ((0.0, -2.8), (2.0, 2.2), (0.0, 1.2), (-2.0, 2.2))
"""The outline of the ship in units, pointing up."""

_FINE = 8  # ships are drawn so many times larger, then reduced, for smooth edges


@lru_cache(maxsize=512)
def _letters(string: str, height: int, colour: Colour, spacing: int) -> pygame.Surface:
    if not pygame.font.get_init():
        pygame.font.init()
    font = pygame.font.Font(None, height)  # not kept: `pygame.quit`, of anybody, is its end
    glyphs = [font.render(letter, True, colour) for letter in string]
    width = sum(glyph.get_width() + spacing for glyph in glyphs) - spacing
    surface = pygame.Surface((max(width, 1), font.get_linesize()), pygame.SRCALPHA)
    x = 0
    for glyph in glyphs:
        surface.blit(glyph, (x, 0))
        x += glyph.get_width() + spacing
    return surface


def text(
    surface: pygame.Surface,
    string: str,
    at: tuple[float, float],
    height: float,
    colour: Colour,
    spacing: float = 0.0,
    align: str = "left",
) -> pygame.Rect:
    """Write a line; return its place.

    Args:
        surface: Where to.
        string: The line.
        at: The middle of its left edge, of its right edge, or its centre, as `align` says.
        height: Of the letters' line, pixels.
        colour: Of the letters.
        spacing: Between letters, as a share of the height.
        align: "left", "right" or "centre".
    """
    height = max(round(height), 13)
    letters = _letters(string, height, colour, round(spacing * height))
    place = letters.get_rect()
    x, y = round(at[0]), round(at[1])
    if align == "left":
        place.midleft = (x, y)
    elif align == "right":
        place.midright = (x, y)
    else:
        place.center = (x, y)
    surface.blit(letters, place)
    return place


@lru_cache(maxsize=32)
def _ship(height: int, colour: Colour) -> pygame.Surface:
    fine = pygame.Surface((height * _FINE, height * _FINE), pygame.SRCALPHA)
    fine.fill((*colour, 0))
    middle, scale = height * _FINE / 2, height * _FINE / 5.6
    pygame.draw.polygon(fine, colour, [(middle + x * scale, middle + y * scale) for x, y in _DART])
    return pygame.transform.smoothscale(fine, (height, height))


def ships(
    surface: pygame.Surface, lives: int, at: tuple[float, float], height: float, align: str = "left"
) -> None:
    """Draw three ships in a row, those that are lost as shadows.

    `at` is the middle of the row's left edge, or of its right edge, as `align` says.
    """
    height = max(round(height), 6)
    step = round(height * 1.15)
    x = round(at[0]) if align == "left" else round(at[0]) - 2 * step - height
    hulls = COLOURS["SHIP_COLOURS"]
    for i in range(3):
        colour = hulls[min(lives, 3)] if i < lives else FRAME
        surface.blit(_ship(height, colour), (x + i * step, round(at[1] - height / 2)))


def box(
    surface: pygame.Surface, string: str, place: pygame.Rect, colour: Colour, filled: bool
) -> None:
    """Draw a label in a box with round corners: dark letters in a full one, or an outline."""
    radius = place.height // 4
    if filled:
        pygame.draw.rect(surface, colour, place, border_radius=radius)
    else:
        pygame.draw.rect(surface, FRAME, place, width=1, border_radius=radius)
    ink = BACKGROUND if filled else QUIET
    text(
        surface,
        string,
        (place.centerx, place.centery + 1),
        place.height * 0.62,
        ink,
        0.12,
        "centre",
    )
