"""Write a small file whole or not at all, whatever happens meanwhile."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["check_place", "write_whole"]


def write_whole(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file, and make its folder if there is none.

    The bytes go to a file of another name in the same folder, which takes its real name when it is
    on the disk: a reader finds the old file or the new one, and a full disk leaves the old one.

    Raises:
        OSError: If it cannot be written, naming the file.
    """
    with _part_of(Path(path)) as part:
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)


def check_place(path: str | os.PathLike[str]) -> None:
    """Raise what `write_whole` would, before the work that is to be written; make the folder."""
    with _part_of(Path(path)) as part:
        if Path(path).is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        part.touch(exist_ok=False)


@contextmanager
def _part_of(path: Path) -> Iterator[Path]:
    """Give the name of a file beside another, which is gone afterwards."""
    part = path.with_name(f".{path.name}-{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
