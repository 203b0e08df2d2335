"""All that a training run needs to go on: written whole or not at all, no code in it.

A checkpoint is a set of files, since some ways from one machine to another carry no large ones:
``checkpoint-STEP-HASH-1-of-3.pt`` and so on, each at most `PART` bytes. Put together they are one
file of `torch.save`, and HASH is the beginning of its SHA-256. The newest whole set in a folder
counts; older ones are deleted once a newer one is whole.
"""

from __future__ import annotations

import hashlib
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mirage_env.whole_file import write_together

__all__ = ["CheckpointError", "has_checkpoint", "load_checkpoint", "save_checkpoint"]

PART = 15 * 2**20
"""Bytes of a file, at most."""

NAME = re.compile(r"checkpoint-(\d{9})-([0-9a-f]{16})-(\d+)-of-(\d+)\.pt")


class CheckpointError(ValueError):
    """A checkpoint that cannot be written or gone on from; the message says why."""


def save_checkpoint(folder: Path, step: int, state: dict[str, Any]) -> list[Path]:
    """Write nested dicts and lists of tensors, arrays, numbers and strings, whole or not at all.

    Returns:
        The paths of the parts.

    Raises:
        CheckpointError: If it cannot be written, such as on a full disk; what was there is whole.
    """
    buffer = io.BytesIO()
    torch.save(_plain(state), buffer)
    data = buffer.getvalue()
    known = hashlib.sha256(data).hexdigest()[:16]
    pieces = [data[i : i + PART] for i in range(0, len(data), PART)]
    paths = [
        folder / f"checkpoint-{step:09d}-{known}-{i}-of-{len(pieces)}.pt"
        for i in range(1, len(pieces) + 1)
    ]
    try:
        write_together(dict(zip(paths, pieces, strict=True)))
    except OSError as error:
        raise CheckpointError(
            f"cannot write the checkpoint of step {step} to {folder}: {error.strerror}; the one "
            "before it, if there is one, is still there to go on from"
        ) from error
    for path in folder.iterdir():
        if NAME.search(path.name) and path not in paths:  # or what is left of an interrupted one
            path.unlink()
    return paths


def has_checkpoint(folder: Path) -> bool:
    """Return whether there is a whole set of files."""
    return bool(_whole_sets(folder))


def load_checkpoint(folder: Path) -> dict[str, Any]:
    """Read the newest that `save_checkpoint` wrote, on the CPU; arrays come back as tensors.

    Raises:
        CheckpointError: If there is none, it was changed, or it holds numbers that are none.
    """
    sets = _whole_sets(folder)
    if not sets:
        raise CheckpointError(f"there is no whole checkpoint in {folder}")
    (step, known), paths = max(sets.items())
    data = b"".join(path.read_bytes() for path in paths)
    try:
        if hashlib.sha256(data).hexdigest()[:16] != known:
            raise ValueError("its hash is not the one in its files' names")
        state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(
            f"the checkpoint of step {step} in {folder} was changed or cut short: {error}"
        ) from error
    broken = _not_finite(state)
    if broken:
        raise CheckpointError(
            f"the checkpoint of step {step} in {folder} cannot be gone on from: {broken} is not "
            "finite; begin anew, with a smaller --schedule.peak"
        )
    return state


def _whole_sets(folder: Path) -> dict[tuple[int, str], list[Path]]:
    """Return the paths of each set of which no part is missing, by step and hash."""
    found: dict[tuple[int, str, int], dict[int, Path]] = {}
    for path in folder.glob("checkpoint-*.pt"):
        if match := NAME.fullmatch(path.name):
            step, known, i, n = match.groups()
            found.setdefault((int(step), known, int(n)), {})[int(i)] = path
    return {
        (step, known): [parts[i] for i in range(1, n + 1)]
        for (step, known, n), parts in found.items()
        if len(parts) == n
    }


def _not_finite(value: Any, name: str = "state") -> str:
    """Return the name of the first tensor with a NaN or an infinity, or nothing."""
    if isinstance(value, dict):
        parts = [_not_finite(part, f"{name}.{key}") for key, part in value.items()]
        return next(filter(None, parts), "")
    if isinstance(value, list):
        parts = [_not_finite(part, f"{name}.{i}") for i, part in enumerate(value)]
        return next(filter(None, parts), "")
    bad = isinstance(value, torch.Tensor) and value.is_floating_point()
    return name if bad and not bool(torch.isfinite(value).all()) else ""


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return torch.from_numpy(np.ascontiguousarray(value)) if isinstance(value, np.ndarray) else value
