"""One run on several GPUs: each process takes its rows of every batch, and all learn the same.

    torchrun --standalone --nproc-per-node 2 -m mirage_wm.train v1

Every process plays the same game and draws the same batch and the same noise, of which it keeps its
rows alone. So what a run learns from does not depend on the number of its processes (the sums of
its gradients are rounded otherwise). The first of them keeps time and writes; the others do as it
says.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

__all__ = ["Group", "join", "leave"]


@dataclass(frozen=True)
class Group:
    """The processes of a run, and which of them this is.

    Attributes:
        rank: Of this one, from 0.
        size: How many there are.
        local: Its rank on this machine, which is the number of its GPU.
    """

    rank: int = 0
    size: int = 1
    local: int = 0

    @property
    def first(self) -> bool:
        """Whether this one keeps time and writes."""
        return self.rank == 0

    def rows(self, n: int) -> slice:
        """Return which rows of n, a multiple of `size`, are this one's."""
        share = n // self.size
        return slice(self.rank * share, (self.rank + 1) * share)

    def rows_of_random(self, draw: Callable[[int], Tensor], n: int, parts: int = 1) -> Tensor:
        """Return this one's n rows of what all draw together.

        Args:
            draw: Draws so many rows; it is asked for those of all processes.
            n: Rows of this one.
            parts: Parts that a batch is made of, one after the other, each of which is shared out.
        """
        if self.size == 1:
            return draw(n)
        whole = draw(n * self.size).unflatten(0, (parts, -1))
        return whole[:, self.rows(whole.shape[1])].flatten(0, 1)

    def average(self, gradients: Iterable[Tensor | None]) -> None:
        """Replace gradients by their mean over all processes, in one message."""
        if self.size == 1:
            return
        some = [gradient for gradient in gradients if gradient is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in some])
        dist.all_reduce(flat)
        flat /= self.size
        for gradient, mean in zip(some, flat.split([g.numel() for g in some]), strict=True):
            gradient.copy_(mean.view_as(gradient))

    def agreed(self, value: Any) -> Any:
        """Return what the first process has given."""
        if self.size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0, group=_talk())
        return box[0]


_TALK: list[Any] = []


def _talk() -> Any:
    """Return the connection for words from host to host, made once: NCCL's would wait for a GPU."""
    if not _TALK:
        _TALK.append(dist.new_group(backend="gloo"))
    return _TALK[0]


def join(device: str) -> Group:
    """Return the group that torchrun started this process in, or one of its own without it."""
    if not dist.is_torchelastic_launched():
        return Group()
    if not dist.is_initialized():
        dist.init_process_group("gloo" if device == "cpu" else "nccl")
    return Group(dist.get_rank(), dist.get_world_size(), int(os.environ["LOCAL_RANK"]))


def leave() -> None:
    """Part from the others, if there are any."""
    _TALK.clear()
    if dist.is_torchelastic_launched() and dist.is_initialized():
        dist.destroy_process_group()
