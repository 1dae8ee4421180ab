"""Read and write safetensors files. Our own weights are of this kind, with keys ``<network>.<key>`` and metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import WeightsError
from ...part_files import atomic_file
from .records import TensorRecord, checked_count, contiguous
from .torchfile import map_file

if TYPE_CHECKING:
    import torch
    from torch import Tensor

# The header of 1,500 tensors has 180 KB.
MAX_HEADER_BYTES = 4 << 20
_AGAIN = "The file is truncated or damaged; get it again."
_TYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U8": "uint8",
    "BOOL": "bool",
}


def read_safetensors(path: Path) -> tuple[dict[str, TensorRecord], dict[str, str]]:
    """Read tensor records and metadata of a safetensors file.

    Layout: the length of the header as uint64; the header, JSON of name -> type, shape and byte range; the numbers, one
    tensor after the other without gap or overlap.

    Raises:
        WeightsError: if the header is too long or malformed, or does not describe the bytes that follow it.
    """
    data = map_file(path)
    header_bytes = int.from_bytes(data[:8], "little")
    if header_bytes > min(MAX_HEADER_BYTES, len(data) - 8):
        raise WeightsError("its header is longer than the file or than 4 MB", cure=_AGAIN)
    try:
        header = json.loads(data[8 : 8 + header_bytes])
    except (ValueError, RecursionError) as error:
        raise WeightsError("its header is not readable", cure=_AGAIN) from error
    if not isinstance(header, dict) or not all(isinstance(entry, dict) for entry in header.values()):
        raise WeightsError("its header is not a list of tensors", cure=_AGAIN)
    metadata = {str(key): str(value) for key, value in header.pop("__metadata__", {}).items()}
    view = memoryview(data)[8 + header_bytes :]
    ranges = {name: _range(entry) for name, entry in header.items()}
    _check_ranges(sorted(ranges.values()), len(view))
    return {name: _record(name, header[name], view[start:stop]) for name, (start, stop) in ranges.items()}, metadata


def _range(entry: Mapping[str, Any]) -> tuple[int, int]:
    offsets = entry.get("data_offsets")
    if not isinstance(offsets, list) or len(offsets) != 2:
        raise WeightsError("a tensor has no place in the file", cure=_AGAIN)
    return checked_count(offsets[0], "place"), checked_count(offsets[1], "place")


def _check_ranges(ranges: Sequence[tuple[int, int]], total: int) -> None:
    ends = [0, *(stop for _, stop in ranges)]
    if any(start != end for (start, _), end in zip(ranges, ends[:-1], strict=True)) or ends[-1] != total:
        raise WeightsError("its tensors overlap, leave gaps, or do not end with the file", cure=_AGAIN)


def _record(name: str, entry: Mapping[str, Any], view: memoryview) -> TensorRecord:
    kind, shape = entry.get("dtype"), entry.get("shape")
    if not isinstance(kind, str) or kind not in _TYPES or not isinstance(shape, list):
        raise WeightsError(f"tensor {name[:80]!r} is of a type that is not read")
    return contiguous(_TYPES[kind], tuple(shape), view)


def write_safetensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file; it appears only when it is complete.

    Args:
        path: the file to write.
        tensors: key -> tensor of any shape (...), contiguous, on the CPU.
        metadata: text notes.

    Raises:
        OSError: if it cannot be written, for example on a full disk.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    with atomic_file(path) as part:
        try:
            save_file(dict(tensors), part, metadata=dict(metadata))
        except SafetensorError as error:
            raise OSError(str(error)) from error


def to_storable(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    """Copy a tensor (...) for writing: on the CPU, contiguous; floating-point numbers in ``dtype`` if given."""
    wanted = dtype if dtype is not None and tensor.is_floating_point() else tensor.dtype
    return tensor.detach().to("cpu", wanted, copy=True).contiguous()
