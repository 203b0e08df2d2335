"""The window: events in, a tick, a picture out, thirty times a second."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from mirage_env.play.controls import Command, Controls
from mirage_env.play.layout import Layout, window_size
from mirage_env.play.library import pygame
from mirage_env.play.pace import Pace
from mirage_env.play.session import Session
from mirage_env.play.shelf import Shelf
from mirage_env.play.view import Overlay, View
from mirage_env.rules import Rules

__all__ = ["App", "display_missing", "play_in_window"]

TICKS_PER_SECOND = Rules().ticks_per_second
NOTICE_TICKS = 4 * TICKS_PER_SECOND
"""How long a notice stays."""

UNSEEN = ("offscreen", "dummy")
"""What SDL falls back to where no display answers: it opens windows that nobody sees."""


def display_missing() -> str:
    """Return why no window can be opened here, or an empty text."""
    asked_for = os.environ.get("SDL_VIDEODRIVER")
    if sys.platform.startswith("linux") and not asked_for:
        if not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
            return "there is no display (neither DISPLAY nor WAYLAND_DISPLAY is set)"
    try:
        pygame.display.init()
    except pygame.error as error:
        return f"no window can be opened ({error})"
    driver = pygame.display.get_driver()
    if driver in UNSEEN and not asked_for:
        pygame.display.quit()
        return f"no window can be opened (no display answers; SDL has only its driver {driver!r})"
    return ""


class App:
    """A session in a window.

    Attributes:
        session: What is played.
        controls: What is held down.
        places: Where things were drawn last.
        running: False once the player has quit.
        help: Whether the help is open; the session stands still meanwhile.
    """

    def __init__(
        self,
        session: Session,
        edge: int = 640,
        pilot: Callable[[], int | None] | None = None,
        notice: str = "",
        shelf: Shelf | None = None,
    ) -> None:
        """Open the window.

        Args:
            session: What is played.
            edge: Width of an arena at first, pixels.
            pilot: Gives the actions until a person presses a key of the game, or it has no more:
                then the session is paused.
            notice: A first line for the player.
            shelf: Where replays go.

        Raises:
            pygame.error: If no window can be opened.
        """
        self.session = session
        self.controls = Controls()
        self.running = True
        self.help = False
        self._pilot = pilot
        self._shelf = shelf
        self._edge = edge
        self._notice, self._notice_left = notice, NOTICE_TICKS
        self._view = View()
        pygame.display.init()
        pygame.joystick.init()
        pygame.display.set_caption("Mirage")
        pygame.display.set_mode(window_size(edge, len(session.visible)), pygame.RESIZABLE)
        pygame.mouse.set_visible(True)
        self.places: Layout = self._draw(None)

    def run(self) -> None:
        """Play until the player quits, and close the window."""
        pace = Pace(TICKS_PER_SECOND)
        try:
            while self.advance(pace.rate):
                pace.wait()
        finally:
            self.close()

    def close(self) -> None:
        """Close the window, and leave the game. Closing twice is fine."""
        pygame.joystick.quit()
        pygame.display.quit()
        shelf, self._shelf = self._shelf, None
        if shelf is not None:
            shelf.leave()

    def advance(self, fps: float | None = None) -> bool:
        """Take the events, play a tick, draw; return whether to go on."""
        for event in pygame.event.get():
            self._take(event)
        if not self.running:
            return False
        if not self.help:
            self.session.advance(self._action())
        self._notice_left = max(0, self._notice_left - 1)
        self.places = self._draw(fps)
        return True

    def _draw(self, fps: float | None) -> Layout:
        notice = self._notice if self._notice_left else ""
        surface = pygame.display.get_surface()
        assert surface is not None
        places = self._view.draw(surface, self.session, Overlay(fps, self.help, notice))
        pygame.display.flip()
        return places

    def _action(self) -> int:
        action = self.controls.action()
        if self._pilot is None:
            return action
        if action:  # a person takes over
            self._pilot, self.session.restart = None, False
            return action
        planned = self._pilot()
        if planned is None:
            self._pilot, self.session.paused = None, True
            self._say("the replay is over: P, and you play on from here")
        return planned or 0

    def _take(self, event: pygame.event.Event) -> None:
        if event.type == pygame.VIDEORESIZE:
            self._resize(event.size)
            return
        known = set(self.controls.gamepads)
        command = self.controls.feed(event)
        for new in set(self.controls.gamepads) - known:
            self._say(f"gamepad: {self.controls.gamepads[new]}")
        if command is not None:
            self._obey(command)

    def _resize(self, size: tuple[int, int]) -> None:
        surface = pygame.display.get_surface()
        if surface is None or surface.get_size() != tuple(size):
            pygame.display.set_mode(size, pygame.RESIZABLE)

    def _obey(self, command: Command) -> None:
        session = self.session
        if command is Command.HELP or (command is Command.CANCEL and self.help):
            self.help = not self.help
        elif command in (Command.QUIT, Command.CANCEL):
            self.running = False
        elif command is Command.PAUSE:
            session.pause()
        elif command is Command.RESET:
            self._reset()
        elif command is Command.STEP:
            session.single_step(self._action())
        elif command is Command.SWITCH:
            shape = len(session.visible)
            if not session.switch():
                self._say("there is no dream to switch to")
            self._fit(shape)
        elif command is Command.BOTH:
            shape = len(session.visible)
            if not session.show_both():
                self._say("there is no dream to show beside the game")
            self._fit(shape)
        elif command is Command.KEEP:
            self._keep()

    def _reset(self) -> None:
        if self._shelf is not None:
            try:
                self._shelf.leave()
            except OSError as error:
                self._say(f"not kept: {error.strerror or error}")
        self.session.reset()

    def _keep(self) -> None:
        if self._shelf is None:
            self._say("there is nowhere to keep a replay")
            return
        try:
            self._say(f"kept as {self._shelf.keep()}")
        except OSError as error:
            self._say(f"not kept: {error.strerror or error}")

    def _fit(self, before: int) -> None:
        """Give the window the shape for the worlds in view, their arenas as large as they were."""
        count = len(self.session.visible)
        if count == before:
            return
        edge = self.places.arenas[0].width
        sizes = pygame.display.get_desktop_sizes()
        wide, high = sizes[0] if sizes else (1920, 1080)
        while edge > 128 and not _fits(window_size(edge, count), (wide, high - 80)):
            edge -= 64
        pygame.display.set_mode(window_size(edge, count), pygame.RESIZABLE)

    def _say(self, notice: str) -> None:
        self._notice, self._notice_left = notice, NOTICE_TICKS


def play_in_window(
    session: Session,
    edge: int,
    pilot: Callable[[], int | None] | None = None,
    notice: str = "",
    shelf: Shelf | None = None,
) -> str:
    """Play until the player quits (see `App`); return why that cannot be, or an empty text."""
    reason = display_missing()
    if reason:
        return reason
    try:
        app = App(session, edge, pilot, notice, shelf)
    except pygame.error as error:
        return f"no window can be opened ({error})"
    app.run()
    return ""


def _fits(inner: tuple[int, int], outer: tuple[int, int]) -> bool:
    return inner[0] <= outer[0] and inner[1] <= outer[1]
