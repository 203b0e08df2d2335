"""examples/tour.ipynb: it runs from top to bottom, and is committed without what it printed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="notebooks need the extra 'dev'")
for _module in ("nbclient", "ipykernel", "safetensors"):
    pytest.importorskip(_module)

TOUR = Path(__file__).resolve().parent.parent / "examples" / "tour.ipynb"

RUN = """
import sys
import nbformat
from nbclient import NotebookClient
tour = nbformat.read(sys.argv[1], 4)
NotebookClient(tour, timeout=120).execute()
for cell in tour.cells:
    for output in cell.get("outputs", []):
        print(output.get("text") or "picture" * ("image/png" in output.get("data", {})))
"""


def test_the_tour_runs_and_shows_what_it_says(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN, TOUR], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout.splitlines().count("picture") == 4
    assert "tick  0:  99.0 dB" in done.stdout, "game and dream begin with the same picture"
    assert not list(tmp_path.iterdir()), "it leaves nothing behind"


def test_the_tour_is_committed_without_outputs() -> None:
    cells = nbformat.read(TOUR, 4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert code
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
