"""Sections of the page about rules, chance and keys."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from mirage_wm.evaluation.measure import Measured
from mirage_wm.evaluation.page.parts import (
    between,
    db,
    fill,
    legend,
    percent,
    shares,
    style_of,
    table,
    template,
)
from mirage_wm.evaluation.page.plots import Axis, whiskers
from mirage_wm.evaluation.page.strips import film_strips
from mirage_wm.evaluation.tables import GOOD

__all__ = ["chance", "keys", "rules"]


def rules(group: Mapping[str, Any], shown: Measured) -> str:
    """Return how often each rule is kept, with a scene of each."""
    models, kept = group["models"], group["rules_kept"]
    n = next(iter(kept.values()))["results"]["game"]["n"]
    rows = []
    for name, rule in kept.items():
        dots = []
        for who in models:
            found = rule["results"][who]
            dots.append((who, style_of(models, who), found["rate"], found["low"], found["high"]))
        rows.append((name, dots))
    share = Axis(0, 1, (0, 0.25, 0.5, 0.75, 1), percent=True)
    plot = whiskers(rows, share, "Share of scenes in which each rule was kept", marked=GOOD)
    return fill(
        "rules",
        n=n,
        legend=legend(models, ()),
        plot=plot,
        good=f"{GOOD:.0%}",
        scenes="".join(_rule(name, rule, models, shown) for name, rule in kept.items()),
    )


def _rule(name: str, rule: Mapping[str, Any], models: Any, shown: Measured) -> str:
    cells = ", ".join(f"{escape(who)} {percent(rule['results'][who])}" for who in [*models, "game"])
    strips = []
    for who in models:
        real, dreamt = shown.rules[name][who]
        found = rule["results"][who]
        word = "kept" if found["passed"] == found["n"] else "broken"
        strips.append(film_strips([("the game", real), (f"{who}: {word}", dreamt)]))
    return (
        f"<details><summary><b>{escape(name)}</b>: {escape(rule['title'])}. {cells}</summary>"
        f"{''.join(strips)}</details>"
    )


def chance(group: Mapping[str, Any], shown: Measured) -> str:
    """Return what becomes of large rocks that are shot, where chance decides and where not."""
    models, splits = group["models"], group["splits"]
    after = splits["after"]
    everyone = [*models, "game"]
    rows = [
        [
            escape(who),
            percent(splits["contestants"][who]["in_two"]),
            between(splits["contestants"][who]["ghost_area"], 1),
            *(db(score) for score in splits["contestants"][who]["scores"]),
        ]
        for who in everyone
    ]
    rows.append(["ceiling", "", "", *(db(score) for score in splits["ceiling"])])
    least = [{k: v for k, v in s.items() if "of_mean" in k} for s in splits["irreducible"]]
    rows.append(["irreducible", "", "", *(db(score) for score in least)])
    heads = [
        f"n = {splits['n']}",
        f"in two and nothing else, {after[-1]} frames later",
        "ghostly pixels",
        *(f"PSNR {k} later, dB" for k in after),
    ]
    pictures = "".join(
        f"<h3>{title}</h3>"
        + film_strips({who: shown.splits[who][i] for who in everyone}, ["before", *after])
        for i, title in enumerate(("A large rock is shot", "Another"))
        if i < len(shown.splits["game"])
    )
    return fill(
        "chance",
        story=template(f"chance_{group['rules'].get('split', 'bullet')}.html"),
        table=table(heads, rows),
        last=after[-1],
        gaps=", ".join(f"{escape(who)} {_gap(splits, who):+.1f} dB" for who in models),
        strips=pictures,
    )


def _gap(splits: Mapping[str, Any], who: str) -> float:
    mine = splits["contestants"][who]["scores"][-1]["psnr_of_mean"]
    return mine - splits["irreducible"][-1]["psnr_of_mean"]


def keys(group: Mapping[str, Any]) -> str:
    """Return how often the keys can be read back."""
    found = group["keys"]
    rows = [
        [escape(who), *(shares(found[who][key]) for key in ("turn", "thrust", "fire", "all"))]
        for who in [*group["models"], "game"]
    ]
    game = found["game"]
    return fill(
        "keys",
        table=table(["read rightly", "turn", "thrust", "fire", "all three"], rows),
        frames=game["frames"],
        n=game["all"]["n"],
    )
