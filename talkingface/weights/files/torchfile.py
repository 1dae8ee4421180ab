"""Read torch files, old (a sequence of pickles) and new (a zip archive), without running anything in them.

The numbers stay in a memory map of the file, so that optimizer states that nobody asks for take no memory.
"""

from __future__ import annotations

import io
import mmap
import struct
import zipfile
from pathlib import Path
from typing import Any

from ...errors import WeightsError
from .pickle_types import Storages, load_pickle
from .records import Storage

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001
_AGAIN = "The file is truncated or damaged; get it again."


def map_file(path: Path) -> mmap.mmap:
    """Map a file into memory, read-only; it must not be empty."""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def read_legacy(path: Path) -> Any:
    """Read a file that ``torch.save`` wrote up to version 1.5, as dictionaries with tensor records.

    Layout: pickles of a magic number, a version, facts about the machine, the content and the list of storage keys;
    then for each key its length as int64 and its numbers. Device tags such as ``cuda:0`` are ignored.

    Raises:
        WeightsError: if the file is damaged, truncated, unsafe or of another layout.
    """
    data = map_file(path)
    magic, protocol, machine = (load_pickle(data, len(data)) for _ in range(3))
    if magic != LEGACY_MAGIC or protocol != LEGACY_PROTOCOL or not isinstance(machine, dict):
        raise WeightsError("not a torch file of a known version")
    if machine.get("little_endian") is not True:
        raise WeightsError("its numbers are not little-endian")
    storages = Storages()
    content = load_pickle(data, len(data), storages)
    keys = load_pickle(data, len(data))
    if not isinstance(keys, list) or any(not isinstance(key, str) for key in keys):
        raise WeightsError("its list of storages is damaged", cure=_AGAIN)
    _bind_legacy(data, keys, storages)
    return content


def _bind_legacy(data: mmap.mmap, keys: list[str], storages: Storages) -> None:
    """Set the bytes of each storage; they follow each other from the current position on."""
    view, position = memoryview(data), data.tell()
    if len(set(keys)) != len(keys) or set(keys) != set(storages.by_key):
        raise WeightsError("its list of storages does not match its tensors", cure=_AGAIN)
    for key in keys:
        storage = storages.by_key[key]
        start = position + 8
        position = start + storage.size
        if position > len(data):
            raise WeightsError(f"it ends {position - len(data)} bytes too early", cure=_AGAIN)
        (numel,) = struct.unpack("<q", view[start - 8 : start])
        if numel != storage.numel:
            raise WeightsError("a storage has another length than its tensors say", cure=_AGAIN)
        storage.view = view[start:position]


def read_zip(path: Path) -> Any:
    """Read a file that ``torch.save`` wrote since version 1.6, as dictionaries with tensor records.

    Layout: ``<name>/data.pkl``, the content, and ``<name>/data/<key>``, the storages, none of them compressed.

    Raises:
        WeightsError: if the archive is damaged, truncated, compressed, unsafe, or holds a TorchScript program.
    """
    data = map_file(path)
    entries = _entries(path)
    root = next(name for name in entries if name.endswith("/data.pkl")).removesuffix("data.pkl")
    if f"{root}constants.pkl" in entries:
        raise WeightsError("a TorchScript program, not weights", cure="Use a file of state dicts.")
    order = entries.get(f"{root}byteorder")
    if order is not None and bytes(_view(data, order)) != b"little":
        raise WeightsError("its numbers are not little-endian")
    storages = Storages()
    pickle = io.BytesIO(_view(data, entries[f"{root}data.pkl"]))
    content = load_pickle(pickle, len(data), storages)
    for key, storage in storages.by_key.items():
        _bind_zip(data, entries.get(f"{root}data/{key}"), storage)
    return content


def _entries(path: Path) -> dict[str, zipfile.ZipInfo]:
    with zipfile.ZipFile(path) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        if len(entries) != len(archive.infolist()):
            raise WeightsError("its archive holds two files of one name")
    return entries


def _bind_zip(data: mmap.mmap, entry: zipfile.ZipInfo | None, storage: Storage) -> None:
    if entry is None or entry.file_size != storage.size:
        raise WeightsError("a storage is missing or has another length than its tensors say", cure=_AGAIN)
    storage.view, storage.crc = _view(data, entry), entry.CRC


def _view(data: mmap.mmap, entry: zipfile.ZipInfo) -> memoryview:
    """Bytes of an archived file inside the memory map.

    ``ZipFile.read`` would copy them, so the local header before the bytes is read here: its last two numbers are the
    lengths of the name and of the extra field that follow it.
    """
    if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 or entry.file_size != entry.compress_size:
        raise WeightsError("its archive is compressed or encrypted, which torch files are not")
    header = bytes(data[entry.header_offset : entry.header_offset + 30])
    if len(header) < 30 or not header.startswith(b"PK\x03\x04"):
        raise WeightsError("its archive is damaged", cure=_AGAIN)
    name_bytes, extra_bytes = struct.unpack("<HH", header[26:])
    start = entry.header_offset + 30 + name_bytes + extra_bytes
    if start + entry.file_size > len(data):
        raise WeightsError("its archive ends too early", cure=_AGAIN)
    return memoryview(data)[start : start + entry.file_size]
