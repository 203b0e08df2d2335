"""Rates measured side by side: contestants take turns, because a machine's speed drifts."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "results"


@dataclass(frozen=True)
class Rate:
    """Something done so many times a second: the median, the least and the most of the rounds."""

    name: str
    unit: str
    median: float
    least: float
    most: float


def rates(
    contestants: dict[str, tuple[str, Callable[[], int]]], rounds: int, seconds: float
) -> dict[str, Rate]:
    """Call each contestant for `seconds` in each of `rounds`, in turn.

    A contestant is a unit and a function that does some work and returns how many units it was.
    """
    found: dict[str, list[float]] = {name: [] for name in contestants}
    for _, work in contestants.values():
        work()
    for _ in range(rounds):
        for name, (_, work) in contestants.items():
            done, start = 0, time.perf_counter()
            while (elapsed := time.perf_counter() - start) < seconds:
                done += work()
            found[name].append(done / elapsed)
    return {name: median_rate(name, contestants[name][0], r) for name, r in found.items()}


def median_rate(name: str, unit: str, rates: list[float]) -> Rate:
    return Rate(name, unit, statistics.median(rates), min(rates), max(rates))


def gpu() -> dict[str, str]:
    """Return PyTorch's current GPU and the versions of what drives it."""
    import torch

    number = torch.cuda.current_device()
    found = torch.cuda.get_device_properties(number)
    return {
        "gpu": found.name,
        "gpu memory": f"{found.total_memory / 2**30:.0f} GiB",
        "multiprocessors": str(found.multi_processor_count),
        "cuda": str(torch.version.cuda),
    }


def machine() -> dict[str, str]:
    """Return the processor, the cores that may be used, and the versions of what was measured."""
    packages = ("mirage-env", "numpy", "gymnasium", "ale-py", "torch", "pycuda", "onnxruntime")
    packages += ("websockets",)
    return {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "python": platform.python_version(),
        **{name: found for name in packages if (found := _version(name))},
    }


def save(
    name: str,
    figures: dict[str, Rate],
    notes: dict[str, float],
    device: dict[str, str] | None = None,
) -> Path:
    """Write the figures to benchmarks/results/NAME.json; `device` is what `gpu` gave, if any."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    report = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine() | (device or {}),
        "rates": [asdict(rate) for rate in figures.values()],
        "ratios": notes,
    }
    path.write_text(json.dumps(report, indent=2) + "\n")
    return path


def print_table(figures: dict[str, Rate]) -> None:
    """Print a line for each rate."""
    width = max(map(len, figures))
    print(f"{'':{width}}  {'median':>14}  {'least':>14}  {'most':>14}")
    for rate in figures.values():
        numbers = "  ".join(map(_number, (rate.median, rate.least, rate.most)))
        print(f"{rate.name:{width}}  {numbers}  {rate.unit}")


def _number(value: float) -> str:
    return f"{value:14,.0f}" if value >= 100 or value == int(value) else f"{value:14.2f}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
