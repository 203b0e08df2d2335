"""Fixed scenes are drawn as they always were, pixel for pixel (scenes in golden_pictures.py)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from golden_pictures import FOLDER, SHEETS, SIZES, draw, path, to_sheet
from numpy.typing import NDArray
from PIL import Image
from simulators import BACKENDS, make_simulator

FAILURES = Path(__file__).resolve().parent / "failures"


def compare(name: str, wanted: NDArray[np.uint8], got: NDArray[np.uint8], folder: Path) -> None:
    """Fail when two sheets differ in any pixel; leave wanted, got and difference in a folder."""
    if wanted.shape == got.shape and (wanted == got).all():
        return
    folder.mkdir(parents=True, exist_ok=True)
    for label, image in (("wanted", wanted), ("got", got)):
        Image.fromarray(image).save(folder / f"{name}-{label}.png")
    if wanted.shape != got.shape:
        pytest.fail(f"{name} is {got.shape}, wanted {wanted.shape}; see {folder}")
    apart = np.abs(wanted.astype(np.int16) - got).max(-1)
    Image.fromarray(np.where(apart > 0, 55 + apart * 200 // 255, 0).astype(np.uint8)).save(
        folder / f"{name}-difference.png"
    )
    row, column = np.argwhere(apart)[0]
    pytest.fail(
        f"{name}: {np.count_nonzero(apart)} pixels differ, by {apart.max()} at most; the first is "
        f"in row {row}, column {column}: wanted {wanted[row, column]}, got {got[row, column]}. "
        f"The pictures {name}-wanted, -got and -difference.png are in {folder}. If the rules were "
        "changed on purpose: python -m tests.golden_pictures --write"
    )


def read(sheet: str, size: int) -> NDArray[np.uint8]:
    with Image.open(path(sheet, size)) as image:
        return np.array(image)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("sheet", SHEETS)
def test_scenes_are_drawn_as_in_the_golden_pictures(sheet: str, size: int, backend: str):
    simulator = type(make_simulator(backend, 1))
    got = to_sheet(draw(simulator, SHEETS[sheet], size))
    compare(f"{sheet}-{size}-{backend}", read(sheet, size), got, FAILURES)


def test_golden_folder_holds_the_sheets_and_nothing_else():
    wanted = {path(sheet, size) for sheet in SHEETS for size in SIZES}
    assert set(FOLDER.iterdir()) == wanted
    assert sum(file.stat().st_size for file in wanted) < 1_000_000


def test_one_level_in_one_pixel_fails_and_leaves_three_pictures(tmp_path: Path):
    wanted = read("ships", 64)
    got = wanted.copy()
    got[5, 7, 1] ^= 1
    with pytest.raises(pytest.fail.Exception, match=r"1 pixels differ, by 1 .* row 5, column 7"):
        compare("ships", wanted, got, tmp_path)
    names = [f"ships-{label}.png" for label in ("difference", "got", "wanted")]
    assert sorted(file.name for file in tmp_path.iterdir()) == names
    with Image.open(tmp_path / "ships-difference.png") as image:
        assert np.count_nonzero(np.array(image)) == 1


def test_scenes_of_a_sheet_all_differ():
    for sheet, states in SHEETS.items():
        pictures = {
            picture.tobytes() for picture in draw(type(make_simulator("oracle", 1)), states, 64)
        }
        assert len(pictures) == len(states), sheet
