"""How every command of the project reads its arguments, and how it ends.

Arguments are the fields of a frozen dataclass, read by tyro. A command ends with 0 when it is done,
1 when it failed (a file, a port, a device or a package is not there), 2 when it was used wrongly
(its arguments cannot be right on any machine), 130 when it was interrupted and 143 when it was
terminated; and says why in a line.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar, Union, get_args, get_origin

import gymnasium

from mirage_env.errors import import_extra

__all__ = ["FAILED", "INTERRUPTED", "OK", "USAGE", "ended", "parsed", "refuse", "stop_signals"]

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130

Config = TypeVar("Config")

KINDS: dict[type, tuple[str, str]] = {
    int: ("N", "a whole number"),
    float: ("NUMBER", "a number"),
    str: ("NAME", "a name"),
    Path: ("PATH", "a path"),
}
"""What help and errors call the values of a type."""


def parsed(
    config: type[Config],
    arguments: Sequence[str] | None,
    prog: str,
    *,
    description: str | None = None,
    default: Config | None = None,
) -> Config:
    """Return the configuration that arguments ask for.

    Args:
        config: A frozen dataclass; its docstring is the help.
        arguments: Without the command's own name; those of the process by default.
        prog: What the help calls the command.
        description: Help instead of the docstring.
        default: A configuration to begin with.

    Raises:
        SystemExit: After help was printed (0), or an error (2).
        MissingExtraError: Without tyro.
    """
    tyro = import_extra("tyro", "cli", prog)
    registry = tyro.constructors.ConstructorRegistry()
    registry.primitive_rule(_plain)
    given: dict[str, Any] = {} if default is None else {"default": default}
    return tyro.cli(
        config,
        prog=prog,
        args=arguments,
        description=description,
        registry=registry,
        config=(tyro.conf.PositionalRequiredArgs,),
        **given,
    )


def ended(work: Callable[[], int | None], *expected: type[Exception]) -> int:
    """Do some work; return the exit code of its command.

    Args:
        work: Returns an exit code, None for 0.
        *expected: Errors that are told in a line and not as a traceback, beside the usual.
    """
    try:
        code = work() or OK
        sys.stdout.flush()  # here, where it is known what to do if nobody reads it
        return code
    except KeyboardInterrupt as stop:
        _say(": ".join(["interrupted", *map(str, stop.args)]))
        return INTERRUPTED
    except BrokenPipeError:  # such as `mirage --help | head -1`: nobody reads on
        sys.stdout = open(os.devnull, "w")  # so that the last flush finds one
        return FAILED
    except (ValueError, OSError, ImportError, gymnasium.error.Error, *expected) as error:
        _say(_in_a_line(error))
        return FAILED
    except SystemExit as stop:  # parsers of arguments leave by it
        return stop.code if isinstance(stop.code, int) else OK if stop.code is None else FAILED


@contextmanager
def stop_signals() -> Iterator[Callable[[], bool]]:
    """Turn SIGINT and SIGTERM into a wish to stop, which whoever works asks for at times.

    A second one stops at once. One that is ignored stays so, and threads other than the main one
    are left as they are.
    """
    wish = threading.Event()

    def stop(number: int, frame: types.FrameType | None) -> None:
        wish.set()
        signal.signal(number, before[number])

    if threading.current_thread() is not threading.main_thread():
        yield wish.is_set
        return
    heard = [n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) != signal.SIG_IGN]
    before = {int(number): signal.signal(number, stop) for number in heard}
    try:
        yield wish.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def refuse(prog: str, reason: object) -> NoReturn:
    """Leave a command that was used wrongly.

    Raises:
        SystemExit: Always.
    """
    print(f"{prog}: {reason}; `{prog} --help` says more", file=sys.stderr)
    raise SystemExit(USAGE)


def _say(line: str) -> None:
    print(f"mirage: {line}", file=sys.stderr)


def _in_a_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split())


def _plain(info: Any) -> Any:
    """Read a value of one of `KINDS`, or of none: tyro would call these "{None}|INT" and "STR"."""
    union = get_origin(info.type) in (Union, types.UnionType)
    kinds = [k for k in get_args(info.type) if k is not type(None)] if union else [info.type]
    if len(kinds) != 1 or kinds[0] not in KINDS:
        return None
    kind: type = kinds[0]
    metavar, called = KINDS[kind]

    def read(given: list[str]) -> Any:
        try:
            return kind(given[0])
        except ValueError:
            raise ValueError(f"it must be {called}, got {given[0]!r}") from None

    return import_extra("tyro", "cli", "a command").constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar=metavar,
        instance_from_str=read,
        is_instance=lambda value: isinstance(value, kind) or (union and value is None),
        str_from_instance=lambda value: ["none" if value is None else str(value)],
    )
