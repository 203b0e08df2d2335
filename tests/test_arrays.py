"""What environments keep as tensors, tried on tensors of the CPU."""

from __future__ import annotations

import numpy as np
import pytest

from mirage_env.arrays import TensorPool, TensorStack

torch = pytest.importorskip("torch")


def test_a_stack_of_bytes_is_filled_in_the_rows_that_are_named_also_beyond_the_256th():
    ring = torch.zeros((2, 600, 3), dtype=torch.uint8)
    stack = TensorStack(ring, stack=None)
    rows = np.array([1, 256, 300, 599])
    stack.fill(rows, torch.full((4, 3), 7, dtype=torch.uint8))
    filled = np.flatnonzero(ring.numpy().any((0, 2)))
    assert filled.tolist() == rows.tolist()
    stack.fill(rows, torch.arange(24, dtype=torch.uint8).reshape(4, 2, 3))
    assert stack.stacks(rows).flatten().tolist() == list(range(24))


@pytest.mark.parametrize("edge", [8, 3000])
def test_a_pool_never_gives_what_somebody_holds(edge):
    pool = TensorPool((2, edge, edge, 3), torch.zeros(0, dtype=torch.uint8), reuse=False)
    held = [pool.take().fill_(k) for k in range(3 if edge > 8 else 40)]
    assert [int(tensor.max()) for tensor in held] == list(range(len(held)))
    assert all(tensor.shape == (2, edge, edge, 3) and tensor.is_contiguous() for tensor in held)


def test_a_pool_that_reuses_gives_the_same_again():
    pool = TensorPool((2, 4), torch.zeros(0), reuse=True)
    assert pool.take() is pool.take()
