"""A function of tensors, replayed on a GPU as one CUDA graph: one launch instead of hundreds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["Graphs"]


class Graphs:
    """Replays a function; a graph is recorded for each shape of its arguments.

    On the CPU it calls the function. What it returns is written anew by the next call.

    Example:
        >>> double = Graphs(lambda x: (2 * x,), torch.device("cpu"))
        >>> double(torch.ones(2))
        (tensor([2., 2.]),)
    """

    WARM_UP = 3
    """Calls before the recording, so that libraries choose their ways and allocate."""

    def __init__(
        self,
        function: Callable[..., tuple[Any, ...]],
        device: torch.device,
        *,
        compiled: bool = False,
        alters: Sequence[Tensor] = (),
        generator: torch.Generator | None = None,
        pool: Any = None,
    ) -> None:
        """Prepare to record.

        Args:
            function: Of tensors to a tuple of tensors; it must not wait for the device.
            device: Where they are.
            compiled: Compile the function for each shape; it takes a minute and computes faster.
            alters: Tensors that the function writes to; recording leaves them as they were.
            generator: Where the function takes random numbers from, on the device; recording takes
                none.
            pool: Memory that other graphs use too (`torch.cuda.graph_pool_handle`), of which only
                what they return must last; None for memory of its own.
        """
        self._function = torch.compile(function, dynamic=False) if compiled else function
        self.device, self._alters = device, list(alters)
        self._generator, self._pool = generator, pool
        self._recorded: dict[tuple[Any, ...], tuple[Any, list[Any], tuple[Any, ...]]] = {}

    @torch.no_grad()
    def __call__(self, *given: Any) -> tuple[Any, ...]:
        """Return what the function does."""
        if self.device.type != "cuda":
            return self._function(*given)
        key = tuple(part.shape for part in given)
        if key not in self._recorded:
            self._recorded[key] = self._record(given)
        graph, inputs, outputs = self._recorded[key]
        torch._foreach_copy_(inputs, list(given))  # pyright: ignore[reportPrivateImportUsage]
        graph.replay()
        return outputs

    def _record(self, given: tuple[Any, ...]) -> tuple[Any, list[Any], tuple[Any, ...]]:
        inputs, before = [part.clone() for part in given], [part.clone() for part in self._alters]
        drawn = self._generator.get_state() if self._generator else None
        beside = torch.cuda.Stream(self.device)
        beside.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(beside):
            for _ in range(self.WARM_UP):
                self._function(*inputs)
        torch.cuda.current_stream(self.device).wait_stream(beside)
        graph = torch.cuda.CUDAGraph()
        if self._generator and drawn is not None:
            self._generator.set_state(drawn)
            graph.register_generator_state(self._generator)
        # Other threads may use the device meanwhile, such as the one that plays while a net learns.
        with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
            outputs = self._function(*inputs)
        for part, value in zip(self._alters, before, strict=True):
            part.copy_(value)
        return graph, inputs, outputs
