"""The section of the page about long dreams."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from mirage_wm.evaluation.measure import Measured
from mirage_wm.evaluation.page.parts import (
    NONE,
    between,
    figure,
    fill,
    legend,
    number,
    percent,
    style_of,
    table,
)
from mirage_wm.evaluation.page.plots import Axis, Series, lines
from mirage_wm.evaluation.page.strips import film_strips

__all__ = ["drift"]

RATIOS = {
    "sharpness": "Sharpness",
    "rock_area": "Area of all rocks",
    "large": "Number of large rocks",
    "medium": "Number of medium rocks",
    "small": "Number of small rocks",
    "bullets": "Number of bullets",
    "ship_area": "Area of the ship or its explosion",
    "rock_edge": "Sharpness of the rocks' edges",
    "ship_edge": "Sharpness of the ship's edges",
    "bullet_edge": "Sharpness of the bullets' edges",
}
SHARES = {"ship": "Ship shown", "empty": "No rock shown"}


def drift(group: Mapping[str, Any], shown: Measured) -> str:
    """Return what becomes of dreams over time."""
    models = group["models"]
    runs = [run for run in (group["short"], group["long"]) if run]
    plots = [
        figure(_plot(models, runs, key, shares=True), f"{name}: share of dreams.")
        for key, name in SHARES.items()
    ]
    plots += [
        figure(_plot(models, runs, key, shares=False), f"{name}, that of the game = 1.")
        for key, name in RATIOS.items()
    ]
    strips = ""
    for run, pictures in zip(runs, (shown.short, shown.long), strict=False):
        times = [f"{s} s" for s in run["seconds"]]
        few = min(frames.shape[1] for frames in pictures.values())
        for arm, name in ((0, "woken at its endings"), (3, "left alone")):
            if arm < few:
                rows = {who: frames[:, arm] for who, frames in pictures.items()}
                strips += f"<h3>A dream {name}</h3>" + film_strips(rows, times)
    counts = "; ".join(
        f"to {run['seconds'][-1]} s: {run['n']['woken']} woken, {run['n']['left alone']} left "
        f"alone, {run['n']['game']} of the game"
        for run in runs
    )
    return fill(
        "drift",
        legend=legend(models),
        plots="".join(plots),
        counts=counts,
        endings=_endings(models, runs),
        strips=strips,
    )


def _plot(models: Any, runs: Any, key: str, *, shares: bool) -> str:
    seconds = [s for run in runs for s in run["seconds"]]
    series = []

    def add(name: str, style: str, some: list[Mapping[str, Any]]) -> None:
        value = "rate" if shares else "value"
        series.append(
            Series(
                name,
                style,
                seconds,
                *([number(s[part]) for s in some] for part in (value, "low", "high")),
            )
        )

    name = key if shares else f"{key}_ratio"
    if shares:
        add("game", "game", [s for run in runs for s in run["game"][name]])
    for model in models:
        style = style_of(models, model)
        for arm, dashed in (("left alone", " alone"), ("woken", "")):
            some = [s for run in runs for s in run["models"][model][arm][name]]
            add(f"{model}, {arm}", style + dashed, some)
    x = Axis(
        1, max(seconds), [s for s in (1, 10, 60, 600) if s <= max(seconds)], "seconds", log=True
    )
    if shares:
        y = Axis(0, 1, (0, 0.25, 0.5, 0.75, 1), percent=True)
        return lines(series, x, y, SHARES[key], size=(420, 210))
    top = max([2.0, *(v for one in series for v in one.y if v == v)])
    top = min(top, 4.0)
    y = Axis(0, top, [t for t in (0, 0.5, 1, 1.5, 2, 3, 4) if t <= top])
    return lines(series, x, y, RATIOS[key], size=(420, 210), marked=1.0)


def _endings(models: Any, runs: Any) -> str:
    rows = []
    for run in runs:
        until = f"to {run['seconds'][-1]} s"
        rows.append([until, "game", between(run["game"]["endings_a_minute"], 2), NONE])
        for model in models:
            found = run["models"][model]
            ends, sky = found["woken"]["endings_a_minute"], found["sky"]
            cell = f"{percent(sky)} <small>of {sky['n']}</small>"
            rows.append([until, escape(model), between(ends, 2), cell])
    heads = ["", "", "endings a minute", "empty skies refilled within 2 s"]
    return table(heads, rows)
