"""Rows that come in chunks and are kept, without holes in the memory that the chunks came from."""

from __future__ import annotations

import torch
from torch import Tensor

FIRST = 256  # rows that the first block holds


class Rows:
    """Appends tensors along their first axis, in a block that doubles when it is full.

    A list of small tensors that stay would lie between the large, short-lived buffers of a network and keep the heap
    from closing up: ten minutes of video cost hundreds of megabytes.
    """

    def __init__(self) -> None:
        self._block: Tensor | None = None
        self._count = 0

    def append(self, rows: Tensor) -> None:
        """Copy rows (n, ...) to the end; all calls have the same shape but for n."""
        wanted = self._count + len(rows)
        if self._block is None or wanted > len(self._block):
            self._grow(rows, wanted)
        assert self._block is not None  # noqa: S101 (narrows the type)
        self._block[self._count : wanted] = rows
        self._count = wanted

    def tensor(self) -> Tensor:
        """All rows, (T, ...), of their own."""
        return torch.empty(0) if self._block is None else self._block[: self._count].clone()

    def _grow(self, rows: Tensor, wanted: int) -> None:
        size = max(FIRST, wanted, 0 if self._block is None else 2 * len(self._block))
        block = rows.new_empty(size, *rows.shape[1:])
        if self._block is not None:
            block[: self._count] = self._block[: self._count]
        self._block = block
