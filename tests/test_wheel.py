"""The wheel: what is in it, what is not, and that it works where nothing else of the project is."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
WEB = ROOT / "web"

for _tool in ("pip", "scikit_build_core", "nanobind"):
    pytest.importorskip(_tool, reason=f"building a wheel needs {_tool} (extra 'dev')")

pytestmark = pytest.mark.xdist_group("wheel")  # so that one worker builds it, once


def pip(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run pip, which finds its tools in this environment and nothing on the network."""
    tools = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments],
        env={**os.environ, "PATH": tools, "PIP_NO_INDEX": "1", **environment},
        capture_output=True,
        text=True,
    )


def build(out: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Build a wheel into a folder, with what is compiled on the way beside it."""
    return pip(
        "wheel",
        "--no-build-isolation",
        "--no-deps",
        f"--config-settings=build-dir={out / 'build'}",
        f"--wheel-dir={out}",
        ROOT,
        **environment,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as a wheel."""
    out = tmp_path_factory.mktemp("wheel")
    done = build(out)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    """What is in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the wheel is installed in, and nothing else."""
    target = tmp_path_factory.mktemp("site")
    done = pip("install", "--no-deps", f"--target={target}", wheel)
    assert done.returncode == 0, done.stdout + done.stderr
    return target


def run_installed(installed: Path, program: str) -> str:
    """Run a program that imports the installed wheel, whatever this environment has installed.

    Modules of an editable installation are found by a hook of its own, before any path: the program
    runs without such hooks (-S) and is given this environment's packages by their folders.
    """
    paths = [str(installed), *(path for path in sys.path if path.endswith("site-packages"))]
    code = f"import sys; sys.path[:0] = {paths!r}\n{program}"
    done = subprocess.run(
        [sys.executable, "-S", "-W", "error", "-c", code],
        cwd=installed.parent,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_four_packages_and_no_other_top_level_name(names):
    assert {name.partition("/")[0] for name in names} == {
        "mirage_command",
        "mirage_env",
        "mirage_wm",
        "mirage_web",
        "mirage_env-0.1.0.dist-info",
    }


def test_the_wheel_holds_every_module_and_the_extension(names):
    sources = {
        str(path.relative_to(folder))
        for folder, package in (
            (ROOT, "mirage_command"),
            (ROOT, "mirage_env"),
            (ROOT, "mirage_wm"),
            (WEB, "mirage_web"),
        )
        for path in (folder / package).rglob("*")
        if path.suffix in (".py", ".pyi", ".typed") or path.name == "py.typed"
    }
    assert {"mirage_env/oracle/tick.py", "mirage_web/engine.py"} <= sources
    assert sources <= set(names)
    assert [name for name in names if name.startswith("mirage_env/_native.") and ".so" in name]


def test_the_wheel_holds_two_extensions_and_no_leftovers(names):
    built = sorted(name.partition(".")[0] for name in names if name.endswith(".so"))
    assert built == ["mirage_env/_native", "mirage_wm/_net"]
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


def test_the_wheel_carries_the_kernels_source(names):
    kernels = {path for path in (ROOT / "cuda").iterdir() if path.suffix != ".cpp"}
    wanted = {f"mirage_env/cuda/{path.name}" for path in kernels}
    assert "mirage_env/cuda/kernels.cu" in wanted
    assert wanted <= set(names)


def test_the_wheel_carries_the_page_and_not_what_tests_it(names):
    files = {f"mirage_web/page/{path.name}" for path in (WEB / "mirage_web" / "page").iterdir()}
    assert {"mirage_web/page/index.html", "mirage_web/page/protocol.js"} <= files
    assert files == {name for name in names if name.startswith("mirage_web/page/")}
    assert not [name for name in names if "node_modules" in name or ".test." in name]


def test_the_wheel_carries_the_weights(names):
    files = [p for s in ("*.safetensors", "*.json", "*.onnx") for p in (ROOT / "weights").glob(s)]
    if not files:
        pytest.skip("there are no weights in weights/: that a wheel carries them was NOT checked")
    assert {f"mirage_wm/weights/{path.name}" for path in files} <= set(names)


def test_the_wheel_carries_what_an_evaluation_needs(names):
    folder = ROOT / "mirage_wm" / "evaluation"
    files = [*folder.glob("page/templates/*"), folder / "keys.safetensors"]
    assert len(files) > 9
    assert {str(path.relative_to(ROOT)) for path in files} <= set(names)


def test_the_wheel_carries_the_licence_and_asks_for_two_packages_only(wheel, names):
    (metadata,) = [name for name in names if name.endswith(".dist-info/METADATA")]
    assert any(name.endswith("LICENSE") for name in names)
    with zipfile.ZipFile(wheel) as archive:
        lines = archive.read(metadata).decode().splitlines()
    needs = [line for line in lines if line.startswith("Requires-Dist:") and "extra" not in line]
    assert sorted(line.split()[1].partition(">")[0] for line in needs) == ["gymnasium", "numpy"]


def test_the_installed_wheel_plays_the_game(installed):
    program = """
import gymnasium, mirage_env
envs = gymnasium.make_vec("Mirage-v0", num_envs=3, backend="native")
envs.reset(seed=0)
print(mirage_env.__file__, envs.step([1, 2, 3])[0].shape)
"""
    path, shape = run_installed(installed, program).split(maxsplit=1)
    assert Path(path) == installed / "mirage_env" / "__init__.py"
    assert shape.strip() == "(3, 64, 64, 3)"


def test_the_installed_wheel_finds_its_weights(installed):
    program = "import mirage_wm.weights as w; print(w.__file__, *w.available())"
    path, *found = run_installed(installed, program).split()
    assert Path(path).parent == installed / "mirage_wm"
    assert found == sorted(path.stem for path in (ROOT / "weights").glob("*.safetensors"))


def test_the_installed_wheel_serves_the_page(installed):
    pytest.importorskip("websockets")
    program = """
from mirage_web.site import Doors, Site
print(*Site(Doors(frozenset()), lambda: (True, {})).paths)
"""
    paths = run_installed(installed, program).split()
    assert {"/", "/protocol.js"} <= set(paths)


def test_without_a_compiler_the_build_says_what_to_install(tmp_path):
    done = build(tmp_path, CXX="/nowhere/c++")
    assert done.returncode != 0
    said = " ".join((done.stdout + done.stderr).split())
    assert "Mirage needs a C++17 compiler and none was found" in said
    assert not list(tmp_path.glob("*.whl"))
