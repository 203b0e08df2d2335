"""What steps on a GPU give beside observations: tensors that are allocated many steps at a time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from mirage_env.simulator import INFOS

__all__ = ["Places", "Results", "Row", "by_name"]


class Results:
    """What T steps of N arenas gave beside observations, in memory allocated together.

    Attributes:
        reward: float32 [T, N].
        flags: bool [T, 3, N]: terminated, truncated, begun.
        infos: int32 [T, N, 4], in the order of `INFOS`.
    """

    def __init__(self, torch: Any, device: Any, steps: int, num_envs: int) -> None:
        """Allocate them, with whatever was in that memory."""
        self.reward = torch.empty((steps, num_envs), dtype=torch.float32, device=device)
        self.flags = torch.empty((steps, 3, num_envs), dtype=torch.bool, device=device)
        self.infos = torch.empty((steps, num_envs, len(INFOS)), dtype=torch.int32, device=device)
        self._at = [part.data_ptr() for part in (self.reward, self.flags, self.infos)]

    def places(self) -> Iterator[Places]:
        """Return where each step in turn writes its reward, flags and infos."""
        parts = (self.reward, self.flags, self.infos)
        strides = [part[0].numel() * part.element_size() for part in parts]
        return zip(
            *(itertools.count(*at) for at in zip(self._at, strides, strict=True)), strict=True
        )

    def named_infos(self) -> dict[str, Any]:
        """Return the infos as int64 [T, N] by name."""
        return by_name(self.infos)

    def rows(self) -> Iterator[Row]:
        """Yield each step in turn. Views are not free: what few ask for is not yet taken."""
        terminated, truncated, _ = self.flags.unbind(1)
        views = (self.reward.unbind(0), terminated.unbind(0), truncated.unbind(0))
        return zip(*views, itertools.repeat(self), itertools.count(), self.places())


def by_name(infos: Any) -> dict[str, Any]:
    """Return `Results.infos` [..., 4] as int64 tensors [...] by name."""
    return dict(zip(INFOS, infos.long().unbind(-1), strict=True))


Places = tuple[int, int, int]
"""Addresses of a step's reward, flags and infos."""

Row = tuple[Any, Any, Any, Results, int, Places]
"""What one step gave: reward, terminated, truncated [num_envs], and where the rest is."""
