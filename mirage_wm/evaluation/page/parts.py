"""What the sections of the page are made of: their words, tables, legends, figures as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

__all__ = [
    "between",
    "db",
    "figure",
    "fill",
    "legend",
    "number",
    "percent",
    "shares",
    "style_of",
    "table",
    "template",
]

NONE = "<small>none</small>"
NO_INTERVAL = " <small>(n = 1: no interval)</small>"


def template(name: str) -> str:
    """Return a file of `templates/`."""
    folder = files("mirage_wm.evaluation.page") / "templates"
    return (folder / name).read_text(encoding="utf-8")


def fill(name: str, **parts: Any) -> str:
    """Return a template with its places filled."""
    return Template(template(f"{name}.html")).substitute(parts)


def style_of(models: Sequence[str], name: str) -> str:
    """Return the CSS class of a contestant."""
    if name in models:
        return f"m{list(models).index(name) % 6}"
    return "copy" if name == "copy" else "game"


def legend(models: Sequence[str], others: Sequence[str] = ("game",)) -> str:
    """Return what the colours mean."""
    names = [*models, *others]
    items = [f'<li><i class="{style_of(models, name)}"></i>{escape(name)}</li>' for name in names]
    return f'<ul class="legend">{"".join(items)}</ul>'


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; cells are HTML."""
    head = "".join(f"<th>{cell}</th>" for cell in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def figure(content: str, caption: str) -> str:
    """Return a figure with a caption."""
    return f"<figure>{content}<figcaption>{caption}</figcaption></figure>"


def db(score: Mapping[str, Any]) -> str:
    """Return both means of a score, with their intervals."""
    low, high = score["psnr_of_mean_ci"]
    whole = f"{score['psnr_of_mean']:.2f}{_ends(low, high, 1)}"
    if "mean_psnr" not in score:
        return whole
    half = score["mean_psnr_ci"]
    spread = f" <small>± {half:.2f}</small>" if half is not None else ""
    return f"{score['mean_psnr']:.2f}{spread} / {whole}"


def percent(rate: Mapping[str, Any]) -> str:
    """Return a share with its interval."""
    if not rate["n"]:
        return NONE
    return f"{100 * rate['rate']:.1f} %{_ends(100 * rate['low'], 100 * rate['high'], 1)}"


def shares(estimate: Mapping[str, Any]) -> str:
    """Return an estimate that is a share, with its interval."""
    if estimate["value"] is None:
        return NONE
    low, high = (None if estimate[end] is None else 100 * estimate[end] for end in ("low", "high"))
    return f"{100 * estimate['value']:.1f} %{_ends(low, high, 1)}"


def between(estimate: Mapping[str, Any], digits: int = 3) -> str:
    """Return an estimate with its interval."""
    if estimate["value"] is None:
        return NONE
    return f"{estimate['value']:.{digits}f}{_ends(estimate['low'], estimate['high'], digits)}"


def number(value: float | None) -> float:
    """Return a number of a report for a plot: NaN where it is none."""
    return float("nan") if value is None else value


def _ends(low: float | None, high: float | None, digits: int) -> str:
    if low is None or high is None:
        return NO_INTERVAL
    return f" <small>({low:.{digits}f} to {high:.{digits}f})</small>"
