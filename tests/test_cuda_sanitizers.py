"""NVIDIA's compute-sanitizer on the kernels: memory, races, values never set, barriers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

pytestmark = pytest.mark.gpu

PROGRAM = """
import sys
import torch
from mirage_env import MirageVectorEnv
from mirage_env.backends import cuda_world

cuda_world.SHARED_BELOW = int(sys.argv[1])  # so that both ways of drawing are seen
for mode in ("NEXT_STEP", "SAME_STEP"):
    for kind in ({}, {"obs_size": 97, "obs_type": "grayscale"}, {"obs_type": "state"}):
        envs = MirageVectorEnv(
            70, backend="cuda", output="torch", autoreset_mode=mode, max_episode_steps=5, **kind
        )
        envs.reset(seed=3)
        actions = torch.randint(0, 12, (8, 70), device="cuda")
        for row in actions:
            envs.step(row)
        envs.rollout(actions)
        envs.fork(0, [1])
        envs.state_hash()
stacked = MirageVectorEnv(70, backend="cuda", output="torch", frame_stack=3)
stacked.reset(seed=3)
stacked.step(actions[0])
stacked.simulator.render(100)
torch.cuda.synchronize()
print("ran to its end")
"""


@pytest.mark.parametrize("shared_below", [0, 100])
@pytest.mark.parametrize("tool", ["memcheck", "racecheck", "initcheck", "synccheck"])
def test_a_sanitizer_finds_nothing(tool, shared_below, tmp_path):
    sanitizer = shutil.which("compute-sanitizer")
    if sanitizer is None:
        pytest.skip("no compute-sanitizer on this machine: the kernels were NOT sanitized")
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sanitizer, "--tool", tool, "--error-exitcode", "9", sys.executable]
    command += [str(tmp_path / "program.py"), str(shared_below)]
    # The same packages as here, installed or not.
    paths = os.pathsep.join([os.getcwd(), *filter(None, sys.path)])
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": paths},
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-3000:]
    assert "ran to its end" in said
    assert "ERROR SUMMARY: 0 errors" in said or "0 hazards" in said, said[-3000:]
