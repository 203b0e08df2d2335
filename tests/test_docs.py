"""The documents: what they show runs, what they name exists, their pictures are the game's."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
DOCUMENTS = sorted(
    [README, ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md")]
)


def examples(document: Path) -> list[str]:
    """The blocks of Python in a document."""
    return re.findall(r"^```python\n(.*?)^```", document.read_text(), re.M | re.S)


EXAMPLES = [
    pytest.param(document, code, id=f"{document.relative_to(ROOT).with_suffix('')}-{number}")
    for document in DOCUMENTS
    for number, code in enumerate(examples(document), 1)
]


def named_paths(text: str) -> set[str]:
    """The files of the project that a document names, in code or as a link."""
    spans = re.findall(r"`([^`\n]+)`", text)
    words = [word.rstrip(".,:;") for span in spans for word in span.split()]
    ours = ("mirage_env/", "mirage_wm/", "web/", "cuda/", "docs/", "tests/", "weights/")
    ours += ("benchmarks/", "examples/")
    paths = {word for word in words if word.startswith(ours) and "NAME." not in word}
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", text)
    return paths | {link for link in links if not link.startswith("http")}


def exists(path: str, document: Path) -> bool:
    return (ROOT / path).exists() or (document.parent / path).exists()


@pytest.mark.parametrize(("document", "example"), EXAMPLES)
def test_an_example_of_a_document_runs(document, example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if "mirage_wm" in example:
        pytest.importorskip("safetensors")
        from mirage_wm.weights import available

        if "v1" not in available():
            pytest.skip("there are no weights in weights/: this example was NOT run")
    namespace: dict[str, object] = {}
    exec(compile(example, document.name, "exec"), namespace)
    for value in namespace.values():
        if isinstance(value, gymnasium.Env | gymnasium.vector.VectorEnv):
            value.close()


def test_the_readme_shows_game_dream_and_rules():
    shown = "\n".join(examples(README))
    for word in ('gym.make("Mirage-v0"', "gym.make_vec", "Mirage-Dream-v0", "Rules(", "snapshot"):
        assert word in shown


def test_the_readme_is_short():
    assert len(README.read_text().splitlines()) <= 150


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_that_a_document_names_exists(document):
    made = {
        "mirage_wm/weights/",
        "tests/failures/",
        "weights/v1.json",
        "weights/v1.safetensors",
    }  # when built, trained
    missing = {path for path in named_paths(document.read_text()) if not exists(path, document)}
    assert missing <= made


def test_the_scan_for_paths_finds_a_missing_one():
    text = (
        "see `cuda/nothing.cuh`, `python docs/gone.py` and [this](docs/rules.md), [that](away.md)"
    )
    paths = named_paths(text)
    assert paths == {"cuda/nothing.cuh", "docs/gone.py", "docs/rules.md", "away.md"}
    assert {path for path in paths if not exists(path, README)} == paths - {"docs/rules.md"}


def test_reading_names_only_modules_of_the_folders_it_speaks_of():
    text = (ROOT / "docs" / "reading.md").read_text()
    for name in re.findall(r"`(\w+\.py)`", text):
        assert (ROOT / "mirage_env" / "oracle" / name).exists(), name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_left_to_be_written(document):
    assert not re.search(r"\b(TODO|FIXME|XXX|TBD)\b", document.read_text())


def test_every_extra_that_the_readme_lists_is_there_and_the_other_way_round():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    table = README.read_text().partition("| extra |")[2].partition("\n## ")[0]
    first_cells = "\n".join(
        row.split("|")[1] for row in table.splitlines() if row.startswith("| `")
    )
    listed = set(re.findall(r"`(\w+)`", first_cells))
    assert listed >= set(extras) - {"cuda"}
    assert listed <= set(extras)


def test_pins_of_the_tools_are_the_same_in_both_files():
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.M))
    project = (ROOT / "pyproject.toml").read_text()
    pinned = dict(re.findall(r'"([\w-]+)(?:\[\w+\])?==([^"]+)"', project))
    assert set(pinned) == {"ruff", "pyright", "clang-format"}
    assert pinned == {name: pins[name] for name in pinned}


def test_the_site_builds_without_a_broken_link(tmp_path):
    pytest.importorskip("material", reason="the site needs the extra 'docs'")
    pytest.importorskip("mkdocstrings")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path / "site"],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for page in (tmp_path / "site").rglob("*.html"):
        text = page.read_text()
        loaded = re.findall(r"<(?:script|link|img|iframe)\b[^>]*?(?:src|href)=\"([^\"]*)", text)
        elsewhere = [place for place in loaded if re.match(r"(https?:)?//", place)]
        assert not elsewhere, f"{page} loads from elsewhere"
    shown = (tmp_path / "site" / "api" / "game.html").read_text()
    assert "num_envs" in shown, "the API comes from the docstrings"


pictures = runpy.run_path(str(ROOT / "docs" / "make_pictures.py"))


@pytest.mark.parametrize("name", pictures["PICTURES"])
def test_a_picture_of_the_rules_is_what_the_rasteriser_draws(name):
    drawn = np.asarray(pictures["shrunk"](pictures["PICTURES"][name]()))
    kept = np.asarray(Image.open(ROOT / "docs" / f"{name}.png"))
    assert np.array_equal(drawn, kept), (
        f"docs/{name}.png is stale: run `python docs/make_pictures.py`, look at it, and commit it"
    )


def test_every_picture_of_the_rules_is_shown():
    shown = set(re.findall(r"\((\w+)\.png\)", (ROOT / "docs" / "rules.md").read_text()))
    assert shown == set(pictures["PICTURES"])
