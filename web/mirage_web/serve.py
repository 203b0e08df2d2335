"""The command `mirage serve`: settings checked, a port taken, models loaded, and the server run."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import re
import signal
import socket
import sys
import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mirage_env import checks
from mirage_env.command_line import ended, parsed
from mirage_env.errors import import_extra
from mirage_web.lanes import DreamLanes
from mirage_web.limits import Limits
from mirage_web.models import load, load_available, places
from mirage_web.wire import TICKS_PER_SECOND
from mirage_wm.predictors import chosen_device

__all__ = ["Serve", "is_loopback", "main"]

OK = 0
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
"""What this machine calls itself; always answered to."""
HOST = re.compile(r"[A-Za-z0-9.-]+|[0-9A-Fa-f:]+:[0-9A-Fa-f:]*")
ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:\d+)?")


def is_loopback(host: str) -> bool:
    """Return whether an address is reached from this machine alone."""
    return host in LOOPBACK or host.startswith("127.")


@dataclass(frozen=True)
class Serve:
    """Play the game, its dream or both in a browser.

    The page and everything that it needs is served on one port. Ctrl-C or SIGTERM stops it; pages
    that are open come back by themselves when it runs again.

    Example: mirage serve

    Example: mirage serve --port 8080 --models v1

    Example: mirage serve --host 0.0.0.0 --allow-host play.example.org --behind-proxy
    """

    host: str = "127.0.0.1"
    """Address to listen on. One that others can reach needs --allow-host."""
    port: int = 8000
    """Port to listen on; 0 takes one that is free."""
    models: tuple[str, ...] = ()
    """Which models dream, the first unless another is asked for: names or files of such as learned
    the standard rules; by default all of the project's."""
    device: str = "auto"
    """What computes the dreams: auto, cpu, cuda or cuda:N."""
    threads: int = 0
    """Threads that compute dreams on a CPU; 0 takes one for each core."""
    open: bool = False
    """Open the page in a browser, where there is a display."""
    allow_host: tuple[str, ...] = ()
    """Names, without a port, by which people reach this server."""
    allow_origin: tuple[str, ...] = ()
    """Origins (https://example.org) of other pages that may play here."""
    behind_proxy: bool = False
    """A proxy stands in front: take addresses from the last entry of X-Forwarded-For."""
    max_games: int = Limits.games
    """Players in mode real at the same time."""
    max_dreams: int | None = None
    """Players in the modes dream and both at the same time; tried out at the start by default."""
    max_waiting: int = Limits.waiting
    """Players who may wait for a place."""
    max_per_address: int = Limits.per_address
    """Connections from one address."""
    idle_pause: int = Limits.idle_pause
    """Seconds without a key after which a game is paused."""
    idle_close: int = Limits.idle_close
    """Seconds without a key after which a connection is closed."""

    def __post_init__(self) -> None:
        """Check every choice.

        Raises:
            ValueError: For one that cannot be.
        """
        checks.device_name(self.device)
        _within("--port", self.port, 0, 65_535)
        _within("--threads", self.threads, 0, 1024)
        _within("--max-games", self.max_games, 0, 10_000)
        _within("--max-dreams", self.max_dreams or 0, 0, 10_000)
        _within("--max-waiting", self.max_waiting, 0, 10_000)
        _within("--max-per-address", self.max_per_address, 1, 100_000)
        _within("--idle-pause", self.idle_pause, 1, 65_535)
        _within("--idle-close", self.idle_close, self.idle_pause, 65_535)
        for name in self.allow_host:
            if not HOST.fullmatch(name):
                raise ValueError(f"--allow-host takes a name without a port, got {name!r}")
        for origin in self.allow_origin:
            if not ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"--allow-origin takes https://name or https://name:port, got {origin!r}"
                )
        if not is_loopback(self.host) and not self.allow_host:
            raise ValueError(
                f"--host {self.host} lets others reach this server: say by which name they do, "
                "such as --allow-host play.example.org"
            )

    @property
    def limits(self) -> Limits:
        """What the server allows; `max_dreams` must be known."""
        return Limits(
            games=self.max_games,
            dreams=self.max_dreams or 0,
            waiting=self.max_waiting,
            per_address=self.max_per_address,
            idle_pause=self.idle_pause,
            idle_close=self.idle_close,
        )

    def run(self) -> int:
        """Serve until Ctrl-C or SIGTERM; return the exit code.

        Raises:
            MissingExtraError: Without websockets.
            ValueError: If a device or a model that was named cannot be used.
            OSError: If the port cannot be listened on.
        """
        import_extra("websockets", "web", "mirage serve")
        logging.basicConfig(format="mirage: %(message)s")
        if self.device != "auto":
            chosen_device(self.device)
        with self._listen() as listening:
            if self.models:
                dreams = load(self.models, self.device, self.threads)
            else:
                dreams = load_available(self.device, self.threads, _say)
            settled = (
                self if self.max_dreams is not None else replace(self, max_dreams=_try(dreams))
            )
            asyncio.run(_serve(settled, dreams, listening))
        return OK

    def _listen(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        try:
            return socket.create_server((self.host, self.port), family=family, backlog=256)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise OSError(
                    f"port {self.port} of {self.host} is in use: stop what uses it, or take "
                    "another by --port"
                ) from error
            # A name that nobody knows has a negative number.
            unknown = error.errno == errno.EADDRNOTAVAIL or (error.errno or 0) < 0
            why = "this machine has no such address" if unknown else os.strerror(error.errno or 0)
            raise OSError(f"cannot listen on {self.host}, port {self.port}: {why}") from error


async def _serve(settings: Serve, dreams: dict[str, DreamLanes], listening: socket.socket) -> None:
    from mirage_web.server import Server
    from mirage_web.site import Doors

    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    hosts = LOOPBACK | {settings.host} | {name.lower() for name in settings.allow_host}
    doors = Doors(frozenset(hosts), frozenset(settings.allow_origin))
    server = Server(dreams, doors, settings.limits, behind_proxy=settings.behind_proxy)
    serving = asyncio.create_task(server.run(listening, stop))
    address = _address(settings, listening.getsockname()[1])
    modes = ("both", "real", "dream") if dreams else ("real",)
    for mode in modes:
        print(f"{address}/?mode={mode}", flush=True)
    if settings.open and _display():
        await asyncio.to_thread(webbrowser.open, f"{address}/?mode={modes[0]}")
    await serving


def _address(settings: Serve, port: int) -> str:
    host = settings.allow_host[0] if not is_loopback(settings.host) else settings.host
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _display() -> bool:
    """Return whether a browser that is opened here would be seen."""
    if sys.platform.startswith("linux"):
        return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return True


def _try(dreams: dict[str, DreamLanes]) -> int:
    """Return how many dreams this machine holds, at least one where there is a model."""
    if not dreams:
        return 0
    name, lanes = next(iter(dreams.items()))
    held = places(lanes)
    if not held:
        _say(f"{name} is dreamt at less than {TICKS_PER_SECOND} frames a second here")
    return max(1, held)


def _say(line: str) -> None:
    print(f"mirage: {' '.join(line.split())}", file=sys.stderr, flush=True)


def _within(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} must be from {low} to {high}, got {value}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command `mirage serve`; return its exit code."""
    return ended(lambda: parsed(Serve, arguments, "mirage serve").run())
