"""Muon: what it does to a matrix, which weights it is for, and AdamW for the others."""

from __future__ import annotations

import pytest
import torch
from small_models import lively_model

from mirage_wm.muon import Muon, orthogonalized

pytestmark = pytest.mark.usefixtures("_one_thread")


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(2, 8, 72), (3, 40, 16)])
def test_singular_values_become_about_equal_and_directions_stay(
    shape: tuple[int, int, int],
) -> None:
    u, values, v = torch.linalg.svd(normal(*shape), full_matrices=False)
    values = torch.linspace(1.0, 0.05, values.shape[1]).expand_as(values)
    found = orthogonalized(u @ values.diag_embed() @ v)
    inside = u.mT @ found @ v.mT
    new = inside.diagonal(dim1=1, dim2=2)
    assert 0.6 < new.min()
    assert new.max() < 1.3
    torch.testing.assert_close(inside, new.diag_embed(), atol=1e-4, rtol=0)
    assert not orthogonalized(torch.zeros(1, 4, 8)).any()


def test_a_step_of_a_matrix_has_a_size_that_its_gradient_does_not_change() -> None:
    for scale in (1e-6, 1.0):
        weight, other = (torch.zeros(16, 8, 3, 3, requires_grad=True) for _ in range(2))
        optimizer = Muon([weight, other], [], lr=0.1, weight_decay=0.0)
        weight.grad, other.grad = scale * normal(16, 8, 3, 3), scale * normal(16, 8, 3, 3, seed=1)
        optimizer.step()
        for stepped in (weight, other):
            assert stepped.grad is not None
            assert 0.04 < stepped.detach().square().mean().sqrt() < 0.06
            assert (stepped * stepped.grad).sum() < 0


def test_other_weights_go_as_by_pytorchs_adamw() -> None:
    ours, theirs = (normal(5, 7).requires_grad_() for _ in range(2))
    settings = {"lr": 0.01, "betas": (0.9, 0.99), "eps": 1e-10, "weight_decay": 0.1}
    muon = Muon([], [ours], **settings)  # type: ignore[arg-type]
    adamw = torch.optim.AdamW([theirs], **settings)  # type: ignore[arg-type]
    for step in range(5):
        for weight, optimizer in ((ours, muon), (theirs, adamw)):
            weight.grad = normal(5, 7, seed=step)
            optimizer.step()
    torch.testing.assert_close(ours, theirs)


def test_it_is_for_the_convolutions_but_the_first_and_the_last() -> None:
    unet = lively_model().unet
    inner = {id(weight) for weight in unet.inner_convolutions()}
    names = {name for name, weight in unet.named_parameters() if id(weight) in inner}
    assert {"down.0.weight", "up.0.weight", "skip.0.weight"} < names
    assert sum("conv" in name for name in names) == 6
    assert len(names) == 9
