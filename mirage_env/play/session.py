"""A sitting at the game: worlds that are fed the same keys, one or two in view. No pygame here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mirage_env.likeness import psnr

__all__ = ["LINGER", "Playable", "Session"]

LINGER = 60
"""Ticks for which an ended episode stays in view where the player restarts by itself."""


OPENING = 16
"""The history that a dream begins from has at most so many ticks."""


class Playable(Protocol):
    """What a session plays: the game, or a dream of it.

    Attributes:
        name: In capitals, as it is shown.
        pixels: Edge of its own picture in pixels, or 0 if it is drawn at any size.
        score: Points of this episode.
        lives: Lives left; None in a world that does not count them.
        wave: Number of the wave; None in a world that does not count them.
        over: Whether the episode has ended.
    """

    name: str
    pixels: int
    score: int
    lives: int | None
    wave: int | None
    over: bool

    def begin(self, seed: int) -> None:
        """Begin an episode; the same seed gives the same episode."""
        ...

    def step(self, action: int) -> None:
        """Play one tick."""
        ...

    def picture(self, size: int) -> NDArray[np.uint8]:
        """Return the world as it is now, uint8 [edge, edge, 3].

        The edge is `pixels`, or `size` where that is 0.
        """
        ...


class Session:
    """Worlds side by side in time: each tick every one of them gets the same action.

    Attributes:
        worlds: The game first, then the dream, if there is one.
        seed: Of the episode being played.
        tick: Ticks since the episode began.
        paused: Whether `advance` stands still.
        both: Whether all worlds are in view, not only the `shown` one.
        best: The best score of each world in this sitting.

    Example:
        >>> session = Session([game, dream], seed=7)
        >>> session.advance(action=1)
        >>> session.switch()
        >>> session.shown.name
        'DREAM'
    """

    def __init__(
        self, worlds: Sequence[Playable], seed: int, restart: bool = False, stride: int = 1
    ) -> None:
        """Begin an episode in each world.

        Args:
            worlds: One or more.
            seed: Of the first episode.
            restart: Begin anew, some time after all worlds in view have ended, without being asked.
            stride: From the seed of an episode to that of the next.
        """
        if not worlds:
            raise ValueError("a session needs at least one world, got none")
        self.worlds = tuple(worlds)
        self.restart = restart
        self._stride = stride
        self.paused = False
        self.both = False
        self.best = [0] * len(self.worlds)
        self._shown = 0
        self._begin(seed)

    def _begin(self, seed: int) -> None:
        self.seed, self.tick, self._ended_for = seed, 0, 0
        for world in self.worlds:
            world.begin(seed)
        self._meet()

    def _meet(self) -> None:
        """Let the game idle until it shows what the dream begins with.

        A dream begins from a short history of the game in which no key is pressed; from there on
        both are played side by side.
        """
        game = self.worlds[0]
        for _ in range(OPENING):
            if self.likeness() in (None, 99.0):
                return
            game.step(0)
        game.begin(self.seed)  # they never meet: each has its own beginning

    @property
    def shown(self) -> Playable:
        """The world in view, or the main one of both."""
        return self.worlds[self._shown]

    @property
    def visible(self) -> tuple[Playable, ...]:
        """The worlds in view, from left to right."""
        return self.worlds if self.both else (self.shown,)

    @property
    def over(self) -> bool:
        """Whether all worlds in view have ended."""
        return all(world.over for world in self.visible)

    def advance(self, action: int) -> bool:
        """Play a tick unless the session is paused; return whether it did."""
        if self.paused:
            return False
        self._tick(action)
        return True

    def single_step(self, action: int) -> None:
        """Pause, and play exactly one tick."""
        self.paused = True
        self._tick(action)

    def _tick(self, action: int) -> None:
        self.tick += 1
        for i, world in enumerate(self.worlds):
            if not world.over:
                world.step(action)
                self.best[i] = max(self.best[i], world.score)
        self._ended_for = self._ended_for + 1 if self.over else 0
        if self.restart and self._ended_for > LINGER:
            self._begin(self.seed + self._stride)

    def reset(self) -> None:
        """Begin the next episode in every world, and play on if the session was paused."""
        self.paused = False
        self._begin(self.seed + self._stride)

    def pause(self) -> None:
        """Stand still, or go on."""
        self.paused = not self.paused

    def switch(self) -> bool:
        """Show the next world alone; return whether there is another one."""
        self._shown = (self._shown + 1) % len(self.worlds)
        self.both = False
        return len(self.worlds) > 1

    def show(self, name: str) -> None:
        """Show the world of that name alone.

        Raises:
            ValueError: If there is none.
        """
        names = [world.name for world in self.worlds]
        if name not in names:
            raise ValueError(f"there is no world {name!r} in this session, only {', '.join(names)}")
        self._shown = names.index(name)
        self.both = False

    def show_both(self) -> bool:
        """Show all worlds side by side, or one again; return whether there is more than one."""
        self.both = not self.both and len(self.worlds) > 1
        return len(self.worlds) > 1

    def likeness(self) -> float | None:
        """Return how alike game and dream are now, None without a dream.

        It is the PSNR of their small pictures in dB, at most 99.
        """
        pixels = next((world.pixels for world in self.worlds if world.pixels), 0)
        if not pixels or len(self.worlds) < 2:
            return None
        first, second = (world.picture(pixels) for world in self.worlds[:2])
        return min(99.0, psnr(first, second))
