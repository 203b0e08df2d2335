"""Writes what a session shows to a video; needs no display."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mirage_env.errors import import_extra
from mirage_env.play.layout import window_size
from mirage_env.play.library import pygame
from mirage_env.play.session import Session
from mirage_env.play.view import Overlay, View
from mirage_env.rules import Rules
from mirage_env.video import VideoWriter

__all__ = ["picture", "record"]

TICKS_PER_SECOND = Rules().ticks_per_second


def picture(session: Session, edge: int) -> NDArray[np.uint8]:
    """Return a session as it is shown, uint8 [height, width, 3], with arenas `edge` pixels wide."""
    surface = pygame.Surface(window_size(edge, len(session.visible)))
    View().draw(surface, session, Overlay(keys=False))
    width, height = surface.get_size()
    return np.frombuffer(pygame.image.tobytes(surface, "RGB"), np.uint8).reshape(height, width, 3)


def record(
    session: Session, pilot: Callable[[], int], path: Path, seconds: float, edge: int = 512
) -> int:
    """Play a session for some seconds and write it to a video; return the number of frames.

    Args:
        session: What is played.
        pilot: Gives the action of each tick.
        path: Ends in ``.mp4`` or ``.gif``; there is a whole video in the end, or none.
        seconds: Of the game.
        edge: Width of an arena, pixels.

    Raises:
        ValueError: If the name ends otherwise.
        MissingExtraError: Without pygame or imageio-ffmpeg.
        VideoError: If the video cannot be written.
    """
    frames = max(1, round(seconds * TICKS_PER_SECOND))
    tqdm = import_extra("tqdm", "cli", "the progress bar").tqdm
    with VideoWriter(path, TICKS_PER_SECOND) as video:
        for _ in tqdm(range(frames), desc=str(path), unit=" frames", leave=False, disable=None):
            video.write(picture(session, edge))
            session.advance(pilot())
    return frames
