"""One run on several processes: it learns from the same as one process does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mirage_wm.checkpoint import load_checkpoint
from mirage_wm.models import make_model
from mirage_wm.parallel import Group
from mirage_wm.train_config import TrainConfig
from mirage_wm.trainer import Trainer
from mirage_wm.unet_config import UNetConfig

SMALL = (
    "--device cpu --batch 32 --rollout 2 --reach 4 --refresh 2 --validate-films 0 "
    "--budget.total-steps 8 --schedule.rollouts 0.4 --schedule.warm-up 1 "
    "--net.widths 8 8 --net.blocks 1 --net.embedding 8 --data.arenas 16 --data.steps 12 "
    "--data.chunks 2 --data.table 64 --data.horizons 1 4 --data.burn-in 0 --data.threads 1"
).split()


@pytest.mark.parametrize("run", ["v2", pytest.param("v1", marks=pytest.mark.slow)])
def test_two_processes_learn_what_one_does(tmp_path: Path, run: str) -> None:
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    found = []
    for name, launch in (("one", []), ("two", torchrun)):
        out = tmp_path / name
        command = [sys.executable, *launch, "-m", "mirage_wm.train", run, *SMALL]
        done = subprocess.run(
            [*command, "--out", str(out)], capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("8 steps, 100.0% of the run") == 1
        found.append(load_checkpoint(out))
    one, two = found
    assert torch.equal(one["generator"], two["generator"])
    assert torch.equal(one["store"]["generator"], two["store"]["generator"])
    torch.manual_seed(0)
    kind = {"v1": "regression", "v2": "diffusion"}[run]
    new = make_model(kind, UNetConfig((8, 8), 1, 8, context_noise=True, kernels=2)).state_dict()
    for name, tensor in one["model"].items():
        # The sums of the gradients are rounded otherwise, and Adam divides by their size.
        torch.testing.assert_close(two["model"][name], tensor, atol=2e-4, rtol=0)
    assert max(float((one["model"][k] - new[k]).abs().max()) for k in new) > 4e-3


def test_the_rows_of_all_processes_are_what_one_draws() -> None:
    def draw(n: int) -> torch.Tensor:
        return torch.arange(n)

    for size in (1, 2, 4):
        shares = [Group(rank, size).rows_of_random(draw, 8 // size) for rank in range(size)]
        assert torch.equal(torch.cat(shares), torch.arange(8))
        rows = [torch.arange(8)[Group(rank, size).rows(8)] for rank in range(size)]
        assert torch.equal(torch.cat(rows), torch.arange(8))
    # Two batches of four one after the other, each shared out.
    halves = [Group(rank, 2).rows_of_random(draw, 4, parts=2).tolist() for rank in (0, 1)]
    assert halves == [[0, 1, 4, 5], [2, 3, 6, 7]]


def test_a_batch_that_cannot_be_shared_out_is_refused(tmp_path: Path) -> None:
    config = TrainConfig(out=tmp_path, device="cpu", batch=24)
    with pytest.raises(ValueError, match="a multiple of 16 for each of the 2 processes, got 24"):
        Trainer(config, Group(0, 2))
