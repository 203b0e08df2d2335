"""What must not wait for a GPU is run where PyTorch raises an error when something does."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_waiting() -> Iterator[None]:
    """Raise `RuntimeError` within for whatever synchronises the host with the GPU."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "a prototype feature"
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")
