"""All that a training run needs to go on: written whole or not at all, no code in it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch

__all__ = ["load_checkpoint", "save_checkpoint"]


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write nested dicts and lists of tensors, arrays, numbers and strings, whole or not at all."""
    written = path.with_name(path.name + ".part")
    with written.open("wb") as file:
        torch.save(_plain(state), file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(written, path)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read what `save_checkpoint` wrote, on the CPU; arrays come back as tensors.

    Raises:
        ValueError: If it is not a whole checkpoint.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(f"{path} is not a whole checkpoint of a training run: {error}") from error


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return torch.from_numpy(np.ascontiguousarray(value)) if isinstance(value, np.ndarray) else value
