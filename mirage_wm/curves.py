"""Plot how runs learned: PSNR on held-out play against the minutes of training.

    python -m mirage_wm.curves runs/v1/log.csv runs/v2/log.csv --out docs/training.svg

A solid line is one step, a dashed one the tenth frame of a dream; of a diffusion model they are
those of its frames as it draws them.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from mirage_env.command_line import ended, parsed
from mirage_env.whole_file import write_whole
from mirage_wm.evaluation.page.plots import Axis, Series, lines

__all__ = ["STYLES", "Curve", "CurvesConfig", "main", "minutes_axis", "picture", "plot", "read_log"]

STYLES = ("#2563a8", "#c2571a", "#2c7a4b", "#8a3ea8")
"""Colours of the runs, by their number."""
HEAD = 18
"""Height of a line of the legend."""


@dataclass(frozen=True)
class CurvesConfig:
    """Plot PSNR against training time.

    Attributes:
        logs: The files log.csv of runs; each is called by its folder.
        out: Where the picture goes (SVG).
        batch: Windows of a step, as trained.
    """

    logs: tuple[Path, ...]
    out: Path = Path("docs/training.svg")
    batch: int = 512


@dataclass(frozen=True)
class Curve:
    """A run.

    Attributes:
        name: Of its folder.
        minutes: Of training, at each measurement.
        one: PSNR of one step, dB.
        ten: PSNR of the tenth frame of a dream, dB.
    """

    name: str
    minutes: list[float]
    one: list[float]
    ten: list[float]


def read_log(path: Path, batch: int = 512) -> Curve:
    """Return the curve of a log.csv.

    Time is that of the steps, without measuring and saving. Steps that were done again after a kill
    are counted once.

    Raises:
        ValueError: If it is not a log of a run that was validated.
    """
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or not {"step", "windows_per_second", "psnr_1", "psnr_10"} <= rows[0].keys():
        raise ValueError(f"{path} is not the log of a run with --validate-films")
    drawn = "_drawn" if "psnr_1_drawn" in rows[0] else ""
    curve, step, minutes = Curve(path.resolve().parent.name, [], [], []), 0, 0.0
    for row in rows:
        new = int(row["step"]) - step
        if new <= 0:
            continue
        step += new
        minutes += new * batch / float(row["windows_per_second"]) / 60
        curve.minutes.append(minutes)
        curve.one.append(float(row[f"psnr_1{drawn}"]))
        curve.ten.append(float(row[f"psnr_10{drawn}"]))
    return curve


def plot(curves: Sequence[Curve]) -> str:
    """Return a picture of the curves, an SVG that needs nothing else."""
    highest = max(max(curve.one) for curve in curves)
    lowest = min(min(curve.ten) for curve in curves)
    low, high = 5 * int(lowest // 5), 5 * int(highest // 5 + 1)
    y = Axis(low, high, range(low, high + 1, 5))
    series = []
    for i, curve in enumerate(curves):
        series.append(Series(f"{curve.name}, one step", f"r{i}", curve.minutes, curve.one))
        series.append(Series(f"{curve.name}, frame 10", f"r{i} far", curve.minutes, curve.ten))
    legend = [
        f"{curve.name}: solid one step ({curve.one[-1]:.1f} dB), dashed frame 10 "
        f"({curve.ten[-1]:.1f} dB)"
        for curve in curves
    ]
    longest = max(curve.minutes[-1] for curve in curves)
    return picture(series, minutes_axis(longest), y, "PSNR in dB", legend)


def minutes_axis(longest: float) -> Axis:
    """Return the axis of so many minutes of training."""
    every = next(e for e in (0.1, 0.5, 1, 2, 5, 10, 30, 60, 600) if longest / e <= 12 or e == 600)
    ticks = [round(i * every, 3) for i in range(int(longest / every) + 1)]
    return Axis(0, longest, ticks, "minutes of training")


def picture(series: Sequence[Series], x: Axis, y: Axis, what: str, legend: Sequence[str]) -> str:
    """Return an SVG that needs nothing else.

    Args:
        series: Lines of the style rN, in the colour N of `STYLES`; "rN far" is dashed.
        x: Axis of the minutes.
        y: Axis.
        what: Is shown against the minutes.
        legend: A line of text for each colour.
    """
    title = f"{what} against minutes of training"
    _, _, inside = lines(series, x, y, title).partition(">")
    colours = "".join(
        f".r{i}{{stroke:{c};fill:{c}}}text.r{i}{{stroke:none}}" for i, c in enumerate(STYLES)
    )
    height = 300 + HEAD * (len(legend) + 1)
    below = "".join(
        f'<text class="r{i}" x="44" y="{300 + HEAD * (i + 1)}">{escape(text)}</text>'
        for i, text in enumerate(legend)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 {height}" width="640" '
        f'role="img" aria-label="{escape(title)}"><style>'
        "text{font:12px sans-serif;fill:#444}.grid{stroke:#ddd}polyline{stroke-width:2}"
        f"{colours}polyline{{fill:none!important}}.far{{stroke-dasharray:5 4}}</style>"
        f'<rect width="640" height="{height}" fill="#fff"/>'
        f"{inside.removesuffix('</svg>')}{below}</svg>\n"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Plot from the command line; return the exit code."""

    def work() -> None:
        config = parsed(CurvesConfig, argv, "python -m mirage_wm.curves")
        curves = [read_log(path, config.batch) for path in config.logs]
        if not 0 < len(curves) <= len(STYLES):
            raise ValueError(f"from one to {len(STYLES)} logs can be shown, got {len(curves)}")
        write_whole(config.out, plot(curves).encode())
        print(f"wrote {config.out}")

    return ended(work)


if __name__ == "__main__":
    raise SystemExit(main())
