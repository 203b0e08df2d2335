"""Where the replays of what is played go."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

from mirage_env.play.worlds import GameWorld
from mirage_env.replay_file import SUFFIX

__all__ = ["Shelf"]


class Shelf:
    """A folder for the replays of a game.

    Example:
        >>> shelf = Shelf(Path("replays"), game)
        >>> shelf.keep()
        PosixPath('replays/seed-7-score-120.replay')
    """

    def __init__(self, folder: Path, game: GameWorld, every: bool = False) -> None:
        """Keep games in a folder, which is made when the first is.

        Args:
            folder: Where to.
            game: Which game is played.
            every: Keep a game that is left, too, if a key was pressed in it.
        """
        self.folder = folder
        self._game = game
        self._every = every

    def keep(self) -> Path:
        """Write the game so far; return the file. Nothing that is there is written over.

        Raises:
            OSError: If it cannot be written.
        """
        replay = self._game.replay()
        name = f"seed-{replay.seed}-score-{replay.score}"
        path = next(path for path in _names(self.folder, name) if not path.exists())
        replay.save(path)
        return path

    def leave(self) -> None:
        """Take note that the game is left: by quitting, or for another."""
        if self._every and any(self._game.played):
            self.keep()


def _names(folder: Path, name: str) -> Iterator[Path]:
    yield folder / f"{name}{SUFFIX}"
    yield from (folder / f"{name}-{i}{SUFFIX}" for i in count(2))
