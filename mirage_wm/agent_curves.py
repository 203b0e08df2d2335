"""Plot how agents learned: points in an episode against the minutes of learning.

    python -m mirage_wm.agent_curves benchmarks/results/sb3-cpu.csv --levels turret 24723

The curves are those that `examples/train_sb3.py` and `examples/ppo_gpu.py` write. A level is the
score of a player who does not learn, a dashed line.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from mirage_env.command_line import ended, parsed
from mirage_env.whole_file import write_whole
from mirage_wm.curves import STYLES, minutes_axis, picture
from mirage_wm.evaluation.page.plots import Axis, Series

__all__ = ["AgentCurve", "AgentCurvesConfig", "main", "plot", "read_curve"]

POINTS = 100
"""Shown of a curve at most: one that was written after every update has many."""


@dataclass(frozen=True)
class AgentCurvesConfig:
    """Plot points against training time.

    Attributes:
        curves: CSV files with columns "minutes" and "score"; each curve is called by its file.
        levels: Scores of other players, by name.
        out: Where the picture goes (SVG).
    """

    curves: tuple[Path, ...]
    levels: dict[str, float] = field(default_factory=dict)
    out: Path = Path("docs/agents.svg")


class AgentCurve(NamedTuple):
    """How an agent learned.

    Attributes:
        name: Of its file.
        minutes: Of learning.
        score: Points in an episode then.
    """

    name: str
    minutes: list[float]
    score: list[float]


def read_curve(path: Path) -> AgentCurve:
    """Return the curve in a file.

    Raises:
        ValueError: If it has none.
    """
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or not {"minutes", "score"} <= rows[0].keys():
        raise ValueError(f"{path} is no curve of an agent: it has no minutes or no score")
    last = len(rows) - 1
    shown = sorted({round(i * last / (POINTS - 1)) for i in range(POINTS)})
    minutes, score = ([float(rows[i][name]) for i in shown] for name in ("minutes", "score"))
    return AgentCurve(path.stem, minutes, score)


def plot(curves: Sequence[AgentCurve], levels: Mapping[str, float]) -> str:
    """Return a picture of curves and levels, an SVG that needs nothing else."""
    longest = max(curve.minutes[-1] for curve in curves)
    series = [Series(c.name, f"r{i}", c.minutes, _thousands(c.score)) for i, c in enumerate(curves)]
    legend = [f"{curve.name}: {curve.score[-1]:,.0f} points at the end" for curve in curves]
    for i, (name, score) in enumerate(levels.items(), len(curves)):
        series.append(Series(name, f"r{i} far", [0, longest], _thousands([score, score])))
        legend.append(f"{name}: {score:,.0f} points")
    highest = max(max(one.y) for one in series)
    every = next(e for e in (0.1, 0.5, 1, 5, 10, 100) if highest / e <= 10 or e == 100)
    count = int(highest // every) + 1
    y = Axis(0, count * every, [round(i * every, 1) for i in range(count + 1)])
    return picture(series, minutes_axis(longest), y, "Thousands of points in an episode", legend)


def _thousands(values: Sequence[float]) -> list[float]:
    return [value / 1000 for value in values]


def main(argv: Sequence[str] | None = None) -> int:
    """Plot from the command line; return the exit code."""

    def work() -> None:
        config = parsed(AgentCurvesConfig, argv, "python -m mirage_wm.agent_curves")
        if not config.curves or len(config.curves) + len(config.levels) > len(STYLES):
            raise ValueError(f"there are colours for {len(STYLES)} curves and levels together")
        svg = plot([read_curve(path) for path in config.curves], config.levels)
        write_whole(config.out, svg.encode())
        print(f"wrote {config.out}")

    return ended(work)


if __name__ == "__main__":
    raise SystemExit(main())
