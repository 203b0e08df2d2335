"""Draws a session: the arenas as their worlds draw them, and all words outside of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mirage_env.play import ink
from mirage_env.play.controls import HELP
from mirage_env.play.layout import Layout, layout
from mirage_env.play.library import pygame
from mirage_env.play.session import Playable, Session

__all__ = ["Overlay", "View"]


DREAM_SAYS = ("Each frame is made", "by a neural network", "from the last ones", "and your keys.")


@dataclass(frozen=True)
class Overlay:
    """What is to be seen beside the session itself.

    Attributes:
        fps: Ticks in the last second; None where time does not matter.
        help: Whether the help is open.
        notice: A line for the player.
        keys: Whether to name keys; a video has none.
    """

    fps: float | None = None
    help: bool = False
    notice: str = ""
    keys: bool = True


class View:
    """Draws sessions onto surfaces of any size.

    Example:
        >>> surface = pygame.Surface((920, 680))
        >>> View().draw(surface, session)
    """

    def draw(
        self, surface: pygame.Surface, session: Session, overlay: Overlay | None = None
    ) -> Layout:
        """Draw a session; return where its parts are."""
        overlay = overlay or Overlay()
        grain = (
            max((world.pixels for world in session.worlds), default=0) or 2
        )  # videos want even sides
        width, height = surface.get_size()
        places = layout(width, height, len(session.visible), grain)
        surface.fill(ink.BACKGROUND)
        for world, arena, panel in zip(session.visible, places.arenas, places.panels, strict=True):
            _draw_world(surface, world, arena)
            if places.beside:
                _draw_side_panel(surface, session, world, panel, places.unit, overlay)
            else:
                _draw_strip(surface, session, world, panel, places.unit)
            if world.over:
                again = "press R to play again" if overlay.keys and not session.restart else ""
                end = f"{world.name} OVER" if len(session.worlds) > 1 else "GAME OVER"
                _draw_message(surface, arena, places.unit, end, again)
        if not places.beside:
            _draw_foot(surface, session, places, overlay)
        if overlay.help:
            _draw_help(surface, places.unit)
        return places


def _draw_world(surface: pygame.Surface, world: Playable, arena: pygame.Rect) -> None:
    """Draw a world into its square: at the square's size, or its own pixels as even squares."""
    picture = world.picture(arena.width)
    pygame.draw.rect(surface, ink.FRAME, arena.inflate(2, 2), width=1)
    pygame.draw.rect(surface, (0, 0, 0), arena)
    drawn = _surface(picture)
    factor = arena.width // drawn.get_width()
    if factor > 1:
        drawn = pygame.transform.scale_by(drawn, factor)
    surface.set_clip(arena)
    surface.blit(drawn, drawn.get_rect(center=arena.center))
    surface.set_clip(None)


def _surface(picture: NDArray[np.uint8]) -> pygame.Surface:
    height, width = picture.shape[:2]
    return pygame.image.frombuffer(np.ascontiguousarray(picture).tobytes(), (width, height), "RGB")


def _draw_side_panel(
    surface: pygame.Surface,
    session: Session,
    world: Playable,
    panel: pygame.Rect,
    unit: float,
    overlay: Overlay,
) -> None:
    x, y = panel.left + 8 * unit, panel.top + 16 * unit
    ink.text(surface, "MIRAGE", (x, y), 38 * unit, ink.BRIGHT, 0.22)
    _draw_switch(
        surface, session, pygame.Rect(x, y + 36 * unit, panel.width - 16 * unit, 34 * unit)
    )

    y += 132 * unit
    ink.text(surface, "SCORE", (x, y), 20 * unit, ink.DIM, 0.18)
    ink.text(surface, str(world.score), (x, y + 40 * unit), 72 * unit, ink.BRIGHT)
    y += 104 * unit
    best = session.best[session.worlds.index(world)]
    _draw_figure(surface, "BEST", str(best), (x, y), unit)
    if world.wave is not None:
        _draw_figure(surface, "WAVE", str(world.wave), (panel.centerx + 8 * unit, y), unit)
    y += 88 * unit
    if world.lives is not None:
        ink.text(surface, "LIVES", (x, y), 20 * unit, ink.DIM, 0.18)
        ink.ships(surface, world.lives, (x, y + 34 * unit), 34 * unit)
    else:
        for i, line in enumerate(DREAM_SAYS):
            ink.text(surface, line, (x, y + 22 * i * unit), 21 * unit, ink.DIM)

    if session.paused:
        place = pygame.Rect(x, y + 96 * unit, panel.width - 16 * unit, 34 * unit)
        ink.box(surface, "PAUSED", place, ink.BRIGHT, filled=True)

    bottom = panel.bottom - 14 * unit
    ink.text(surface, _facts(session, overlay), (x, bottom), 19 * unit, ink.QUIET, 0.06)
    if overlay.keys:
        ink.text(surface, "H  help", (x, bottom - 26 * unit), 19 * unit, ink.DIM, 0.06)
    for i, line in enumerate(reversed(_wrapped(overlay.notice, 26))):
        at = (x, bottom - (64 + 22 * i) * unit)
        ink.text(surface, line, at, 20 * unit, ink.ACCENTS["GAME"])


def _draw_figure(
    surface: pygame.Surface, label: str, figure: str, at: tuple[float, float], unit: float
) -> None:
    ink.text(surface, label, at, 20 * unit, ink.DIM, 0.18)
    ink.text(surface, figure, (at[0], at[1] + 28 * unit), 38 * unit, ink.BRIGHT)


def _draw_switch(surface: pygame.Surface, session: Session, place: pygame.Rect) -> None:
    """Draw a box for each world, that in view full."""
    gap = place.height // 5
    width = (place.width - gap) // 2
    for i, world in enumerate(session.worlds):
        part = pygame.Rect(place.left + i * (width + gap), place.top, width, place.height)
        colour = ink.ACCENTS.get(world.name, ink.BRIGHT)
        ink.box(surface, world.name, part, colour, filled=world is session.shown)


def _draw_strip(
    surface: pygame.Surface, session: Session, world: Playable, panel: pygame.Rect, unit: float
) -> None:
    """Draw what belongs to a world under its arena."""
    middle = panel.top + panel.height * 0.55
    label = pygame.Rect(panel.left, 0, 112 * unit, 38 * unit)
    label.centery = round(middle)
    ink.box(surface, world.name, label, ink.ACCENTS.get(world.name, ink.BRIGHT), filled=True)
    if world.lives is not None:
        ink.ships(surface, world.lives, (label.right + 24 * unit, middle), 36 * unit)
    if world.wave is not None:
        ink.text(
            surface,
            f"WAVE {world.wave}",
            (label.right + 190 * unit, middle),
            24 * unit,
            ink.DIM,
            0.12,
        )
    ink.text(surface, str(world.score), (panel.right, middle), 62 * unit, ink.BRIGHT, 0, "right")


def _draw_foot(surface: pygame.Surface, session: Session, places: Layout, overlay: Overlay) -> None:
    foot, unit = places.foot, places.unit
    y = foot.centery
    left = overlay.notice
    if session.paused and not left:
        left = "PAUSED    P goes on    N plays one tick"
    likeness = session.likeness() if session.both else None
    if not left and likeness is not None:
        left = "same picture" if likeness >= 99 else f"alike to {likeness:.0f} dB"
    ink.text(surface, left, (foot.left, y), 21 * unit, ink.DIM, 0.05)
    right = _facts(session, overlay) + ("    H  help" if overlay.keys else "")
    ink.text(surface, right, (foot.right, y), 21 * unit, ink.QUIET, 0.05, "right")


def _facts(session: Session, overlay: Overlay) -> str:
    rate = "" if overlay.fps is None else f"{overlay.fps:.0f} fps    "
    return f"{rate}seed {session.seed}"


def _draw_message(
    surface: pygame.Surface, arena: pygame.Rect, unit: float, title: str, line: str
) -> None:
    """Write over an arena, which is darkened so that the words can be read."""
    shade = pygame.Surface(arena.size, pygame.SRCALPHA)
    shade.fill((*ink.BACKGROUND, 170))
    surface.blit(shade, arena)
    x, y = arena.center
    ink.text(surface, title, (x, y - 14 * unit), 58 * unit, ink.BRIGHT, 0.16, "centre")
    ink.text(surface, line, (x, y + 34 * unit), 24 * unit, ink.DIM, 0.04, "centre")


def _draw_help(surface: pygame.Surface, unit: float) -> None:
    """List the keys in the middle of the window."""
    width, height = surface.get_size()
    shade = pygame.Surface((width, height), pygame.SRCALPHA)
    shade.fill((*ink.BACKGROUND, 235))
    surface.blit(shade, (0, 0))
    unit = min(width / 680, height / 560, max(unit, 0.5))
    y = height / 2 - (len(HELP) + 1) * 17 * unit
    ink.text(surface, "KEYS", (width / 2, y - 14 * unit), 38 * unit, ink.BRIGHT, 0.22, "centre")
    for i, (what, keys) in enumerate(HELP):
        line = y + (i + 1.2) * 34 * unit
        ink.text(surface, what, (width / 2 - 24 * unit, line), 25 * unit, ink.DIM, 0, "right")
        ink.text(surface, keys, (width / 2 + 24 * unit, line), 25 * unit, ink.BRIGHT)


def _wrapped(line: str, most: int) -> list[str]:
    """Break a line at spaces into lines of at most so many letters."""
    lines: list[str] = []
    for word in line.split():
        if lines and len(lines[-1]) + 1 + len(word) <= most:
            lines[-1] += " " + word
        else:
            lines.append(word)
    return lines
