"""One game, written down once for each purpose: header, record, oracle, kernels tell the same."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mirage_env import _native, header, rules
from mirage_env.arena import ARENA_DTYPE

ROOT = Path(__file__).resolve().parent.parent
CUDA, ORACLE = ROOT / "cuda", ROOT / "mirage_env" / "oracle"

TOLD_TWICE = (
    "random torus ship bullets rocks wave tick sprites pixels hash".split()
)  # the files of the rules; the others hold what only one of the languages needs


def cpp_functions(path: Path) -> list[str]:
    """Names of the functions that a file defines, in order."""
    text = re.sub(r"//[^\n]*", "", path.read_text())
    definition = r"^(?:HD|template [^\n]*HD|[^\n]*\nHD)[^;{(]*?(\w+)\([^;{]*\)\s*\{"
    return re.findall(definition, text, re.M)


def python_functions(path: Path) -> list[str]:
    tree = ast.parse(path.read_text())
    return [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]


def test_generated_header_is_what_the_rules_give():
    assert (CUDA / "generated.cuh").read_text() == header.header(), (
        "cuda/generated.cuh is stale: run `python -m mirage_env.header` and commit it"
    )


def test_a_changed_rule_changes_the_header():
    assert header.header(rules.constants(rules.Rules(turn=4))) != header.header()


def test_the_command_writes_the_header_without_a_warning(tmp_path):
    written = tmp_path / "generated.cuh"
    command = [sys.executable, "-W", "error", "-m", "mirage_env.header", written]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert written.read_text() == header.header()


@pytest.mark.parametrize("name", TOLD_TWICE)
def test_oracle_and_cuda_hold_the_same_functions_in_the_same_order(name):
    told = cpp_functions(CUDA / f"{name}.cuh")
    assert told, f"no functions found in cuda/{name}.cuh"
    assert python_functions(ORACLE / f"{name}.py") == told


def test_every_file_of_the_rules_is_compared():
    only_cpp = {"arena", "compiler", "generated", "lanes", "shapes"}
    assert {path.stem for path in CUDA.glob("*.cuh")} - only_cpp == set(TOLD_TWICE)


def test_cpp_lays_the_record_out_as_numpy_does():
    fields = ARENA_DTYPE.fields
    numpy_layout = [(name, fields[name][1], fields[name][0].itemsize) for name in ARENA_DTYPE.names]
    assert [tuple(field) for field in _native.layout()] == numpy_layout


@pytest.mark.parametrize("target", ["-ptx -arch=sm_75", "-cubin -arch=sm_80", "-cubin -arch=sm_90"])
def test_nvcc_compiles_the_kernels(target, tmp_path):
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        pytest.skip("no nvcc on this machine: the kernels were NOT compiled")
    out = tmp_path / "kernels"
    command = [nvcc, "-std=c++17", "-fmad=false", *target.split(), "-o", out, CUDA / "kernels.cu"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", f"nvcc warns: {done.stderr}"
    assert out.stat().st_size > 10_000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"thrust": 0.5}, "Rules.thrust must be a number from 0.0 to 0.25, got 0.5"),
        ({"rock_speed": float("nan")}, "Rules.rock_speed must be a number"),
        ({"wave_first": 7}, "Rules.wave_first must be a whole number from 1 to 6, got 7"),
        ({"wave_first": 2.0}, "Rules.wave_first must be a whole number"),
        ({"cooldown": True}, "Rules.cooldown must be a whole number"),
        ({"split": "bulet"}, "Rules.split must be 'bullet' or 'random', got 'bulet'"),
        ({"wave": "shop"}, "Rules.wave must be 'random', 'ring' or 'ship', got 'shop'"),
    ],
)
def test_rules_out_of_range_are_refused(change, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        rules.Rules(**change)


def test_rules_that_are_compiled_in_cannot_be_changed_for_an_environment():
    with pytest.raises(ValueError, match=r"Rules\.turn is compiled into the simulators as 3"):
        rules.tuning(rules.Rules(turn=4))
