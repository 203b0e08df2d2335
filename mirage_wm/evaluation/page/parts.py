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
    "percent",
    "shares",
    "style_of",
    "table",
    "template",
]

NONE = "<small>none</small>"


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
    whole = f"{score['psnr_of_mean']:.2f} <small>({low:.1f} to {high:.1f})</small>"
    if "mean_psnr" not in score:
        return whole
    half = score["mean_psnr_ci"]
    spread = f" <small>± {half:.2f}</small>" if half is not None else ""
    return f"{score['mean_psnr']:.2f}{spread} / {whole}"


def percent(rate: Mapping[str, Any]) -> str:
    """Return a share with its interval."""
    if not rate["n"]:
        return NONE
    return (
        f"{100 * rate['rate']:.1f} % <small>({100 * rate['low']:.1f} to "
        f"{100 * rate['high']:.1f})</small>"
    )


def shares(estimate: Mapping[str, Any]) -> str:
    """Return an estimate that is a share, with its interval."""
    if estimate["value"] is None:
        return NONE
    value, low, high = (100 * estimate[part] for part in ("value", "low", "high"))
    return f"{value:.1f} % <small>({low:.1f} to {high:.1f})</small>"


def between(estimate: Mapping[str, Any], digits: int = 3) -> str:
    """Return an estimate with its interval."""
    if estimate["value"] is None:
        return NONE
    value, low, high = (
        "?" if x is None else f"{x:.{digits}f}"
        for x in (estimate["value"], estimate["low"], estimate["high"])
    )
    return f"{value} <small>({low} to {high})</small>"
