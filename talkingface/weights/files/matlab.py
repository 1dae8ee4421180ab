"""Read arrays of numbers from MATLAB files (level 5, which ``save -v6`` and ``-v7`` write), and nothing else.

Such a file may also hold text, cells, structures, functions and objects; those are skipped by their lengths and
never built. Format: MathWorks, "MAT-File Format", chapter "Level 5 MAT-File Format".
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...errors import WeightsError
from .read import file_errors
from .records import UNFOLD_FACTOR, UNFOLD_SLACK, check_empty
from .torchfile import map_file

Order: TypeAlias = Literal["<", ">"]

_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
# Number type of stored bytes, by the type in their tag.
_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
# Number type of an array, by its class; MATLAB may store it in a smaller one.
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
_OTHERS = {1: "cells", 2: "a structure", 3: "an object", 4: "text", 5: "a sparse matrix", 16: "a function"}
_COMPLEX = 0x0800
_PEEK = 4096  # enough for flags, dimensions and name of an array
_MAX_RANK = 8


@dataclass(frozen=True)
class _Element:
    """One data element of the file: its type and its bytes."""

    kind: int
    data: memoryview


@dataclass(frozen=True)
class _Head:
    """Description of an array, which is stored before its numbers."""

    kind: int
    shape: tuple[int, ...]
    name: str
    complex: bool
    numbers: memoryview


def read_mat(path: Path, names: Collection[str] | None = None) -> dict[str, NDArray[Any]]:
    """Read the arrays of a MATLAB file.

    Args:
        path: the file.
        names: arrays to read, all of which must exist; None reads every array of real numbers.

    Returns:
        name -> array (rows, columns, ...) of at least two axes, in C order and the machine's byte order.

    Raises:
        WeightsError: if the file is missing, damaged or of another level; if an array is missing, or is not one of
            real numbers; or if the file expands to many times its size.
    """
    with file_errors(path):
        data = memoryview(map_file(path))
        order = _byte_order(data)
        arrays, names_in_file = {}, []
        budget = UNFOLD_FACTOR * len(data) + UNFOLD_SLACK
        for element in _elements(data[_HEADER:], order):
            head = _head(_peek(element, order), order)
            names_in_file.append(head.name)
            if (names is None and head.kind not in _CLASSES) or (names is not None and head.name not in names):
                continue
            _check_array(head, budget)
            budget -= _cost(head)
            content = _complete(element, order, _cost(head) + _PEEK)
            arrays[head.name] = _numbers(head, _head(content, order), order)
        missing = sorted(set(names or ()) - set(arrays))
        if missing:
            raise WeightsError(f"lacks {', '.join(missing)}; it has {', '.join(names_in_file) or 'nothing'}")
        return arrays


def check_mat(path: Path) -> None:
    """Check that a file begins like a MATLAB file of level 5.

    Raises:
        WeightsError: if it does not.
    """
    with file_errors(path):
        _byte_order(memoryview(map_file(path)))


def _byte_order(data: memoryview) -> Order:
    """``"<"`` or ``">"``, from the two letters that end the header."""
    mark = bytes(data[126:_HEADER])
    if bytes(data[:10]) == b"MATLAB 7.3":
        raise WeightsError("a MATLAB file of version 7.3", cure="Save it again in MATLAB with -v7.")
    if mark not in (b"IM", b"MI"):
        raise WeightsError("not a MATLAB file", cure="Get the file again, whole.")
    return "<" if mark == b"IM" else ">"


def _elements(data: memoryview, order: Order) -> Iterator[_Element]:
    """Yield data elements in sequence; each begins at a multiple of eight bytes, unless it is compressed."""
    place = 0
    while place + 8 <= len(data):
        first, size = struct.unpack_from(f"{order}II", data, place)
        if first >> 16:  # a small piece has type, size and data in eight bytes
            size, kind, start, step = first >> 16, first & 0xFFFF, place + 4, 8
            if size > 4:
                raise _damaged()
        else:
            kind, start = first, place + 8
            step = 8 + (size if kind == _COMPRESSED else -(-size // 8) * 8)
        if start + size > len(data):
            raise _damaged()
        yield _Element(kind, data[start : start + size])
        place += step


def _peek(element: _Element, order: Order) -> memoryview:
    """The beginning of an array, without decompressing the rest."""
    if element.kind == _COMPRESSED:
        return _inner(memoryview(zlib.decompressobj().decompress(element.data, _PEEK)), order, whole=False)
    if element.kind != _MATRIX:
        raise _damaged()
    return element.data


def _complete(element: _Element, order: Order, limit: int) -> memoryview:
    """All bytes of an array; at most ``limit`` are decompressed, which is what its head announces."""
    if element.kind != _COMPRESSED:
        return element.data
    return _inner(memoryview(zlib.decompressobj().decompress(element.data, limit)), order, whole=True)


def _inner(data: memoryview, order: Order, *, whole: bool) -> memoryview:
    """The array inside a decompressed element."""
    if len(data) < 8:
        raise _damaged()
    kind, size = struct.unpack_from(f"{order}II", data)
    if kind != _MATRIX or (whole and size + 8 > len(data)):
        raise _damaged()
    return data[8 : 8 + size]


def _head(data: memoryview, order: Order) -> _Head:
    """Flags, dimensions and name of an array, and the data after them (cut off where ``data`` is)."""
    flags, place = _part(data, 0, order)
    dimensions, place = _part(data, place, order)
    name, place = _part(data, place, order)
    if len(flags) < 8 or len(dimensions) % 4 or not 2 <= len(dimensions) // 4 <= _MAX_RANK:
        raise _damaged()
    word = struct.unpack_from(f"{order}I", flags)[0]
    shape = struct.unpack(f"{order}{len(dimensions) // 4}i", dimensions)
    if min(shape) < 0:
        raise _damaged()
    text = bytes(name).decode("latin-1")
    return _Head(word & 0xFF, shape, text, bool(word & _COMPLEX), data[place:])


def _part(data: memoryview, place: int, order: Order) -> tuple[memoryview, int]:
    """One small element of an array, and the position of the next one."""
    if place + 8 > len(data):
        raise _damaged()
    first, size = struct.unpack_from(f"{order}II", data, place)
    if first >> 16:
        return data[place + 4 : place + 4 + min(first >> 16, 4)], place + 8
    if place + 8 + size > len(data):
        raise _damaged()
    return data[place + 8 : place + 8 + size], place + 8 + -(-size // 8) * 8


def _check_array(head: _Head, budget: int) -> None:
    check_empty(head.shape)
    if head.kind not in _CLASSES or head.complex:
        what = "complex numbers" if head.kind in _CLASSES else _OTHERS.get(head.kind, "something unknown")
        raise WeightsError(f"{head.name!r} holds {what} instead of real numbers", cure="Nothing of it was run.")
    if _cost(head) > budget:
        raise WeightsError(f"it unfolds to more than {UNFOLD_FACTOR} times its size")


def _cost(head: _Head) -> int:
    return math.prod(head.shape) * 8


def _numbers(claimed: _Head, head: _Head, order: Order) -> NDArray[Any]:
    """The array itself. The memory check used ``claimed``, so the two descriptions must agree."""
    if head.shape != claimed.shape or head.kind != claimed.kind:
        raise _damaged()
    if not math.prod(head.shape):
        return np.zeros(head.shape, _CLASSES[head.kind])
    element = next(_elements(head.numbers, order), None)
    if element is None or element.kind not in _STORED:
        raise _damaged()
    stored = np.dtype(_STORED[element.kind]).newbyteorder(order)
    if len(element.data) != math.prod(head.shape) * stored.itemsize:
        raise _damaged()
    values = np.frombuffer(element.data, stored).reshape(head.shape, order="F")
    return np.array(values, dtype=_CLASSES[head.kind], order="C")  # a copy, which outlives the file


def _damaged() -> WeightsError:
    return WeightsError("a damaged or truncated MATLAB file", cure="Get the file again, whole.")
