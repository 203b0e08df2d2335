"""The states of arenas as tensors, on any device, without a copy.

The simulators keep an arena as a record of 640 bytes (`mirage_env.arena`): native in an array of
numpy, CUDA in a tensor. Either is seen here as tensors by the fields' names; what is written to
them is written to the record.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from mirage_env.arena import ARENA_DTYPE

__all__ = ["Fields"]

_DTYPES = {
    "|u1": torch.uint8,
    "|i1": torch.int8,
    "<i4": torch.int32,
    "<u4": torch.int32,  # a coordinate's bits: differences wrap as they should
    "<u8": torch.int64,
}


class Fields:
    """The fields of n arenas: tensors [n] or [n, slots] that share the records' memory.

    Attributes:
        records: int32 [n, 160], all of them.

    Example:
        >>> arenas = np.zeros(2, ARENA_DTYPE)
        >>> Fields(arenas)["lives"][:] = 3
        >>> arenas["lives"].tolist()
        [3, 3]
    """

    def __init__(self, records: Any) -> None:
        """See `ARENA_DTYPE` [n] of numpy, or int32 [n, 160] on a device, by their fields."""
        if isinstance(records, np.ndarray):
            records = torch.from_numpy(records.view(np.int32).reshape(len(records), -1))
        self.records: Tensor = records
        self._bytes = records.view(torch.uint8)
        self._known: dict[str, Tensor] = {}

    def __getitem__(self, name: str) -> Tensor:
        """Return a field."""
        if name not in self._known:
            fields: Any = ARENA_DTYPE.fields
            dtype, offset = fields[name][:2]
            field = self._bytes[:, offset : offset + dtype.itemsize].view(_DTYPES[dtype.base.str])
            self._known[name] = field if dtype.shape else field[:, 0]
        return self._known[name]
