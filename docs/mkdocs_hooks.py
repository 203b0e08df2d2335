"""What building the site adds to the documents: files from beside docs/, and measured figures.

MkDocs calls these functions, see `mkdocs.yml`. A document links to ``../weights/v1.md`` as it lies
in the project; on the site that page is ``weights/v1.md``. A line ``<!-- figures -->`` becomes the
tables of all results in ``benchmarks/results/``.
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.structure.files import File, Files

__all__ = ["all_figures", "figures", "on_files", "on_page_markdown"]

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
BESIDE = [
    "CHANGELOG.md",
    *sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("weights/*.md")),
]
"""Documents of the project that do not lie in docs/."""
LINK = re.compile(r"\]\(((?:\.\./)*)([^):#\s]+)")
FIGURES = "<!-- figures -->"


def on_files(files: Files, config: Any) -> Files:
    """Take documents from beside docs/, at the same place below the site's root."""
    for path in BESIDE:
        files.append(File.generated(config, path, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Point links at the site's pages, and put figures in."""
    here = PurePosixPath(page.file.src_uri).parent
    beside = page.file.src_uri in BESIDE

    def point(link: re.Match[str]) -> str:
        up, path = link.groups()
        if beside and path.startswith("docs/"):
            path = path.removeprefix("docs/")
        elif not beside and up.count("../") == len(here.parts) + 1 and path in BESIDE:
            up = up.removesuffix("../")
        return f"]({up}{path}"

    return LINK.sub(point, markdown).replace(FIGURES, all_figures())


def all_figures() -> str:
    """Return what the benchmarks measured, in Markdown: for each file what it is, and its table."""
    parts = []
    for results in sorted(RESULTS.glob("*.json")):
        measured = json.loads(results.read_text())
        program = ROOT / "benchmarks" / f"{results.stem.partition('-')[0]}.py"
        if "rates" in measured and program.exists():
            told = ast.get_docstring(ast.parse(program.read_text())) or ""
            parts += [f"## {results.stem}", told.partition("\n\n")[0], figures(measured)]
    return "\n\n".join(parts)


def figures(measured: dict[str, Any]) -> str:
    """Return what `benchmarks.measure.save` wrote as a table in Markdown."""
    rows = [
        f"| {rate['name']} | {_rounded(rate['median'])} | "
        f"{_rounded(rate['least'])} to {_rounded(rate['most'])} | {rate['unit']} |"
        for rate in measured["rates"]
    ]
    rows += [f"| {name} | {_rounded(value)} | | |" for name, value in measured["ratios"].items()]
    machine = ", ".join(f"{name} {value}" for name, value in measured["machine"].items())
    head = ["| what | median | least to most | unit |", "|---|---:|---:|---|"]
    return "\n".join([*head, *rows, "", f"*{measured['date']}; {machine}.*"])


def _rounded(value: float) -> str:
    """Return a number to three digits."""
    shown = float(f"{value:.3g}")
    return f"{shown:,.0f}" if abs(shown) >= 100 else f"{shown:g}"
