"""Which way the weights are to go: the gradients of an objective's losses.

A step of a small net is hundreds of short kernels, which a host launches more slowly than a GPU
works them off. So on a GPU the loss and its gradient are recorded as one CUDA graph for each kind
of batch, noise included, and replayed with one launch.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor

from mirage_wm.cuda_graph import Graphs
from mirage_wm.objectives import Dreams, Loss, Objective
from mirage_wm.windows import Windows

__all__ = ["Gradients"]


class Gradients:
    """Computes the losses of an objective, and leaves each weight its gradient."""

    def __init__(
        self,
        objective: Objective,
        precision: Callable[[], AbstractContextManager[Any]],
        *,
        graphs: bool = False,
    ) -> None:
        """Prepare to compute.

        Args:
            objective: The losses, and the model whose weights are learned.
            precision: Returns a context in which losses are computed, such as one of autocast.
            graphs: Replay CUDA graphs: the model is on a GPU, and nothing in the losses waits for
                it.
        """
        self._objective, self._precision = objective, precision
        self._weights = list(objective.model.parameters())
        self._device = self._weights[0].device
        self._pool = torch.cuda.graph_pool_handle() if graphs else None
        self._recorded: dict[Any, Graphs] = {}

    def single(self, windows: Windows) -> Loss:
        """See `Objective.single`. What is returned holds until the next call."""

        def work(*given: Tensor) -> tuple[Any, ...]:
            return self._descend(lambda: self._objective.single(Windows(*given)))

        loss, gradients = self._run("single", work, windows)
        return self._leave(loss, gradients)

    def along(self, dreams: Dreams, windows: Windows) -> Loss:
        """See `Objective.along`. What is returned holds until the next call."""
        sampler, films = dreams.sampler, dreams.ahead(self._objective.unroll)

        def work(seen: Tensor, off: Tensor, *given: Tensor) -> tuple[Any, ...]:
            films, beside = given[: len(given) // 2], given[len(given) // 2 :]
            part = Dreams(Windows(*films), seen, off, sampler)
            told = self._descend(lambda: self._objective.along(part, Windows(*beside)))
            return *told, part.seen, part.off

        given = (dreams.seen, dreams.off, *films, *windows)
        loss, gradients, dreams.seen, dreams.off = self._run(sampler, work, given)
        dreams.tick += films.rewards.shape[1]
        return self._leave(loss, gradients)

    def _descend(self, compute: Callable[[], Loss]) -> tuple[Loss, tuple[Tensor, ...]]:
        with torch.enable_grad():
            with self._precision():
                loss = compute()
            gradients = torch.autograd.grad(loss.total, self._weights)
        return Loss(loss.total.detach(), loss.error), gradients

    def _run(self, kind: Any, work: Callable[..., tuple[Any, ...]], given: Any) -> tuple[Any, ...]:
        if self._pool is None:
            return work(*given)
        if kind not in self._recorded:
            generator = self._objective.generator
            self._recorded[kind] = Graphs(work, self._device, generator=generator, pool=self._pool)
        return self._recorded[kind](*given)

    def _leave(self, loss: Loss, gradients: tuple[Tensor, ...]) -> Loss:
        for weight, gradient in zip(self._weights, gradients, strict=True):
            weight.grad = gradient
        return loss
