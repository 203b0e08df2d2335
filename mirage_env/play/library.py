"""pygame, or the line that says how to get it; imported by the parts of the player that draw."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mirage_env.errors import import_extra

__all__ = ["pygame"]

if TYPE_CHECKING:
    import pygame
else:
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # its greeting would be our first line
    pygame = import_extra("pygame", "play", "the player")
