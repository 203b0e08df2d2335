"""Plots as inline SVG, drawn plainly: lines with bands, and dots with whiskers.

Colours are those of the page: a series has a CSS class, and the page says what it looks like by day
and by night.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

__all__ = ["Axis", "Series", "bar", "lines", "whiskers"]


@dataclass(frozen=True)
class Series:
    """A line.

    Attributes:
        name: For the legend.
        style: CSS class.
        x: Where.
        y: What; a number that is not one leaves a gap.
        low: Lower edges of the band; none without, and NaN where there is none.
        high: Upper edges.
    """

    name: str
    style: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None


@dataclass(frozen=True)
class Axis:
    """An axis.

    Attributes:
        low: Where it begins.
        high: Where it ends.
        ticks: Numbers written at it.
        label: What it is.
        log: Whether it is logarithmic.
        percent: Whether its numbers are shares.
    """

    low: float
    high: float
    ticks: Sequence[float]
    label: str = ""
    log: bool = False
    percent: bool = False

    def at(self, value: float) -> float:
        """Return where a value is, from 0 to 1."""
        value = min(max(value, self.low), self.high)
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def text(self, value: float) -> str:
        """Return a number as it is written at the axis."""
        return f"{100 * value:g} %" if self.percent else f"{value:g}"


LEFT, RIGHT, TOP, BOTTOM = 44, 12, 10, 34


def lines(
    series: Sequence[Series],
    x: Axis,
    y: Axis,
    title: str,
    size: tuple[int, int] = (640, 300),
    marked: float | None = None,
) -> str:
    """Return a plot of some lines.

    Args:
        series: The lines, the first at the bottom.
        x: Axis.
        y: Axis.
        title: What is shown, for those who cannot see it.
        size: Width and height.
        marked: A value of y to mark by a line.
    """
    width, height = size
    across, down = width - LEFT - RIGHT, height - TOP - BOTTOM

    def px(value: float) -> float:
        return LEFT + across * x.at(value)

    def py(value: float) -> float:
        return TOP + down * (1 - y.at(value))

    parts = [_head(width, height, title)]
    for tick in y.ticks:
        parts.append(_line("grid", LEFT, py(tick), width - RIGHT, py(tick)))
        parts.append(_text(LEFT - 6, py(tick) + 4, y.text(tick), "end"))
    for tick in x.ticks:
        parts.append(_line("grid", px(tick), TOP, px(tick), TOP + down))
        parts.append(_text(px(tick), TOP + down + 16, x.text(tick), "middle"))
    parts.append(_text(LEFT + across / 2, height - 3, x.label, "middle"))
    if marked is not None:
        parts.append(_line("mark", LEFT, py(marked), width - RIGHT, py(marked)))
    for one in series:
        points = [(px(a), py(b)) for a, b in zip(one.x, one.y, strict=True) if math.isfinite(b)]
        if one.low is not None and one.high is not None:
            edges = [
                (a, lo, hi)
                for a, lo, hi in zip(one.x, one.low, one.high, strict=True)
                if math.isfinite(lo) and math.isfinite(hi)
            ]
            outline = [(px(a), py(hi)) for a, _, hi in edges]
            outline += [(px(a), py(lo)) for a, lo, _ in reversed(edges)]
            if outline:
                parts.append(f'<polygon class="band {one.style}" points="{_points(outline)}"/>')
        parts.append(f'<polyline class="{one.style}" points="{_points(points)}"/>')
        for (a, b), value in zip(points, [v for v in one.y if math.isfinite(v)], strict=True):
            hint = escape(f"{one.name}: {y.text(round(value, 3))}")
            parts.append(
                f'<circle class="dot {one.style}" cx="{a:.1f}" cy="{b:.1f}" r="2.5">'
                f"<title>{hint}</title></circle>"
            )
    return "".join(parts) + "</svg>"


def whiskers(
    rows: Sequence[tuple[str, Sequence[tuple[str, str, float, float, float]]]],
    x: Axis,
    title: str,
    width: int = 760,
    marked: float | None = None,
) -> str:
    """Return rows of dots with whiskers.

    Args:
        rows: A name each, and for each of its dots name, style, value, low and high.
        x: Axis.
        title: What is shown, for those who cannot see it.
        width: Of the plot.
        marked: A value to mark by a line.
    """
    names, pitch = 130, 9
    heights = [max(len(dots), 2) * pitch + 8 for _, dots in rows]
    height = sum(heights) + 30
    across = width - names - 20

    def px(value: float) -> float:
        return names + across * x.at(value)

    parts = [_head(width, height, title)]
    for tick in x.ticks:
        parts.append(_line("grid", px(tick), 4, px(tick), height - 22))
        parts.append(_text(px(tick), height - 6, x.text(tick), "middle"))
    if marked is not None:
        parts.append(_line("mark", px(marked), 4, px(marked), height - 22))
    top = 4.0
    for (name, dots), tall in zip(rows, heights, strict=True):
        parts.append(_line("grid", 0, top + tall, width - 20, top + tall))
        parts.append(_text(names - 10, top + tall / 2 + 4, name, "end"))
        first = top + (tall - (len(dots) - 1) * pitch) / 2
        for i, (who, style, value, low, high) in enumerate(dots):
            y = first + i * pitch
            hint = escape(f"{name}, {who}: {x.text(round(value, 4))}")
            parts.append(_line(style, px(low), y, px(high), y))
            parts.append(
                f'<circle class="dot {style}" cx="{px(value):.1f}" cy="{y:.1f}" r="3.5">'
                f"<title>{hint}</title></circle>"
            )
        top += tall
    return "".join(parts) + "</svg>"


def bar(share: float, style: str) -> str:
    """Return a small bar for a cell of a table: a share from 0 to 1."""
    long = 80 * min(max(share, 0.0), 1.0)
    return (
        '<svg class="bar" viewBox="0 0 80 10" width="80" height="10" aria-hidden="true">'
        f'<rect class="{style}" x="0" y="1" width="{long:.1f}" height="8" rx="2"/></svg>'
    )


def _head(width: int, height: int, title: str) -> str:
    return (
        f'<svg class="plot" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">'
    )


def _line(style: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{style}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
