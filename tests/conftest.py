"""Fixtures for all tests.

Whatever a backend has to write is filled with garbage before it does, and what is done is kept: a
test that fails writes replays (see flight_recorder.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import numpy as np
import pytest
from flight_recorder import RECORDER, FlightRecorder, pytest_runtest_makereport
from simulators import BACKENDS, make_simulator

from mirage_env import backends
from mirage_env.frame_pool import FramePool
from mirage_env.simulator import Simulator

__all__ = ["pytest_runtest_makereport"]

GARBAGE_BYTE = 0xA5
GARBAGE_REWARD = -77777


def poison(simulator: Simulator) -> Simulator:
    """Let every step of a simulator begin with garbage in all that the step has to write."""
    step, calls = simulator.step, count()

    def poisoned_step(actions: Any, frames: Any = None) -> None:
        flag = bool(next(calls) % 2)
        simulator.reward[:] = GARBAGE_REWARD
        for flags in (simulator.terminated, simulator.truncated, simulator.begun):
            flags[:] = flag
        if frames is not None:
            frames[:] = GARBAGE_BYTE
        step(actions, frames)

    simulator.step = poisoned_step  # pyright: ignore[reportAttributeAccessIssue]
    return simulator


@pytest.fixture(autouse=True)
def flights(request: pytest.FixtureRequest) -> Iterator[FlightRecorder]:
    """What keeps what the test does to its simulators."""
    recorder = request.node.stash[RECORDER] = FlightRecorder()
    yield recorder
    recorder.tracks.clear()


@pytest.fixture(autouse=True)
def _poisoned_outputs(monkeypatch: pytest.MonkeyPatch, flights: FlightRecorder) -> None:
    """Poison the simulators that environments make, and the arrays for their observations."""
    make, take = backends.make, FramePool.take

    def garbage(pool: FramePool) -> Any:
        buffer = take(pool)
        buffer.view(np.uint8)[...] = GARBAGE_BYTE
        return buffer

    def poisoned_make(name: str, config: Any, *, tensors: bool = False) -> Any:
        simulator = make(name, config, tensors=tensors)
        if not isinstance(simulator, Simulator):
            return simulator
        return flights.follow(poison(simulator))

    monkeypatch.setattr(backends, "make", poisoned_make)
    monkeypatch.setattr(FramePool, "take", garbage)


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """The name of each backend in turn."""
    return request.param


@pytest.fixture
def both(flights: FlightRecorder) -> Callable[..., tuple[Simulator, Simulator]]:
    """A function that makes the same simulator twice, by the oracle and by the native backend."""

    def make(*args: Any, **kwargs: Any) -> tuple[Simulator, Simulator]:
        made = (poison(make_simulator(name, *args, **kwargs)) for name in BACKENDS)
        oracle, native = map(flights.follow, made)
        return oracle, native

    return make


@pytest.fixture
def table() -> Any:
    """An engine of the server, ticked by hand (see web_table.py)."""
    from web_table import Table

    return Table()


@pytest.fixture(scope="session")
def v1() -> Any:
    """A real model, as the server runs it on a CPU."""
    pytest.importorskip("safetensors")
    from mirage_wm.predictors import NativePredictor

    return NativePredictor("v1", threads=2)


@pytest.fixture
def _one_thread() -> None:
    """PyTorch computes with one thread: the workers of the tests share the cores."""
    import torch

    torch.set_num_threads(1)
