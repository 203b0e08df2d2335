"""Gradients are those of the losses, computed at once or replayed as CUDA graphs."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
from no_waiting import no_waiting
from small_models import enlivened

from mirage_wm.gradients import Gradients
from mirage_wm.objectives import Objective
from mirage_wm.unet_config import UNetConfig
from mirage_wm.windows import Windows

NET = UNetConfig(widths=(8, 16), blocks=1, embedding=8, context_noise=True, kernels=2)
KINDS = ("regression", "diffusion")


def prepared(kind: str, device: str, *, graphs: bool = False) -> tuple[Objective, Gradients]:
    model = enlivened(kind, NET, 0).to(device)
    generator = torch.Generator(device).manual_seed(0)
    objective = Objective(model, generator, unroll=2)  # type: ignore[arg-type]
    return objective, Gradients(objective, nullcontext, graphs=graphs)


def windows(n: int, future: int, device: str, seed: int = 0) -> Windows:
    draw = torch.Generator().manual_seed(seed)

    def below(high: int, *shape: int) -> torch.Tensor:
        return torch.randint(high, (n, *shape), generator=draw).to(device)

    return Windows(
        below(256, 4 + future, 64, 64, 3).byte(),
        below(12, 3 + future),
        below(3, future),
        below(2, future).bool(),
        torch.zeros(n, future, dtype=torch.uint8, device=device),
    )


def left(objective: Objective) -> list[torch.Tensor]:
    """Return copies of the gradients that the weights have."""
    return [weight.grad.clone() for weight in objective.model.parameters()]  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", KINDS)
def test_they_are_those_of_the_losses(kind: str) -> None:
    objective, gradients = prepared(kind, "cpu")
    plain, _ = prepared(kind, "cpu")
    batch, films = windows(8, 1, "cpu"), windows(4, 4, "cpu", seed=1)
    told = gradients.single(batch)
    loss = plain.single(batch)
    loss.total.backward()
    assert told.total == loss.total.detach()
    assert not told.total.requires_grad
    torch.testing.assert_close(left(objective), left(plain), rtol=0, atol=0)
    dreams, same = objective.begin(films, 1), plain.begin(films, 1)
    beside = windows(4, 1, "cpu", seed=2)
    while not dreams.over:
        plain.model.zero_grad()
        told = gradients.along(dreams, beside)
        loss = plain.along(same, beside)
        loss.total.backward()
        assert dreams.tick == same.tick
        assert told.total == loss.total.detach()
        torch.testing.assert_close(left(objective), left(plain), rtol=0, atol=0)
        torch.testing.assert_close(dreams.seen, same.seen, rtol=0, atol=0)
        assert torch.equal(dreams.off, same.off)
    assert same.over


@pytest.mark.gpu
@pytest.mark.parametrize("kind", KINDS)
def test_graphs_of_them_give_the_same_again_and_again(kind: str) -> None:
    recorded, replaying = prepared(kind, "cuda", graphs=True)
    plain, computing = prepared(kind, "cuda")

    def compare() -> None:
        torch.testing.assert_close(left(recorded), left(plain), rtol=1e-3, atol=1e-5)
        assert torch.equal(recorded.generator.get_state(), plain.generator.get_state())

    for number in range(6):
        batch = windows(8, 1, "cuda", seed=number)
        told, expected = replaying.single(batch), computing.single(batch)
        torch.testing.assert_close(told.total, expected.total)
        compare()
    for number in range(6):
        films, beside = windows(4, 6, "cuda", seed=number), windows(4, 1, "cuda", seed=9)
        dreams, same = recorded.begin(films, number), plain.begin(films, number)
        while not dreams.over:
            told, expected = replaying.along(dreams, beside), computing.along(same, beside)
            torch.testing.assert_close(told.total, expected.total)
            compare()
            # Faint noise of another order of sums may round to another level now and then.
            assert (dreams.seen - same.seen).abs().mean() < 1e-3
            same.seen = dreams.seen.clone()
            torch.testing.assert_close(dreams.off, same.off, rtol=1e-2, atol=1e-5)
        assert same.over
    batch = windows(8, 1, "cuda")
    with no_waiting():
        replaying.single(batch)
