"""The command `mirage`, from its first moment to its last.

It is a package of its own, since importing `mirage_env` takes a while: whoever presses Ctrl-C
meanwhile gets the line that they get later, not a traceback out of the middle of an import.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from importlib.machinery import ExtensionFileLoader
from threading import Timer, get_ident
from types import FrameType
from typing import NoReturn

__all__ = ["main"]

INTERRUPTED, TERMINATED = 130, 143


def main() -> int:
    """Run the command; return its exit code, see `mirage_env.command_line`.

    SIGTERM ends it as Ctrl-C does, so that what was begun is cleared away.
    """
    _on(signal.SIGINT, _leave)
    from mirage_env import cli

    cli.prepare()
    _on(signal.SIGINT, _interrupt)
    _on(signal.SIGTERM, _interrupt)
    try:
        return cli.main()
    except KeyboardInterrupt:  # a second one, while the first was told
        return INTERRUPTED
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            _on(number, signal.SIG_DFL)  # all is done: Python only has to end


def _on(number: signal.Signals, handler: Callable[..., object] | signal.Handlers) -> None:
    """Handle a signal so, unless it is ignored, as in the background of a shell script."""
    if signal.getsignal(number) is not signal.SIG_IGN:
        signal.signal(number, handler)


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    """Leave at once: nothing has been begun."""
    os.write(2, b"mirage: interrupted\n")
    os._exit(INTERRUPTED)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Interrupt what runs; but a compiled module that is being imported first gets ready.

    It would call the interrupt an error of its own, or crash.
    """
    if _importing_compiled(frame):
        later = Timer(0.02, signal.pthread_kill, (get_ident(), number))
        later.daemon = True
        later.start()
    elif number == signal.SIGINT:
        raise KeyboardInterrupt
    else:
        raise SystemExit(TERMINATED)


def _importing_compiled(frame: FrameType | None) -> bool:
    while frame is not None:
        if isinstance(frame.f_locals.get("self"), ExtensionFileLoader):
            return True
        frame = frame.f_back
    return False
