"""Open a weight file of any known kind as a tree of tensor records, with one kind of error for all faults."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import DependencyError, WeightsError
from ..identify import SINGLE_TENSOR
from .numpyfile import PORT_ARCHIVES, read_npz, read_port_folder
from .pickle_types import load_pickle, record_of
from .tensorfile import read_safetensors
from .torchfile import map_file, read_legacy, read_zip

if TYPE_CHECKING:
    from torch import Tensor

_BLOCKS = (2, 2, 3, 3, 3)


def read_keras_vgg16(content: bytes, where: object) -> dict[str, Tensor]:
    """Read the convolutions, kernels (O, I, 3, 3) and biases (O,), named as those of :class:`VGG16`.

    Args:
        content: of a file that is known, as h5py believes what a file says of itself.
        where: its place, for messages.

    Raises:
        DependencyError: if h5py is not installed.
        WeightsError: if the file holds something else.
    """
    import torch  # not needed for anything else here

    try:
        import h5py
    except ImportError:
        raise DependencyError("h5py is not installed", where=where, cure="Install it: pip install h5py") from None
    state: dict[str, Tensor] = {}
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            for block, count in enumerate(_BLOCKS):
                for index in range(count):
                    layer = f"block{block + 1}/layers/conv2d{f'_{index}' if index else ''}/vars"
                    kernel, bias = (torch.from_numpy(file[f"{layer}/{part}"][()]) for part in "01")
                    state[f"blocks.{block}.{index}.weight"] = kernel.permute(3, 2, 0, 1).contiguous()
                    state[f"blocks.{block}.{index}.bias"] = bias
    except (KeyError, OSError) as error:
        raise WeightsError(f"no VGG16 of Keras: {error}", where=where) from None
    return state


# Pickle of the magic number that opens an old torch file.
_LEGACY_START = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")
KINDS = {
    "torch-legacy": "torch file of the old kind",
    "torch-zip": "torch file",
    "safetensors": "safetensors file",
    "npz": "NumPy archive",
    "paddle": "Paddle file",
}


@dataclass(frozen=True)
class Content:
    """Content of a file, before its numbers are read.

    Attributes:
        tree: dictionaries, nested as in the file, with tensor records among their values.
        kind: key of ``KINDS``.
        size: of the file, in bytes.
        metadata: text notes, which only safetensors files have.
    """

    tree: dict[str, Any]
    kind: str
    size: int
    metadata: dict[str, str] = field(default_factory=dict)


def sniff(path: Path) -> str:
    """Kind of a file (key of ``KINDS``), by its first bytes.

    Raises:
        WeightsError: if it is none of them, with a guess of what it is.
    """
    head = _head(path)
    if head.startswith(b"PK\x03\x04"):
        return _zip_kind(path)
    if head.startswith(_LEGACY_START):
        return "torch-legacy"
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "paddle"
    if head[8:9] == b"{":
        return "safetensors"
    raise WeightsError(f"not a weight file but {_guess(head)}", where=path, cure=_PLACE_AGAIN)


def _head(path: Path) -> bytes:
    with file_errors(path), path.open("rb") as file:
        return file.read(512)


def _zip_kind(path: Path) -> str:
    with file_errors(path), zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if sum(name.endswith("/data.pkl") for name in names) == 1:
        return "torch-zip"
    if names and all(name.endswith(".npy") for name in names):
        return "npz"
    raise WeightsError("a zip archive, but not one of weights", where=path, cure="Unpack it and use what is inside.")


def _guess(head: bytes) -> str:
    """Guess the kind of a file that holds no weights, for the message."""
    text = head.lstrip().lower()
    if not head:
        return "empty"
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "a web page"
    if text.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer (the real file was not pulled)"
    if head[257:262] == b"ustar":
        return "a tar archive"
    return "something else"


def read(path: Path) -> Content:
    """Open a weight file, or a folder with the three archives of a port, without reading its numbers.

    Raises:
        WeightsError: if the file is missing, damaged, unsafe or of no known kind.
    """
    if path.is_dir():
        return _read_folder(path)
    kind = sniff(path)
    with file_errors(path):
        size = path.stat().st_size
        if kind == "safetensors":
            records, metadata = read_safetensors(path)
            return Content(dict(records), kind, size, metadata)
        tree = _READERS[kind](path)
        tree = {SINGLE_TENSOR: tree} if record_of(tree) is not None else tree
        if not isinstance(tree, dict):
            raise WeightsError("its content is not a dictionary of weights")
        return Content(tree, kind, size)


def _read_folder(path: Path) -> Content:
    with file_errors(path):
        tree = read_port_folder(path)
        if not tree:
            names = ", ".join(f"{name}.npz" for name in PORT_ARCHIVES)
            raise WeightsError(f"a folder without {names}", cure="Name a weight file.")
        size = sum((path / f"{name}.npz").stat().st_size for name in tree)
    return Content(dict(tree), "npz", size)


def _read_npz(path: Path) -> dict[str, Any]:
    """Read one archive; if it is one of the three of a port, read the other two with it."""
    return dict(read_port_folder(path.parent)) if path.stem in PORT_ARCHIVES else dict(read_npz(path))


def _read_paddle(path: Path) -> Any:
    data = map_file(path)
    tree = load_pickle(data, len(data))
    if isinstance(tree, dict) and "UnpackBigParamInfor@@" in tree:
        raise WeightsError("a Paddle file with sliced tensors, which are not read", cure="Save it with protocol 4.")
    return tree


_READERS = {"torch-legacy": read_legacy, "torch-zip": read_zip, "npz": _read_npz, "paddle": _read_paddle}
_PLACE_AGAIN = "Get the file again, whole, and put it at this place."


@contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Add the file's name to errors, and convert those of the system and the zip reader to WeightsError."""
    try:
        yield
    except WeightsError as error:
        if error.where is not None:
            raise
        raise WeightsError(error.what, where=path, cure=error.cure) from error
    except (FileNotFoundError, IsADirectoryError) as error:
        raise WeightsError("no such weight file", where=path) from error
    except OSError as error:
        raise WeightsError(f"cannot be read: {error.strerror or error}", where=path) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        # Raised by the zip reader for: damaged, damaged, truncated, unknown compression, encrypted, impossible offsets.
        raise WeightsError("its archive is damaged or truncated", where=path, cure=_PLACE_AGAIN) from error


def read_notes(paths: Sequence[Path]) -> dict[str, str]:
    """Read the text notes of weight files, without their numbers; where files disagree, the first one counts.

    Raises:
        WeightsError: if a file is missing, damaged or unsafe.
    """
    notes: dict[str, str] = {}
    for path in paths:
        notes = read(path).metadata | notes
    return notes
