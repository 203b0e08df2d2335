"""A report in words: for the terminal, for the README, for a model's card.

python -m mirage_wm.evaluation.tables --report docs/report.json     # prints the README's table
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirage_env.command_line import ended, parsed
from mirage_env.rules import Rules
from mirage_wm.sampler import Sampler

__all__ = [
    "GOOD",
    "HORIZONS",
    "benchmarked",
    "card_figures",
    "main",
    "named_rules",
    "readme_table",
    "summary",
]

HORIZONS = ("1", "5", "10", "20", "30", "60")
"""Frames of a dream that tables show."""
GOOD = 0.95
"""A rule kept in so many of its scenes counts as kept."""
TEN = -1
"""Ten seconds is the last time of the short dreams."""

INSPIRATION = {
    "one step, PSNR in dB": ("42.6", "42.2"),
    "dreaming on, PSNR in dB": ("25.6", "27.3"),
    "rules kept": ("24 of 24", "18 of 24"),
    "sharpness of long dreams": ("0.985", "1.004"),
    "frames a second": ("200+", "54"),
}
"""What the author of the inspiration, a dream of another game, published of his v1 and v2."""


def named_rules(rules: Mapping[str, Any]) -> str:
    """Return rules as words, from the fields that differ from the standard."""
    return repr(Rules(**rules)) if rules else "the standard rules"


def summary(figures: Mapping[str, Any]) -> str:
    """Return a report for the terminal."""
    return "\n\n".join(_group(group, figures["best_psnr"]) for group in figures["groups"])


def _group(group: Mapping[str, Any], best: float) -> str:
    models = group["models"]
    wide = 18 + max(0, max(map(len, models)) - 17)
    heads = [*models, "ceiling", "irreducible", "copy"]

    def row(name: str, cells: Sequence[str]) -> str:
        return f"{name:26}" + "".join(f"{cell:>{wide}}" for cell in cells)

    def dbs(some: Mapping[str, Any]) -> list[str]:
        return [_db(some[name]) for name in heads]

    lines = [
        f"by {named_rules(group['rules'])}; intervals of 95 %, none where (n = 1) stands",
        f"PSNR in dB: mean of the frames' / of the mean squared error, at most {best:.1f}",
        row("", heads),
        row("one step", dbs(group["one_step"])),
    ]
    for k in HORIZONS:
        if k in group["dream"]["copy"]:
            at = {name: some[k] for name, some in group["dream"].items()}
            lines.append(row(f"frame {k} of a dream", dbs(at)))
    parted = group["divergence"]
    frames = parted["copy"]["frames"]
    lines += [
        row(
            "diverges after (median)",
            [_steps(parted[name]["median"]["value"], frames) for name in [*models, "ceiling"]]
            + ["", _steps(parted["copy"]["median"]["value"], frames)],
        ),
        "",
        row("one step, by what happens", [*models, "ceiling", "share of play", "copy"]),
    ]
    for name, moment in group["moments"].items():
        cells = [
            f"{_db(moment['models'][m])} ({moment['models'][m]['error_share']['value']:.0%})"
            for m in models
        ]
        cells += [_db(moment["ceiling"]), f"{moment['share']['rate']:.2%}", _db(moment["copy"])]
        lines.append(row(f"  {name}", cells))
    lines += ["  (in brackets: share of the model's squared error)", ""]
    rules = group["rules_kept"]
    n = next(iter(rules.values()))["results"]["game"]["n"]
    lines.append(row(f"rules kept, n = {n}", [*models, "game"]))
    for name, rule in rules.items():
        lines.append(row(f"  {name}", [_rate(rule["results"][m]) for m in [*models, "game"]]))
    lines += ["", row("keys read back", [*models, "game"])]
    for key in ("turn", "thrust", "fire", "all"):
        lines.append(
            row(f"  {key}", [f"{group['keys'][m][key]['value']:.1%}" for m in [*models, "game"]])
        )
    for name in ("short", "long"):
        if group[name]:
            lines += ["", *_drift(group[name], models, row)]
    splits = group["splits"]
    lines += ["", row("shot large rocks", [*models, "game"])]
    who = [splits["contestants"][m] for m in [*models, "game"]]
    lines.append(row("  in two and no more", [_rate(one["in_two"]) for one in who]))
    lines.append(row("  ghostly pixels", [f"{one['ghost_area']['value']:.1f}" for one in who]))
    return "\n".join(lines)


def _drift(drift: Mapping[str, Any], models: Sequence[str], row: Any) -> list[str]:
    last = drift["models"]
    arms = [last[m]["woken"] for m in models]
    lines = [row(f"after {drift['seconds'][-1]} s", [*models, "game"])]
    for name, key in (
        ("sharpness, game = 1", "sharpness_ratio"),
        ("rock area, game = 1", "rock_area_ratio"),
        ("large rocks, game = 1", "large_ratio"),
        ("medium rocks, game = 1", "medium_ratio"),
        ("small rocks, game = 1", "small_ratio"),
        ("ship's edges, game = 1", "ship_edge_ratio"),
    ):
        lines.append(row(f"  {name}", [*(_ratio(arm[key][-1]) for arm in arms), "1"]))
    both = [*arms, drift["game"]]
    lines.append(row("  ship shown", [_rate(arm["ship"][-1]) for arm in both]))
    lines.append(row("  no rock shown", [_rate(arm["empty"][-1]) for arm in both]))
    ends = [f"{arm['endings_a_minute']['value']:.2f}" for arm in both]
    lines.append(row("  endings a minute", ends))
    return lines


def _db(score: Mapping[str, Any]) -> str:
    if "mean_psnr" not in score:
        return f"{score['psnr_of_mean']:.1f}"
    return f"{score['mean_psnr']:.1f} / {score['psnr_of_mean']:.1f}"


def _rate(rate: Mapping[str, Any]) -> str:
    if not rate["n"]:
        return "none"
    return f"{rate['rate']:.1%} ({rate['low']:.0%}-{rate['high']:.0%})"


def _ratio(estimate: Mapping[str, Any]) -> str:
    if estimate["value"] is None:
        return "none"
    if estimate["low"] is None:
        return f"{estimate['value']:.3f} (n = 1)"
    return f"{estimate['value']:.3f} ({estimate['low']:.2f}-{estimate['high']:.2f})"


def _steps(median: float, frames: int) -> str:
    return f"> {frames}" if median > frames else f"{median:g} frames"


def readme_table(figures: Mapping[str, Any], speeds: Mapping[str, str] | None = None) -> str:
    """Return the README's table, Markdown: models, the game, and the inspiration's figures.

    Args:
        figures: Of a report; its first group is shown.
        speeds: Frames a second by model, as words; by default those of the report.
    """
    speeds = speeds or _own_speeds(figures)
    group = figures["groups"][0]
    models, dream, short = group["models"], group["dream"], group["short"]

    def line(name: str, cells: Sequence[str], theirs: str = "") -> str:
        return "| " + " | ".join([name, *cells, *INSPIRATION.get(theirs, ("", ""))]) + " |"

    def kept(who: str) -> str:
        results = [rule["results"][who]["rate"] for rule in group["rules_kept"].values()]
        return f"{sum(rate >= GOOD for rate in results)} of {len(results)}"

    def after(who: str, key: str) -> Any:
        return short["models"][who]["woken"][key][TEN]

    n = next(iter(group["rules_kept"].values()))["results"]["game"]["n"]
    everyone = [*models, "ceiling"]
    rows = [
        line(
            "one step, PSNR in dB ¹",
            [_db(group["one_step"][m]) for m in everyone],
            "one step, PSNR in dB",
        ),
        line(
            "tenth frame of a dream, PSNR in dB ¹",
            [_db(dream[m]["10"]) for m in everyone],
            "dreaming on, PSNR in dB",
        ),
        line(
            f"rules kept in {GOOD:.0%} of {n} scenes",
            [kept(m) for m in [*models, "game"]],
            "rules kept",
        ),
        line(
            "sharpness after 10 s, game = 1",
            [*(f"{after(m, 'sharpness_ratio')['value']:.3f}" for m in models), "1"],
            "sharpness of long dreams",
        ),
        line(
            "ship shown after 10 s",
            [
                *(f"{after(m, 'ship')['rate']:.1%}" for m in models),
                f"{short['game']['ship'][TEN]['rate']:.1%}",
            ],
        ),
        line(
            "keys read back from its frames",
            [f"{group['keys'][m]['all']['value']:.1%}" for m in [*models, "game"]],
        ),
    ]
    if speeds:
        rows.append(
            line(
                "frames a second",
                [*(speeds.get(m, "") for m in models), ""],
                "frames a second",
            )
        )
    head = ["", *models, "the game itself", "inspiration's v1 ²", "its v2 ²"]
    return "\n".join(
        [
            "| " + " | ".join(head) + " |",
            "|" + "---|" * len(head),
            *rows,
            "",
            "¹ Mean of the frames' PSNR / PSNR of the mean squared error. ² Published of another "
            "game, with other rules, pictures and tests: where the idea came from, and no "
            "comparison. Its speeds are those of a GTX 970.",
        ]
    )


def card_figures(figures: Mapping[str, Any], model: str) -> dict[str, Any]:
    """Return what a model's card keeps of a report."""
    group = next(group for group in figures["groups"] if model in group["models"])
    short, ten = group["short"], group["short"]["models"][model]["woken"]
    return {
        **{
            name: figures[name]
            for name in ("rules_version", "first_seed", "best_psnr", "device", "torch", "date")
        },
        "one_step": {"model": group["one_step"][model], "copy": group["one_step"]["copy"]},
        "dream": {"model": group["dream"][model], "copy": group["dream"]["copy"]},
        "events": {
            name: {
                **moment["models"][model],
                "reward_right": moment["models"][model]["reward_right"]["rate"],
                "terminated": moment["models"][model]["told_end"]["rate"],
            }
            for name, moment in group["moments"].items()
        },
        "rules": {name: rule["results"][model] for name, rule in group["rules_kept"].items()},
        "long": {
            "frames": 30 * short["seconds"][TEN],
            "n": short["n"]["woken"],
            "sharpness": ten["sharpness_ratio"][TEN]["value"],
            "ship_shown": ten["ship"][TEN]["rate"],
            "ship_shown_in_game": short["game"]["ship"][TEN]["rate"],
        },
    }


@dataclass(frozen=True)
class TableConfig:
    """Print the README's table of a report.

    Attributes:
        report: JSON that `mirage evaluate` wrote.
        speeds: JSON that `python -m benchmarks.dream --save` wrote; those of the report without.
    """

    report: Path = Path("docs/report.json")
    speeds: Path | None = None


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table from the command line; return the exit code."""

    def work() -> None:
        config = parsed(TableConfig, argv, "python -m mirage_wm.evaluation.tables")
        try:
            figures = json.loads(config.report.read_text())
            print(readme_table(figures, benchmarked(config.speeds) if config.speeds else None))
        except (KeyError, ValueError) as error:
            wrong = f"{config.report} or {config.speeds} is no such report: {error!r}"
            raise ValueError(wrong) from error

    return ended(work)


def _own_speeds(figures: Mapping[str, Any]) -> dict[str, str]:
    """Return the frames a second of single dreams, as words, that a report holds."""
    return {
        name: f"{facts['frames_per_second']['1']:,.0f} ({figures['device']})"
        for name, facts in figures["models"].items()
        if "frames_per_second" in facts
    }


def benchmarked(path: Path) -> dict[str, str]:
    """Return the frames a second of single dreams in a benchmark's results.

    Of a diffusion model it is that of its usual number of evaluations; NAME@STEPS has the others,
    NAME@STEPSxVIEWS those of several looks at the same frames.
    """
    found, usual = {}, str(Sampler().steps)
    for one in json.loads(path.read_text())["rates"]:
        name = one["name"].removesuffix(", by native")  # the usual runtime; others are left out
        ways = r"(?:, (\d+) evaluations)?(?:, (\d+) views)?"
        parts = re.fullmatch(rf"dream (.+?){ways}, batch 1", name)
        if parts is None:
            continue
        model, steps, views = parts.groups()
        words = f"{one['median']:,.0f}"
        if steps or views:
            found[f"{model}@{steps or 1}" + (f"x{views}" if views else "")] = words
        if steps in (None, usual) and not views:
            found[model] = words
    return found


if __name__ == "__main__":
    raise SystemExit(main())
