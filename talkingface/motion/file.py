"""Motion files: a driving motion without any picture, to be inspected, kept, and replayed.

A ``.motion`` file is a safetensors file: its tensors are the motion's values by name, (T, ...) float32, and its
metadata has one entry, ``motion``, with JSON::

    {"format": "talkingface-motion", "version": 1, "kind": "3dmm.73", "space": "mesh", "fps": "30000/1001",
     "extra": {"driving": "clip.mp4"}}

StyleHEAT's cache files, ``3dmm_<name>.npy``, are read and written too. Nothing in a file is ever executed, and reading
takes no more memory than a small multiple of the file's size.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MotionError, TalkingFaceError, WeightsError
from ..part_files import atomic_file
from ..types import Motion
from ..weights.files.numpyfile import MAGIC, map_npy
from ..weights.files.records import TensorRecord
from ..weights.files.tensorfile import read_safetensors, to_storable, write_safetensors
from .coefficients import COEFFICIENTS, LAYOUT_73

if TYPE_CHECKING:
    import torch

SPACE, RATE = "bfm", Fraction(25)
"""Space and frames per second of StyleHEAT's cache files, which have neither."""

_MAKE_AGAIN = "Extract the coefficients again."


def load_3dmm(path: Path, fps: Fraction | None = None) -> Motion:
    """Read the motion of a cache file.

    Args:
        fps: frames per second, which the file does not have; None takes 25, StyleHEAT's.

    Raises:
        MotionError: if it does not hold (T, 73) finite real numbers; Python objects are never unpickled.
        OSError: if it cannot be opened.
    """
    import torch

    return Motion(LAYOUT_73.kind, fps or RATE, {COEFFICIENTS: torch.from_numpy(_read_3dmm(path))}, SPACE)


def _read_3dmm(path: Path) -> NDArray[np.float32]:
    """Rows (T, 73) of a cache file; errors as :func:`load_3dmm`."""
    try:
        array = map_npy(path)
    except WeightsError as error:
        raise MotionError(error.what, where=path, cure=_MAKE_AGAIN) from error
    if array.dtype.kind != "f" or array.ndim != 2 or array.shape[1] != LAYOUT_73.width or not len(array):
        raise MotionError(
            f"holds {array.dtype} {array.shape}, not (frames, {LAYOUT_73.width}) real numbers",
            where=path,
            cure=_MAKE_AGAIN,
        )
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite and is refused below
        rows = np.array(array, dtype=np.float32)
    if not np.isfinite(rows).all():
        raise MotionError("holds numbers that are not finite", where=path, cure=_MAKE_AGAIN)
    return rows


def save_3dmm(path: Path, motion: Motion) -> None:
    """Write a cache file; it is complete or not there at all. The frame rate is not kept.

    Raises:
        MotionError: if the motion is of another kind or space (the file has no place for them), or cannot be written.
    """
    if (motion.kind, motion.space) != (LAYOUT_73.kind, SPACE) or set(motion.values) != {COEFFICIENTS}:
        raise MotionError(
            f"a .npy file holds motions of kind {LAYOUT_73.kind!r} and space {SPACE!r}, "
            f"not {motion.kind!r} and {motion.space!r}",
            where=path,
            cure="Use the ending .motion.",
        )
    rows = motion.values[COEFFICIENTS].detach().cpu().float().numpy()
    if rows.ndim != 2 or rows.shape[1] != LAYOUT_73.width or not len(rows) or not np.isfinite(rows).all():
        raise MotionError(f"{rows.shape} are not rows of {LAYOUT_73.width} finite numbers", where=path)
    try:
        with atomic_file(path) as part, part.open("wb") as file:
            np.save(file, rows, allow_pickle=False)
    except OSError as error:
        raise MotionError(
            f"cannot be written ({error.strerror or error})", where=path, cure="Check the folder, its rights and space."
        ) from error


FORMAT, VERSION = "talkingface-motion", 1
SUFFIX = ".motion"
FLOATS = ("float32", "float16", "bfloat16", "float64")
MAX_HEADER_CHARACTERS = 1 << 20
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_RATE = re.compile(r"([1-9][0-9]{0,8})/([1-9][0-9]{0,8})")
_AGAIN = "The file is damaged or was not written by this toolkit; save the motion again."


@dataclass(frozen=True)
class MotionFile:
    """Contents of a motion file.

    Attributes:
        motion: its values are float32, on the CPU.
        extra: notes that came along, such as the driving video or the framing: anything in JSON.
    """

    motion: Motion
    extra: Mapping[str, Any] = field(default_factory=dict)


def save_motion(path: Path, motion: Motion, extra: Mapping[str, Any] | None = None) -> None:
    """Write a motion file; it is complete or not there at all.

    Args:
        path: ends in ``.motion``, or in ``.npy`` for StyleHEAT's layout (kind ``"3dmm.73"`` of space ``"bfm"`` alone).
        motion: has at least one frame.
        extra: notes to keep with it, in JSON; a ``.npy`` file keeps none.

    Raises:
        MotionError: if the ending is neither, the motion cannot be kept so, or the file cannot be written.
        TypeError, ValueError: if the notes do not fit JSON.
    """
    if path.suffix.lower() == ".npy":
        save_3dmm(path, motion)
        return
    if path.suffix.lower() != SUFFIX:
        raise MotionError(f"unknown ending '{path.suffix}' of a motion file", where=path, cure=f"Use {SUFFIX}.")
    values = {name: to_storable(value.float(), None) for name, value in motion.values.items()}
    _check(values, motion.kind, motion.space, path)
    header = _header_text(motion, extra or {}, path)
    try:
        # One entry only: safetensors writes several in any order, and files of equal motions are to be equal.
        write_safetensors(path, values, {"motion": header})
    except OSError as error:
        raise MotionError(
            f"cannot be written ({error.strerror or error})", where=path, cure="Check the folder, its rights and space."
        ) from error


@dataclass(frozen=True)
class MotionFacts:
    """Facts about the motion in a file, known without its numbers.

    Attributes:
        kind, space, fps: as of the :class:`~talkingface.types.Motion`.
        frames: its length.
    """

    kind: str
    space: str
    fps: Fraction
    frames: int


def read_motion_facts(path: Path) -> MotionFacts:
    """Read what the header of a motion file says. Loads no torch; errors as :func:`load_motion_file`."""
    with _naming(path):
        if _starts_as_3dmm(path):
            return MotionFacts(LAYOUT_73.kind, SPACE, RATE, len(_read_3dmm(path)))
        records, header = _records(path)
    frames = {record.shape[0] if record.shape else 0 for record in records.values()}
    if len(frames) != 1:
        raise MotionError("its values differ in length, or there is none", where=path, cure=_AGAIN)
    return MotionFacts(header["kind"], header["space"], header["fps"], frames.pop())


def load_motion(path: Path, *, fps: Fraction | None = None) -> Motion:
    """Read the motion of a file, see `load_motion_file`."""
    return load_motion_file(path, fps=fps).motion


def load_motion_file(path: Path, *, fps: Fraction | None = None) -> MotionFile:
    """Read a ``.motion`` file, or StyleHEAT's ``3dmm_<name>.npy``; by its first bytes.

    Args:
        fps: rate of a ``.npy`` file, which has none; None takes StyleHEAT's 25.

    Raises:
        MotionError: if the file is missing, damaged, of a later version, or holds what no motion does.
    """
    with _naming(path):
        if _starts_as_3dmm(path):
            return MotionFile(load_3dmm(path, fps))
        records, header = _records(path)
        values = {name: _tensor(name, record, path) for name, record in records.items()}
    _check(values, header["kind"], header["space"], path)
    return MotionFile(Motion(header["kind"], header["fps"], values, header["space"]), header["extra"])


def _starts_as_3dmm(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(len(MAGIC))
    if not head:
        raise MotionError("is empty", where=path, cure=_AGAIN)
    return head == MAGIC


def _records(path: Path) -> tuple[dict[str, TensorRecord], dict[str, Any]]:
    """Values of a ``.motion`` file, not read yet, and its header, checked."""
    records, metadata = read_safetensors(path)
    return records, _header(metadata.get("motion"), path)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turn what the system and the safetensors reader raise into MotionError."""
    try:
        yield
    except MotionError:
        raise
    except FileNotFoundError as error:
        raise MotionError("no such motion file", where=path) from error
    except OSError as error:
        raise MotionError(f"cannot be read: {error.strerror or error}", where=path) from error
    except TalkingFaceError as error:
        raise MotionError(error.what, where=path, cure=error.cure or _AGAIN) from error


def _header_text(motion: Motion, extra: Mapping[str, Any], path: Path) -> str:
    rate = f"{motion.fps.numerator}/{motion.fps.denominator}"
    if not _RATE.fullmatch(rate):
        raise MotionError(f"{rate} frames per second cannot be kept", where=path)
    header = {
        "format": FORMAT,
        "version": VERSION,
        "kind": motion.kind,
        "space": motion.space,
        "fps": rate,
        "extra": dict(extra),
    }
    text = json.dumps(header, sort_keys=True, allow_nan=False)
    if len(text) > MAX_HEADER_CHARACTERS:
        raise MotionError(f"notes of {len(text)} characters are too long to be kept", where=path)
    return text


def _header(text: str | None, path: Path) -> dict[str, Any]:
    """The JSON header with its rate as a fraction, checked."""
    if text is None or len(text) > MAX_HEADER_CHARACTERS:
        raise MotionError("not a motion file: it has no motion header", where=path, cure=_AGAIN)
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MotionError("its motion header is not readable", where=path, cure=_AGAIN) from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise MotionError("not a motion file: its header is of another format", where=path, cure=_AGAIN)
    version = header.get("version")
    if version != VERSION or isinstance(version, bool):
        raise MotionError(
            f"of version {str(version)[:20]}, and this toolkit reads version {VERSION}",
            where=path,
            cure="Update the toolkit, or save the motion again with this one.",
        )
    rate = _RATE.fullmatch(header["fps"]) if isinstance(header.get("fps"), str) else None
    texts = all(isinstance(header.get(name), str) for name in ("kind", "space"))
    if rate is None or not texts or not isinstance(header.get("extra", {}), dict):
        raise MotionError("its motion header lacks something or is malformed", where=path, cure=_AGAIN)
    return {**header, "fps": Fraction(int(rate[1]), int(rate[2])), "extra": header.get("extra", {})}


def _tensor(name: str, record: TensorRecord, path: Path) -> torch.Tensor:
    if record.storage.dtype not in FLOATS:
        raise MotionError(f"{name[:80]!r} is of type {record.storage.dtype}, not a float", where=path, cure=_AGAIN)
    # Any size but the file's own would be a lie: a shape with a zero takes no bytes however many frames it claims.
    if 0 in record.shape:
        raise MotionError(f"{name[:80]!r} is empty: {record.shape}", where=path, cure=_AGAIN)
    return record.tensor().float()


def _check(values: Mapping[str, torch.Tensor], kind: str, space: str, path: Path) -> None:
    """Refuse what no motion is."""
    import torch

    if not _WORD.fullmatch(kind) or (space and not _WORD.fullmatch(space)):
        raise MotionError(f"kind {kind[:80]!r} or space {space[:80]!r} is not a word", where=path)
    if not values:
        raise MotionError("a motion without values", where=path, cure="It needs at least one frame.")
    for name, value in values.items():
        if not _WORD.fullmatch(name):
            raise MotionError(f"the name {name[:80]!r} of a value is not a word", where=path)
        if value.ndim == 0 or value.numel() == 0:
            raise MotionError(f"{name!r} has no frames: {tuple(value.shape)}", where=path)
        if not bool(torch.isfinite(value).all()):
            raise MotionError(f"{name!r} holds numbers that are not finite", where=path)
    lengths = {name: len(value) for name, value in values.items()}
    if len(set(lengths.values())) > 1:
        raise MotionError(f"values of a motion differ in length: {lengths}", where=path, cure=_AGAIN)
