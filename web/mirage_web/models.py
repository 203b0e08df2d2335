"""The models that a server dreams with: which there are, and how many players they can hold."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import gymnasium

from mirage_env.rules import Rules
from mirage_web.lanes import DreamLanes
from mirage_web.wire import TICKS_PER_SECOND, is_model_name
from mirage_wm.predictors import Predictor, TorchPredictor, make_predictor
from mirage_wm.weights import available, read_card

__all__ = ["load", "load_available", "model_name", "places"]

SHARE = 0.8
"""Of the time from tick to tick that players may take."""
SERVED = 0.0003
"""Seconds of one core in which a frame is made, sent and acknowledged, see `benchmarks.web`."""
GPU_BATCH = 64
"""Dreams that a GPU evaluates at a time."""


def model_name(model: str | Path) -> str:
    """Return what a model is called in the protocol: its name, or that of its file.

    Raises:
        ValueError: If the protocol cannot say it.
    """
    name = Path(model).name.removesuffix(".safetensors")
    if not is_model_name(name):
        raise ValueError(
            f"a model played in the browser has a name of 1 to 16 of A-Z a-z 0-9 . _ -, got "
            f"{name!r}: rename its files"
        )
    return name


def load(models: Sequence[str | Path], device: str, threads: int) -> dict[str, DreamLanes]:
    """Load models, in this order.

    Args:
        models: Names or paths, see `mirage_wm.weights`.
        device: See `mirage_wm.predictors.make_predictor`.
        threads: See `mirage_wm.predictors.make_predictor`.

    Raises:
        ValueError: If one of them cannot be used, learned other rules than those that the page's
            game is played by, or two have the same name.
        MissingExtraError: Without what runs a model.
    """
    loaded: dict[str, DreamLanes] = {}
    for model in models:
        name = model_name(model)
        if name in loaded:
            raise ValueError(f"two models are called {name!r}: rename the files of one")
        if (learned := read_card(model).learned_rules()) != Rules():  # before weights are read
            raise ValueError(
                f"{name} learned {learned!r}, and the page's game is played by the standard rules: "
                "take another model"
            )
        loaded[name] = _lanes(make_predictor(model, device, threads=threads))
    return loaded


def load_available(device: str, threads: int, say: Callable[[str], None]) -> dict[str, DreamLanes]:
    """Load the models that come with the project; say which of them cannot be used, and why.

    Those that learned other than the standard rules are left out without a word. The first is the
    latest of those that hold 30 frames a second here.
    """
    loaded: dict[str, DreamLanes] = {}
    for model in sorted(available(), reverse=True):
        try:
            if read_card(model).learned_rules() == Rules():
                loaded |= load([model], device, threads)
        except (ImportError, OSError, ValueError, gymnasium.error.Error) as error:
            say(f"{model} cannot be dreamt: {error}")
    return dict(sorted(loaded.items(), key=lambda item: places(item[1]) == 0))


def places(lanes: DreamLanes) -> int:
    """Return for how many players dreams hold 30 frames a second here, by trying; 0 is none."""
    budget = SHARE / TICKS_PER_SECOND
    count, taken, more = 0, 0.0, 1
    while (needed := _seconds(lanes, more) + more * SERVED) <= budget:
        count, taken, more = more, needed, 2 * more
    each = (needed - taken) / (more - count)
    return count + int((budget - taken) / each)


def _seconds(lanes: DreamLanes, count: int) -> float:
    """Return how long a step of so many dreams takes, the shortest of some."""
    moments = lanes.begin(0)[-1:] * count
    times = []
    for _ in range(5):
        start = time.perf_counter()
        lanes.step(moments, [0] * count)
        times.append(time.perf_counter() - start)
    return min(times)


def _lanes(predictor: Predictor) -> DreamLanes:
    """Return the lanes of a model: on a CPU all dreams at a time, see `DreamLanes`.

    On a GPU it is always the same number, where more cost next to nothing.
    """
    return DreamLanes(predictor, GPU_BATCH if isinstance(predictor, TorchPredictor) else None)
