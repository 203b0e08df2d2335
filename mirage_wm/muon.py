"""Muon for the convolutions between pictures' features, AdamW for all other weights.

The gradient of a layer's matrix has few large singular values and many small ones, and what is rare
in the data is in the small ones. Muon (Jordan et al. 2024,
https://kellerjordan.github.io/posts/muon/) steps along about the orthogonal matrix that is nearest
to the momentum: equally far in each of these directions.
"""

# The operations on many tensors at once are private in PyTorch.
# pyright: reportPrivateImportUsage=false
from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

__all__ = ["Muon", "orthogonalized"]

QUINTIC = (3.4445, -4.7750, 2.0315)
"""Of Jordan's Newton-Schulz iteration: singular values s become as + bs³ + cs⁵."""

ROUNDS = 5
"""Iterations: all but the smallest singular values come out as 0.7 to 1.2."""

SIZE = 0.5
"""Root mean square of a step's entries at a learning rate of 1: somewhat more than AdamW's, 0.2 to
0.4, so that one learning rate serves both (Liu et al. 2025, https://arxiv.org/abs/2502.16982)."""


def orthogonalized(matrices: Tensor) -> Tensor:
    """Return about the orthogonal matrix nearest to each, float [n, rows, columns]."""
    if matrices.shape[1] > matrices.shape[2]:
        return orthogonalized(matrices.mT).mT
    a, b, c = QUINTIC
    x = matrices / matrices.norm(dim=(1, 2), keepdim=True).clamp(min=1e-20)
    for _ in range(ROUNDS):
        square = x @ x.mT
        polynomial = torch.baddbmm(square, square, square, beta=b, alpha=c)
        x = torch.baddbmm(x, polynomial, x, beta=a)
    return x


class Muon(torch.optim.Optimizer):
    """Muon for matrices, AdamW for other weights.

    A convolution's weights [rows, ...] are the matrix of its rows; matrices of one size are made
    orthogonal together.
    """

    def __init__(
        self,
        matrices: Iterable[Tensor],
        others: Iterable[Tensor],
        lr: float,
        *,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.99),
        eps: float = 1e-10,
        weight_decay: float = 0.01,
    ) -> None:
        """Begin with no momentum.

        Args:
            matrices: Weights of two axes or more, which Muon is for.
            others: The other weights.
            lr: Learning rate.
            momentum: Muon's, Nesterov's way.
            betas: Decay of AdamW's two means.
            eps: AdamW's.
            weight_decay: Of all weights, a share of the learning rate.
        """
        groups = [
            {"params": list(matrices), "momentum": momentum},
            {"params": list(others), "betas": betas, "eps": eps, "steps": 0},
        ]
        super().__init__(groups, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Go one step down the gradients; a `closure` is not called."""
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if not weights:
                continue
            gradients = [weight.grad for weight in weights]
            torch._foreach_mul_(weights, 1 - group["lr"] * group["weight_decay"])
            if "momentum" in group:
                steps = self._orthogonal_steps(group, weights, gradients)
            else:
                steps = self._adam_steps(group, weights, gradients)
            torch._foreach_add_(weights, steps, alpha=-group["lr"])

    def _orthogonal_steps(
        self, group: dict[str, Any], weights: list[Tensor], gradients: list[Tensor]
    ) -> list[Tensor]:
        held = self._kept("momentum", weights)
        torch._foreach_lerp_(held, gradients, 1 - group["momentum"])
        ahead = torch._foreach_lerp(gradients, held, group["momentum"])
        alike: dict[tuple[int, int], list[int]] = {}
        for i, weight in enumerate(weights):
            alike.setdefault((len(weight), weight[0].numel()), []).append(i)
        steps = list(ahead)
        for (rows, columns), places in alike.items():
            matrices = torch.stack([ahead[i].reshape(rows, columns) for i in places])
            if matrices.is_cuda:
                matrices = matrices.bfloat16()
            # An orthogonal matrix has entries of 1 / sqrt(the longer side).
            matrices = SIZE * max(rows, columns) ** 0.5 * orthogonalized(matrices).float()
            for i, matrix in zip(places, matrices, strict=True):
                steps[i] = matrix.reshape(weights[i].shape).to(weights[i].dtype)
        return steps

    def _adam_steps(
        self, group: dict[str, Any], weights: list[Tensor], gradients: list[Tensor]
    ) -> list[Tensor]:
        group["steps"] += 1
        means, squares = self._kept("mean", weights), self._kept("square", weights)
        first, second = group["betas"]
        torch._foreach_lerp_(means, gradients, 1 - first)
        torch._foreach_mul_(squares, second)
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - second)
        roots = torch._foreach_sqrt(squares)
        torch._foreach_div_(roots, (1 - second ** group["steps"]) ** 0.5)
        torch._foreach_add_(roots, group["eps"])
        steps = torch._foreach_div(means, roots)
        torch._foreach_div_(steps, 1 - first ** group["steps"])
        return list(steps)

    def _kept(self, name: str, weights: list[Tensor]) -> list[Tensor]:
        """Return what is kept of each weight under a name, zeros at first."""
        for weight in weights:
            if name not in self.state[weight]:
                self.state[weight][name] = torch.zeros_like(weight)
        return [self.state[weight][name] for weight in weights]
