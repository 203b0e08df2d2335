"""What environments keep as tensors, tried on tensors of the CPU."""

from __future__ import annotations

import numpy as np
import pytest

from mirage_env.arrays import TensorStack

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
