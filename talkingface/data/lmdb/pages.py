"""Read LMDB files page by page, every number checked before it is followed.

The LMDB library maps the file into memory and trusts it: a file that was cut, or a page number that points behind its
end, kills the process with SIGBUS. Here pages are read as any other file is, so that damage is an error. The layout is
that of LMDB 0.9 on 64-bit little-endian machines: two meta pages, of which the newer one counts, and a B+ tree of
pages, each with a header, the places of its nodes in order of their keys, and the nodes. Long values lie in pages of
their own.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_MAGIC, _VERSION = 0xBEEFC0DE, 1
_HEADER = 16
_BRANCH, _LEAF, _OVERFLOW, _META = 0x01, 0x02, 0x04, 0x08
_KINDS = _BRANCH | _LEAF | _OVERFLOW | _META
_BIG, _PLAIN = 0x01, 0x00
_PAGE_SIZES = [1 << power for power in range(8, 17)]
_NUMBERS = 0x08  # kind of the keys of free pages; the library takes other marks beside it as orders, such as an address
_NO_PAGE = (1 << 64) - 1
_DEEPEST = 32  # more levels than any file on earth needs
_LARGEST_KEY = 511


class DamagedError(Exception):
    """The file is no LMDB of this layout, or damaged."""


@dataclass(frozen=True)
class _Tree:
    """A tree of the file, as a meta page describes it."""

    flags: int
    entries: int
    root: int


@dataclass(frozen=True)
class _Node:
    """A node of a page.

    Attributes:
        key: empty in the first node of a branch.
        flags: of a leaf's value.
        size: of a leaf's value, in bytes.
        child: page that a node of a branch points to.
        inline: what follows the key inside the page.
    """

    key: bytes
    flags: int
    size: int
    child: int
    inline: memoryview


class PageFile:
    """One ``data.mdb`` for reading; each call sees what was last committed.

    Raises:
        DamagedError: if it is no LMDB.
        OSError: if it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        try:
            self._size = _page_size(self._file.read(_HEADER + 64))
            self._trees()
        except BaseException:
            self._file.close()
            raise

    @classmethod
    def checked(cls, path: Path) -> None:
        """Open a file, check all of it, and close it."""
        file = cls(path)
        try:
            file.check()
        finally:
            file.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def get(self, key: bytes) -> bytes | None:
        """Value of a key, None if there is none."""
        _, tree = self._trees()
        number = tree.root
        for _ in range(_DEEPEST):
            if number == _NO_PAGE:
                return None
            page = self._page(number)
            place = page.find(key)
            if not page.is_leaf:
                number = page.node(place if place >= 0 else 0).child
                continue
            if place < 0:
                return None
            node = page.node(place)
            return self._value(node) if node.key == key else None
        raise DamagedError("its tree has no end")

    def keys(self) -> Iterator[bytes]:
        """All keys, in order."""
        _, tree = self._trees()
        return (node.key for node in self._leaves(tree.root))

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All keys in order with their values."""
        _, tree = self._trees()
        return ((node.key, self._value(node)) for node in self._leaves(tree.root))

    def check(self) -> None:
        """Follow both trees to their last node, and the list of free pages, without reading long values.

        Raises:
            DamagedError: if anything in them is wrong, so that the library could not be trusted with the file.
        """
        free, main = self._trees()
        last = b""
        for node in self._leaves(main.root):
            if node.key <= last:
                raise DamagedError("its keys are out of order")
            last = node.key
            if node.flags == _BIG:
                self._overflow(node)
        for node in self._leaves(free.root):
            pages = memoryview(self._value(node)).cast("Q") if node.size and node.size % 8 == 0 else None
            if len(node.key) != 8 or pages is None or pages[0] != len(pages) - 1:
                raise DamagedError("its list of free pages is wrong")
            if any(not 2 <= page <= self._last_page for page in pages[1:]):
                raise DamagedError("its list of free pages is wrong")

    def _trees(self) -> tuple[_Tree, _Tree]:
        """Trees of the free pages and of the values, by the newer meta page."""
        metas = [self._meta(number) for number in (0, 1)]
        _, self._last_page, free, main = max(metas, key=lambda meta: meta[0])
        if main.flags or free.flags != _NUMBERS:
            raise DamagedError("its keys are of another kind")
        return free, main

    def _meta(self, number: int) -> tuple[int, int, _Tree, _Tree]:
        """Number of the transaction, last page, and both trees, as a meta page has them."""
        data = self._read(number * self._size, _HEADER + 136)
        flags, magic, version = struct.unpack_from("<10xH4xII", data)
        if not flags & _META or magic != _MAGIC or version != _VERSION:
            raise DamagedError("a meta page is wrong")
        trees = [
            _Tree(flags, entries, root)
            for flags, entries, root in struct.iter_unpack("<4xH26xQQ", data[_HEADER + 24 : _HEADER + 120])
        ]
        last, transaction = struct.unpack_from("<QQ", data, _HEADER + 120)
        return transaction, last, trees[0], trees[1]

    def _leaves(self, root: int) -> Iterator[_Node]:
        """Nodes of the leaves below a page, in order; every page is visited once at most."""
        stack, seen = [] if root == _NO_PAGE else [(root, 0)], set()
        while stack:
            number, depth = stack.pop()
            if number in seen or depth >= _DEEPEST:
                raise DamagedError("its tree has no end")
            seen.add(number)
            page = self._page(number)
            if page.is_leaf:
                yield from (page.node(place) for place in range(len(page)))
            else:
                stack.extend((page.node(place).child, depth + 1) for place in reversed(range(len(page))))

    def _page(self, number: int) -> _Page:
        return _Page(self._read(number * self._size, self._size), number)

    def _value(self, node: _Node) -> bytes:
        if node.flags == _PLAIN:
            return bytes(node.inline)
        return self._read(self._overflow(node) + _HEADER, node.size)

    def _overflow(self, node: _Node) -> int:
        """Place of the pages of a long value."""
        if node.flags != _BIG or len(node.inline) != 8:
            raise DamagedError("a value is of another kind")
        (number,) = struct.unpack("<Q", node.inline)
        head = self._read(number * self._size, _HEADER)
        own, flags, pages = struct.unpack("<QxxHI", head)
        if own != number or flags & _KINDS != _OVERFLOW or _HEADER + node.size > pages * self._size:
            raise DamagedError("a value is not where it should be")
        if number * self._size + _HEADER + node.size > os.fstat(self._file.fileno()).st_size:
            raise DamagedError("it ends too early")
        return number * self._size

    def _read(self, place: int, size: int) -> bytes:
        """Read some bytes; the length of the file is looked at first, so that no size in it takes memory."""
        if place + size > os.fstat(self._file.fileno()).st_size:
            raise DamagedError("it ends too early")
        data = _read_at(self._file.fileno(), place, size)
        if len(data) != size:
            raise DamagedError("it ends too early")
        return data


class _Page:
    """A branch or a leaf."""

    def __init__(self, data: bytes, number: int) -> None:
        self._data = data
        own, flags, lower, upper = struct.unpack_from("<QxxHHH", data)
        if own != number or flags & _KINDS not in (_BRANCH, _LEAF) or flags & 0x60:
            raise DamagedError(f"page {number} is not part of its tree")
        if not _HEADER <= lower <= upper <= len(data) or lower % 2:
            raise DamagedError(f"page {number} is wrong")
        self.is_leaf = bool(flags & _LEAF)
        self._places = struct.unpack_from(f"<{(lower - _HEADER) // 2}H", data, _HEADER)
        if not self._places:
            raise DamagedError(f"page {number} is empty")

    def __len__(self) -> int:
        return len(self._places)

    def find(self, key: bytes) -> int:
        """Number of the last node whose key is not larger, -1 if there is none."""
        first, end = 0 if self.is_leaf else 1, len(self)  # the first node of a branch is smaller than every key
        while first < end:
            middle = (first + end) // 2
            if self.node(middle).key <= key:
                first = middle + 1
            else:
                end = middle
        return first - 1

    def node(self, number: int) -> _Node:
        """The node of a number."""
        start = self._places[number]
        if not _HEADER <= start <= len(self._data) - 8:
            raise DamagedError("a node lies outside its page")
        low, high, flags, length = struct.unpack_from("<HHHH", self._data, start)
        size = low | high << 16
        end = start + 8 + length
        inside = 0 if not self.is_leaf else 8 if flags == _BIG else size
        if length > _LARGEST_KEY or end + inside > len(self._data):
            raise DamagedError("a node lies outside its page")
        if self.is_leaf and flags not in (_PLAIN, _BIG):
            raise DamagedError("a value is of another kind")
        inline = memoryview(self._data)[end : end + inside]
        return _Node(self._data[start + 8 : end], flags, size, size | flags << 32, inline)


def _page_size(head: bytes) -> int:
    """Bytes of a page, by the first meta page; LMDB keeps them in the description of the tree of free pages."""
    if len(head) < _HEADER + 28:
        raise DamagedError("it ends too early")
    magic, version, size = struct.unpack_from("<II16xI", head, _HEADER)
    if magic != _MAGIC or version != _VERSION:
        raise DamagedError("it does not begin as one")
    if size not in _PAGE_SIZES:
        raise DamagedError(f"pages of {size} bytes")
    return size


def _read_at(handle: int, place: int, size: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(handle, size, place)
    os.lseek(handle, place, os.SEEK_SET)  # Windows, where no process inherits the handle
    return os.read(handle, size)
