"""Sections of the page that compare dreams with the game frame by frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from mirage_wm.evaluation.likeness import BRANCHES, DIVERGED
from mirage_wm.evaluation.measure import SHOWN, Measured
from mirage_wm.evaluation.page.parts import (
    between,
    db,
    fill,
    legend,
    number,
    percent,
    shares,
    style_of,
    table,
)
from mirage_wm.evaluation.page.plots import Axis, Series, bar, lines
from mirage_wm.evaluation.page.strips import film_strips
from mirage_wm.evaluation.tables import GOOD, HORIZONS

__all__ = ["glance", "likeness", "moments"]


def glance(group: Mapping[str, Any], best: float) -> str:
    """Return a table of the main figures."""
    models = group["models"]
    short, long, rules = group["short"], group["long"], group["rules_kept"]

    def kept(who: str) -> str:
        rates = [rule["results"][who]["rate"] for rule in rules.values()]
        return f"{sum(rate >= GOOD for rate in rates)} of {len(rates)}"

    def steps(who: str) -> str:
        found = group["divergence"][who]
        median, frames = found["median"]["value"], found["frames"]
        return f"more than {frames}" if median > frames else f"{median:g}"

    def drifted(who: str, key: str, drift: Mapping[str, Any]) -> str:
        return between(drift["models"][who]["woken"][key][-1])

    none = ""
    n = next(iter(rules.values()))["results"]["game"]["n"]
    rows = [
        [
            "one step, PSNR in dB",
            *(db(group["one_step"][m]) for m in models),
            db(group["one_step"]["ceiling"]),
            db(group["one_step"]["copy"]),
        ]
    ]
    for k in ("10", "60"):
        if k in group["dream"]["copy"]:
            dream = group["dream"]
            cells = [db(dream[m][k]) for m in [*models, "ceiling", "copy"]]
            rows.append([f"frame {k} of a dream, PSNR in dB", *cells])
    rows += [
        [
            f"frames until PSNR is below {DIVERGED:.0f} dB, median",
            *(steps(m) for m in [*models, "ceiling", "copy"]),
        ],
        [f"rules kept in {GOOD:.0%} of {n} scenes", *(kept(m) for m in [*models, "game"]), none],
        [
            "keys read back, all three",
            *(shares(group["keys"][m]["all"]) for m in [*models, "game"]),
            none,
        ],
        [
            "sharpness after 10 s, game = 1",
            *(drifted(m, "sharpness_ratio", short) for m in models),
            "1",
            none,
        ],
        [
            "ship shown after 10 s",
            *(percent(short["models"][m]["woken"]["ship"][-1]) for m in models),
            percent(short["game"]["ship"][-1]),
            none,
        ],
    ]
    if long:
        after = f"after {long['seconds'][-1]} s"
        rows.append(
            [
                f"sharpness {after}, game = 1",
                *(drifted(m, "sharpness_ratio", long) for m in models),
                "1",
                none,
            ]
        )
    heads = ["", *map(escape, models), "the game (ceiling)", "copy"]
    return fill(
        "glance",
        table=table(heads, rows),
        best=f"{best:.1f}",
        n_one=f"{group['one_step']['copy']['n']:,}",
        n_dreams=f"{group['dream']['copy']['1']['n']:,}",
    )


def likeness(group: Mapping[str, Any], shown: Measured, best: float) -> str:
    """Return how the PSNR of dreams falls, and when they part from the game."""
    models, dream = group["models"], group["dream"]
    order = ["copy", "ceiling", *models]

    def series(key: str, low: Any, high: Any) -> list[Series]:
        some = []
        for name in order:
            frames = list(dream[name])
            scores = [dream[name][k] for k in frames]
            some.append(
                Series(
                    name,
                    style_of(models, name),
                    [int(k) for k in frames],
                    [s[key] for s in scores],
                    [low(s) for s in scores],
                    [high(s) for s in scores],
                )
            )
        return some

    last = max(int(k) for k in dream["copy"])
    x = Axis(1, max(last, 2), [k for k in (1, 5, 10, 20, 30, 45, 60) if k <= last], "frame")
    y = Axis(10, best, (10, 20, 30, 40, 50), "dB")

    def half(s: Mapping[str, Any]) -> float:
        return number(s["mean_psnr_ci"])

    usual = lines(
        series("mean_psnr", lambda s: s["mean_psnr"] - half(s), lambda s: s["mean_psnr"] + half(s)),
        x,
        y,
        "Mean of the frames' PSNR against the number of the dreamt frame",
        size=(500, 300),
        marked=DIVERGED,
    )
    whole = series(
        "psnr_of_mean",
        lambda s: number(s["psnr_of_mean_ci"][0]),
        lambda s: number(s["psnr_of_mean_ci"][1]),
    )
    whole.insert(
        0,
        Series(
            "irreducible",
            "game alone",
            [int(k) for k in dream["irreducible"]],
            [s["psnr_of_mean"] for s in dream["irreducible"].values()],
        ),
    )
    rare = lines(
        whole,
        x,
        y,
        "PSNR of the mean squared error against the number of the dreamt frame",
        size=(500, 300),
    )
    heads = ["frame", *map(escape, models), "ceiling", "irreducible", "copy"]
    rows = [
        [k, *(db(dream[name][k]) for name in [*models, "ceiling", "irreducible", "copy"])]
        for k in HORIZONS
        if k in dream["copy"]
    ]
    parted = group["divergence"]
    diverge = [
        [
            escape(name),
            between(parted[name]["median"], 0),
            percent(parted[name]["along"]),
        ]
        for name in [*models, "ceiling", "copy"]
    ]
    frames = parted["copy"]["frames"]
    strips = film_strips(
        {name: some[:, 0] for name, some in shown.dreams.items()}, [k for k in SHOWN if k <= frames]
    )
    return fill(
        "dreams",
        branches=BRANCHES,
        legend=legend(models, ("ceiling", "copy")),
        usual=usual,
        whole=rare,
        table=table(heads, rows),
        diverged=f"{DIVERGED:.0f}",
        parted=table(["", "median, frames", f"still along after {frames} frames"], diverge),
        over=frames + 1,
        strips=strips,
    )


def moments(group: Mapping[str, Any]) -> str:
    """Return the table of what happens in single steps."""
    models = group["models"]
    heads = ["in the step", "share of play", "n"]
    for name in models:
        heads += [escape(name), "its squared error", "points told", "end told"]
    heads += ["ceiling", "copy"]
    rows = [_moment(name, moment, models) for name, moment in group["moments"].items()]
    return fill("moments", steps=f"{group['steps']:,}", table=table(heads, rows))


def _moment(name: str, moment: Mapping[str, Any], models: Sequence[str]) -> list[str]:
    row = [name, f"{100 * moment['share']['rate']:.2f} %", str(moment["n"])]
    for model in models:
        found = moment["models"][model]
        part = found["error_share"]
        row += [
            db(found),
            f"{bar(part['value'], style_of(models, model))} {shares(part)}",
            f"{100 * found['reward_right']['rate']:.0f} %",
            f"{100 * found['told_end']['rate']:.0f} %",
        ]
    return [*row, db(moment["ceiling"]), db(moment["copy"])]
