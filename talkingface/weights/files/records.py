"""Records of the tensors in a weight file before their numbers are read: type, shape, and place in the file.

A file is identified and checked by these records; only the networks that are needed are read into memory.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor

ITEM_BYTES = {
    "float64": 8,
    "float32": 4,
    "float16": 2,
    "bfloat16": 2,
    "int64": 8,
    "int32": 4,
    "int16": 2,
    "int8": 1,
    "uint8": 1,
    "bool": 1,
}
MAX_RANK = 16
# Broadcast views are stored small and expand to large tensors; regular files stay near their own size.
UNFOLD_FACTOR, UNFOLD_SLACK = 8, 64 << 20
# Rows of a tensor without numbers: they take no bytes in the file, but whoever walks over them needs time for each.
MAX_EMPTY = 1 << 20


def checked_count(value: object, what: str) -> int:
    """Return ``value`` as a count or an offset.

    Raises:
        WeightsError: if it is not an int from 0 to 2**48.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 1 << 48:
        raise WeightsError(f"{what} of a tensor is out of range")
    return value


def check_empty(shape: Sequence[int]) -> None:
    """Refuse an array without numbers that claims a great many rows or columns of them.

    Raises:
        WeightsError: if one of its sizes is above ``MAX_EMPTY``.
    """
    if 0 in shape and max(shape) > MAX_EMPTY:
        raise WeightsError(f"an array of shape {tuple(shape)} is empty")


@dataclass(eq=False, slots=True)
class Storage:
    """A block of consecutive numbers in the file.

    Attributes:
        dtype: key of ``ITEM_BYTES``.
        numel: number of elements.
        view: their bytes; None until the reader has reached them.
        crc: CRC-32 of the bytes where the file gives one; checked once, at the first reading.
    """

    dtype: str
    numel: int
    view: memoryview | None = None
    crc: int | None = None

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self.numel * ITEM_BYTES[self.dtype]

    def cut(self, first: int, count: int) -> bytearray:
        """Copy ``count`` numbers, starting with number ``first``.

        Raises:
            WeightsError: if the bytes are missing or do not match their checksum.
        """
        if self.view is None or len(self.view) != self.size:
            raise WeightsError("the numbers of a tensor are missing", cure="The file is truncated; get it again.")
        if self.crc is not None and zlib.crc32(self.view) != self.crc:
            raise WeightsError("a checksum inside the file is wrong", cure="The file is damaged; get it again.")
        self.crc = None
        item = ITEM_BYTES[self.dtype]
        return bytearray(self.view[first * item : (first + count) * item])


@dataclass(eq=False, slots=True)
class TensorRecord:
    """A tensor as a view of a storage. Shape, stride and offset count numbers, not bytes.

    Raises:
        WeightsError: if the view is malformed or reaches beyond the storage.
    """

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    def __post_init__(self) -> None:
        if not (isinstance(self.shape, tuple) and isinstance(self.stride, tuple)):
            raise WeightsError("shape of a tensor is not a row of numbers")
        if len(self.shape) != len(self.stride) or len(self.shape) > MAX_RANK:
            raise WeightsError("shape and stride of a tensor do not fit each other")
        for value in (self.offset, *self.shape, *self.stride):
            checked_count(value, "shape, stride or offset")
        check_empty(self.shape)
        if self.offset + self.span > self.storage.numel:
            raise WeightsError(f"a tensor of shape {self.shape} reaches beyond its {self.storage.numel} stored numbers")

    @property
    def span(self) -> int:
        """Numbers of the storage from the first to the last of the tensor, both included."""
        if 0 in self.shape:
            return 0
        return 1 + sum((size - 1) * step for size, step in zip(self.shape, self.stride, strict=True))

    @property
    def cost(self) -> int:
        """Bytes of memory needed to read it."""
        return max(self.span, math.prod(self.shape)) * ITEM_BYTES[self.storage.dtype]

    def tensor(self) -> Tensor:
        """Read the tensor of the record's shape (...): contiguous, on the CPU, in memory of its own."""
        import torch

        dtype = getattr(torch, self.storage.dtype)
        if not self.span:
            return torch.empty(self.shape, dtype=dtype)
        flat = torch.frombuffer(self.storage.cut(self.offset, self.span), dtype=dtype)
        return flat.as_strided(self.shape, self.stride).contiguous()


def contiguous(dtype: str, shape: tuple[int, ...], view: memoryview, *, fortran: bool = False) -> TensorRecord:
    """Record of an array that owns its bytes, in C order or in Fortran order."""
    storage = Storage(dtype, math.prod(checked_count(size, "shape") for size in shape), view)
    if len(view) != storage.size:
        raise WeightsError(f"an array of shape {shape} has {len(view)} bytes instead of {storage.size}")
    sizes = shape if fortran else shape[::-1]
    steps = [math.prod(sizes[:axis]) for axis in range(len(sizes))]
    return TensorRecord(storage, 0, shape, tuple(steps if fortran else steps[::-1]))


def check_cost(records: Iterable[TensorRecord], file_bytes: int) -> None:
    """Refuse a file whose tensors expand to many times its size.

    Raises:
        WeightsError: before any memory is allocated.
    """
    if sum(record.cost for record in records) > UNFOLD_FACTOR * file_bytes + UNFOLD_SLACK:
        raise WeightsError(f"its tensors unfold to more than {UNFOLD_FACTOR} times the size of the file")
