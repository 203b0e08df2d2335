"""Plots of how agents learned."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

pytest.importorskip("torch")

from mirage_wm import agent_curves
from mirage_wm.agent_curves import POINTS, read_curve

SVG = "{http://www.w3.org/2000/svg}"


def written(path: Path, rows: list[dict[str, float]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_a_curve_and_the_levels_beside_it_are_drawn_to_scale(tmp_path: Path) -> None:
    rows = [{"minutes": i / 50, "steps": i, "score": 3.0 * i} for i in range(501)]
    curve = written(tmp_path / "mine.csv", rows)
    read = read_curve(curve)
    assert (read.name, len(read.minutes)) == ("mine", POINTS)
    assert (read.minutes[0], read.score[0]) == (0.0, 0.0)
    assert (read.minutes[-1], read.score[-1]) == (10.0, 1500.0)
    out = tmp_path / "plot.svg"
    arguments = [str(curve), "--levels", "turret", "750", "random", "0", "--out", str(out)]
    assert agent_curves.main(arguments) == 0
    picture = ElementTree.parse(out).getroot()
    learned, turret, random = (
        [[float(n) for n in point.split(",")] for point in line.attrib["points"].split()]
        for line in picture.iter(f"{SVG}polyline")
    )
    bottom, top = random[0][1], learned[-1][1]
    assert turret[0][1] == turret[1][1] == pytest.approx((bottom + top) / 2, abs=0.2)
    assert learned[0] == random[0]
    assert learned[-1][0] == turret[1][0]
    texts = [text.text for text in picture.iter(f"{SVG}text")]
    assert {"mine: 1,500 points at the end", "turret: 750 points", "random: 0 points"} <= {*texts}


def test_what_is_no_curve_is_refused_in_a_line(tmp_path: Path, capsys: Any) -> None:
    log = written(tmp_path / "log.csv", [{"step": 1, "loss": 0.5}])
    assert agent_curves.main([str(log), "--out", str(tmp_path / "x.svg")]) == 1
    assert "is no curve of an agent" in capsys.readouterr().err
    curve = written(tmp_path / "c.csv", [{"minutes": 1, "score": 5}])
    assert agent_curves.main([*[str(curve)] * 5, "--out", str(tmp_path / "x.svg")]) == 1
    assert "there are colours for 4" in capsys.readouterr().err
