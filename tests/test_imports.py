"""Who imports whom: the packages point one way, and heavy libraries are loaded when used."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import mirage_env

PACKAGE = Path(mirage_env.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))
ROOT = Path(__file__).resolve().parent.parent
LEARNING = sorted((ROOT / "mirage_wm").rglob("*.py"))
WEB = sorted((ROOT / "web" / "mirage_web").rglob("*.py"))


def imported(source: Path) -> Iterator[str]:
    """Every module that a file imports anywhere in it, functions included, by its full name."""
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source} has a relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def packages(source: Path) -> set[str]:
    return {name.partition(".")[0] for name in imported(source)}


def run_blocked(blocked: list[str], program: str) -> str:
    """Run a program in a Python where some modules cannot be imported."""
    lines = ["import sys", *(f"sys.modules[{name!r}] = None" for name in blocked), program]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(lines)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


OPTIONAL = [
    *(
        "torch",
        "pygame",
        "mirage_wm",
        "mirage_web",
        "tyro",
        "tqdm",
        "pycuda",
        "onnxruntime",
        "onnx",
    ),
    *(
        "safetensors",
        "imageio",
        "moviepy",
        "PIL",
        "cv2",
        "matplotlib",
        "stable_baselines3",
        "websockets",
    ),
]


def test_the_environment_needs_numpy_and_gymnasium_alone() -> None:
    program = """
import gymnasium, mirage_env
env = gymnasium.make("Mirage-v0", render_mode="rgb_array")
env.reset(seed=0); env.step(3); env.render()
print(gymnasium.make_vec("Mirage-v0", num_envs=2).reset(seed=0)[0].shape)
"""
    assert run_blocked(OPTIONAL, program).strip() == "(2, 64, 64, 3)"


def test_importing_the_environment_loads_no_heavy_library() -> None:
    program = f"import mirage_env; print([n for n in {OPTIONAL} if n in sys.modules])"
    assert run_blocked([], program).strip() == "[]"


def test_the_oracle_runs_without_the_native_module_or_torch() -> None:
    blocked = ["mirage_env._native", "mirage_env.backends.native", "torch", "pycuda"]
    program = """
from mirage_env import MirageVectorEnv
envs = MirageVectorEnv(1, backend="oracle")
envs.reset(seed=0); print(envs.step([3])[1].tolist())
"""
    assert run_blocked(blocked, program).strip() == "[0.0]"


def test_the_oracle_imports_nothing_that_it_should_check() -> None:
    sources = [*(PACKAGE / "oracle").rglob("*.py"), PACKAGE / "backends" / "oracle.py"]
    assert len(sources) > 10
    for source in sources:
        names = set(imported(source))
        assert not packages(source) & {"torch", "pycuda"}, source
        assert not {n for n in names if "_native" in n or "backends" in n}, source


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_points_backwards(source: Path) -> None:
    assert not packages(source) & {"mirage_wm", "mirage_web", "web", "weights", "tests"}
    if source != PACKAGE / "backends" / "cuda.py":
        assert "pycuda" not in packages(source)
    if PACKAGE / "play" not in source.parents:
        assert "pygame" not in packages(source), "pygame is imported by import_extra, when used"


@pytest.mark.parametrize("source", [*LEARNING, *WEB], ids=lambda path: path.stem)
def test_the_dream_knows_nothing_of_the_browser_and_neither_of_the_tests(source: Path) -> None:
    behind = {"mirage_web"} if source in LEARNING else set[str]()
    assert not packages(source) & {"web", "weights", "tests", "benchmarks", "pygame", *behind}


def test_the_protocol_does_no_input_or_output() -> None:
    names = ("wire", "client_messages", "server_messages", "protocol")
    pure = {"__future__", "base64", "binascii", "collections", "dataclasses", "enum", "itertools"}
    pure |= {"re", "struct", "typing", "mirage_env", "mirage_web"}
    sources = [ROOT / "web" / "mirage_web" / f"{name}.py" for name in names]
    for source in [*sources, PACKAGE / "runs.py"]:
        assert packages(source) <= pure, source
        inner = {n for n in imported(source) if n.startswith("mirage_") and n.count(".") == 1}
        allowed = {"mirage_env.actions", "mirage_env.rules", *(f"mirage_web.{n}" for n in names)}
        assert inner <= allowed, source


def test_playing_needs_no_package_of_the_learning_kind() -> None:
    blocked = ["torch", "pygame", "tqdm", "pycuda", "onnxruntime", "safetensors", "websockets"]
    run_blocked(blocked, "import mirage_web.engine, mirage_web.models, mirage_web.serve")


def test_the_import_scan_finds_what_it_looks_for(tmp_path: Path) -> None:
    source = tmp_path / "bad.py"
    source.write_text("def f():\n    from mirage_wm import dream\n    import pycuda.driver\n")
    assert packages(source) == {"mirage_wm", "pycuda"}
    assert "mirage_wm.dream" in set(imported(source))
