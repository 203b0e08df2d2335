"""The window of ``render_mode="human"``: some worlds side by side, at the game's own pace."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mirage_env.errors import import_extra

__all__ = ["Window", "tiles"]


def tiles(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return pictures [n, size, size, 3] as one, row by row in a grid about as wide as high."""
    n, size = len(pictures), pictures.shape[1]
    columns = math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    grid = np.zeros((rows * columns, size, size, 3), np.uint8)
    grid[:n] = pictures
    grid = grid.reshape(rows, columns, size, size, 3).swapaxes(1, 2)
    return np.ascontiguousarray(grid.reshape(rows * size, columns * size, 3))


class Window:
    """A window that shows one picture after another. It opens with the first one."""

    def __init__(self, title: str, frames_per_second: int) -> None:
        """Import pygame; nothing is opened yet.

        Raises:
            MissingExtraError: If pygame is not installed.
        """
        self._pygame = import_extra("pygame", "play", "render_mode='human'")
        self._title = title
        self._pace = frames_per_second
        self._surface = None
        self._clock = None

    def show(self, picture: NDArray[np.uint8]) -> None:
        """Show a picture [height, width, 3] and wait until its time is over."""
        pygame = self._pygame
        height, width = picture.shape[:2]
        if self._surface is None:
            pygame.display.init()
            pygame.display.set_caption(self._title)
            self._clock = pygame.time.Clock()
            self._surface = pygame.display.set_mode((width, height))
        assert self._clock is not None
        self._surface.blit(
            pygame.image.frombuffer(picture.tobytes(), (width, height), "RGB"), (0, 0)
        )
        pygame.event.pump()
        pygame.display.flip()
        self._clock.tick(self._pace)

    def close(self) -> None:
        """Close the window. Closing twice is fine."""
        if self._surface is not None:
            self._surface = None
            self._pygame.display.quit()
