"""The simulators by name. This table is the only place that knows which there are."""

from __future__ import annotations

import importlib

from mirage_env.errors import BackendUnavailableError
from mirage_env.simulator import Simulator, SimulatorConfig

__all__ = ["AUTO", "BACKENDS", "BACKEND_NAMES", "make"]

BACKENDS = {
    "native": ("mirage_env.backends.native", "NativeSimulator"),
    "oracle": ("mirage_env.backends.oracle", "OracleSimulator"),
}
"""Module and class of each. A module that cannot run here raises `ImportError` with the reason."""

PLANNED = {"cuda": "the CUDA backend is not built yet: use backend='native'"}
"""Backends that have a name and no module, with what to say of them."""

AUTO = ("native",)
"""What backend="auto" tries, in this order. Never the oracle: it is a thousand times slower."""

BACKEND_NAMES = ("auto", *BACKENDS, *PLANNED)


def make(name: str, config: SimulatorConfig) -> Simulator:
    """Return a new simulator of the backend `name`, or of the best one that runs here for "auto".

    Raises:
        ValueError: If there is no such backend.
        BackendUnavailableError: If it cannot run here, with the reason and what to do.
    """
    if name not in BACKEND_NAMES:
        raise ValueError(
            f"backend must be one of {', '.join(map(repr, BACKEND_NAMES))}, got {name!r}"
        )
    if name in PLANNED:
        raise BackendUnavailableError(PLANNED[name])
    reasons = []
    for candidate in AUTO if name == "auto" else (name,):
        module, simulator = BACKENDS[candidate]
        try:
            return getattr(importlib.import_module(module), simulator)(config)
        except ImportError as error:
            reasons.append(f"backend {candidate!r} cannot be used: {error}")
    raise BackendUnavailableError("; ".join(reasons))
