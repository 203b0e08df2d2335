"""Write small files whole or not at all, whatever happens meanwhile."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["check_place", "write_together", "write_whole"]


def write_whole(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file, and make its folder if there is none.

    The bytes go to a file of another name in the same folder, which takes its real name when it is
    on the disk: a reader finds the old file or the new one, and a full disk leaves the old one.

    Raises:
        OSError: If it cannot be written, naming the file.
    """
    write_together({Path(path): data})


def write_together(files: Mapping[Path, bytes]) -> None:
    """Write some files as `write_whole` does; they get their names when all are on the disk.

    Raises:
        OSError: If one cannot be written, naming it.
    """
    parts = {path: _part(path) for path in files}
    try:
        for path, data in files.items():
            with _naming(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                with parts[path].open("xb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
        for path, part in parts.items():
            with _naming(path):
                os.replace(part, path)
    finally:
        for part in parts.values():
            _remove(part)


def check_place(path: str | os.PathLike[str]) -> None:
    """Raise what `write_whole` would, before the work that is to be written; make the folder."""
    path = Path(path)
    part = _part(path)
    with _naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        part.touch(exist_ok=False)
        _remove(part)


def _part(path: Path) -> Path:
    """Return the name of a file until it is whole."""
    return path.with_name(f".{path.name}-{secrets.token_hex(4)}.part")


def _remove(part: Path) -> None:
    with suppress(OSError):
        part.unlink(missing_ok=True)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Let an error name the file that is to be written, not its part."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
