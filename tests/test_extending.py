"""docs/extending.md: its rule applies to a copy of the project, compiles, and holds."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

for _tool in ("cmake", "ninja", "nanobind"):
    pytest.importorskip(_tool, reason=f"compiling the rule needs {_tool} (extra 'dev')")

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "extending.md"

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="changes are applied by git")


def changes() -> str:
    """All changes that the page shows, as one patch."""
    return "".join(re.findall(r"^```diff\n(.*?)^```$", PAGE.read_text(), re.M | re.S))


def run(copy: Path, *command: str | Path, stdin: str | None = None) -> str:
    """Run a program in the copy; it finds the tools of this environment."""
    tools = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        command,
        cwd=copy,
        env={**os.environ, "PATH": tools, "GIT_CEILING_DIRECTORIES": str(copy.parent)},
        input=stdin,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def python(copy: Path, program: str) -> str:
    """Run a program that imports the copy, and not the project as it is installed (-S)."""
    paths = [str(copy), *(path for path in sys.path if path.endswith("site-packages"))]
    return run(copy, sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {paths!r}\n{program}")


@pytest.mark.xdist_group("wheel")  # one compiler at a time
def test_the_rule_of_the_page_applies_compiles_and_holds(tmp_path: Path) -> None:
    copy = tmp_path / "mirage"
    copy.mkdir()
    for folder in ("cuda", "mirage_env", "mirage_wm/native", "docs", "tests"):
        left = shutil.ignore_patterns("__pycache__", "*.so", "*.gif", "*.png")
        shutil.copytree(ROOT / folder, copy / folder, ignore=left)
    # Compiled without optimising, which is quicker here and gives the same bits.
    cmake = (ROOT / "CMakeLists.txt").read_text()
    (copy / "CMakeLists.txt").write_text(cmake.replace("-O3", "-O0"))

    run(copy, "git", "apply", "-", stdin=changes())
    python(copy, "from mirage_env.header import main; sys.exit(main([]))")
    assert "RECOIL" in (copy / "cuda" / "generated.cuh").read_text()

    build = tmp_path / "build"
    run(
        copy,
        "cmake",
        "-S",
        copy,
        "-B",
        build,
        "-G",
        "Ninja",
        f"-DPython_EXECUTABLE={sys.executable}",
    )
    run(copy, "cmake", "--build", build, "--target", "_native")
    (module,) = build.glob("_native*.so")
    shutil.copy(module, copy / "mirage_env")

    tests = ["-q", "tests/test_recoil.py", "tests/test_oracle_rules.py"]
    assert " passed" in python(copy, f"import pytest; sys.exit(pytest.main({tests}))")
