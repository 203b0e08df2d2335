"""The page of a report: one HTML file that needs nothing else, by day and by night.

The words are in `templates/`, a file for each section; what stands between them is made here.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from mirage_wm.evaluation.measure import Measured
from mirage_wm.evaluation.page import dreams, drift, rules
from mirage_wm.evaluation.page.parts import fill, template
from mirage_wm.evaluation.report import Report
from mirage_wm.evaluation.tables import named_rules

__all__ = ["page"]


def page(report: Report) -> str:
    """Return the page of a report as HTML."""
    figures = report.figures
    return fill(
        "page",
        names=escape(", ".join(figures["models"])),
        css=template("page.css"),
        date=figures["date"],
        device=escape(figures["device"]),
        minutes=f"{figures['seconds'] / 60:.1f}",
        rules_version=figures["rules_version"],
        first_seed=f"2^{figures['first_seed'].bit_length() - 1}",
        torch=escape(figures["torch"]),
        models=_models(figures["models"]),
        groups="\n".join(
            _group(figures["groups"][i], shown, figures, i) for i, shown in enumerate(report.groups)
        ),
    )


def _models(models: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [
        f"<li><b>{escape(name)}</b>: {escape(str(known['kind']))}"
        + (f", {known['parameters']:,} parameters" if "parameters" in known else "")
        + (f", SHA-256 {known['sha256'][:16]}…" if "sha256" in known else "")
        + "</li>"
        for name, known in models.items()
    ]
    return f"<ul>{''.join(rows)}</ul>"


def _group(
    group: Mapping[str, Any], shown: Measured, figures: Mapping[str, Any], number: int
) -> str:
    """Return the sections of one group of models."""
    best = figures["best_psnr"]
    sections = (
        ("glance", "At a glance", dreams.glance(group, best)),
        ("dreams", "Frame by frame", dreams.likeness(group, shown, best)),
        ("moments", "What goes wrong in one step", dreams.moments(group)),
        ("rules", "Rules", rules.rules(group, shown)),
        ("chance", "Where chance decides", rules.chance(group, shown)),
        ("keys", "Keys", rules.keys(group)),
        ("drift", "Long dreams", drift.drift(group, shown)),
    )
    links = "".join(f'<a href="#{key}{number}">{title}</a>' for key, title, _ in sections)
    bodies = "".join(
        f'<section id="{key}{number}"><h2>{title}</h2>{body}</section>'
        for key, title, body in sections
    )
    head = f"<p>Models that learned <b>{escape(named_rules(group['rules']))}</b>.</p>"
    return f"{head}<nav>{links}</nav>{bodies}"
