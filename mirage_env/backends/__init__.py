"""The simulators by name. This table is the only place that knows which there are."""

from __future__ import annotations

import importlib
from typing import Any

from mirage_env.errors import BackendUnavailableError
from mirage_env.simulator import SimulatorConfig

__all__ = ["AUTO", "BACKENDS", "BACKEND_NAMES", "ON_DEVICE", "make"]

BACKENDS = {
    "cuda": ("mirage_env.backends.cuda_simulator", "CudaSimulator"),
    "native": ("mirage_env.backends.native", "NativeSimulator"),
    "oracle": ("mirage_env.backends.oracle", "OracleSimulator"),
}
"""Module and class of each. A module that cannot run here raises `ImportError` with the reason."""

ON_DEVICE = {"cuda": ("mirage_env.backends.cuda_world", "CudaWorld")}
"""Module and class of those that can leave what they compute on a device, as tensors."""

AUTO = ("native", "cuda")
"""What backend="auto" tries, in this order. Never the oracle: it is a thousand times slower.

The CPU first, since a picture that is wanted on the host is drawn there sooner than it is fetched
from a GPU. For tensors it is the other way round."""

BACKEND_NAMES = ("auto", *BACKENDS)


def make(name: str, config: SimulatorConfig, *, tensors: bool = False) -> Any:
    """Return a new simulator of the backend `name`, or of the best one that runs here for "auto".

    Args:
        name: One of `BACKEND_NAMES`.
        config: How it steps.
        tensors: Where the backend computes on a device, leave what it computes there: what is
            returned then is its `World` of PyTorch tensors, and not a `Simulator`.

    Raises:
        ValueError: If there is no such backend.
        BackendUnavailableError: If it cannot run here, with the reason and what to do.
    """
    if name not in BACKEND_NAMES:
        raise ValueError(
            f"backend must be one of {', '.join(map(repr, BACKEND_NAMES))}, got {name!r}"
        )
    reasons = []
    order = reversed(AUTO) if tensors else AUTO
    for candidate in order if name == "auto" else (name,):
        module, simulator = BACKENDS[candidate]
        if tensors and candidate in ON_DEVICE:
            module, simulator = ON_DEVICE[candidate]
        try:
            return getattr(importlib.import_module(module), simulator)(config)
        except ImportError as error:
            reasons.append(f"backend {candidate!r} cannot be used: {error}")
    raise BackendUnavailableError("; ".join(reasons))
