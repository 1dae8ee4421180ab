"""StyleHEAT's cache files, ``3dmm_<name>.npy``: 73 numbers for each frame and nothing else."""

from __future__ import annotations

import tokenize
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from ..errors import MotionError
from ..types import Motion
from ..weights.tensorfile import replacing

MAGIC = b"\x93NUMPY"
KIND, SPACE, VALUE = "3dmm.73", "bfm", "coefficients"
"""Kind, space and name of the values of such a motion; the file itself says none of them."""

WIDTH = 73
RATE = Fraction(25)
_MAKE_AGAIN = "Extract the coefficients again."


def load_3dmm(path: Path, fps: Fraction | None = None) -> Motion:
    """The motion of a cache file.

    Args:
        fps: frames per second, which the file does not say; None takes 25, StyleHEAT's.

    Raises:
        MotionError: if it does not hold (T, 73) finite real numbers; Python objects are never unpickled.
        OSError: if it cannot be opened.
    """
    try:
        # A memory map is checked against the file's length before any memory is taken.
        array = np.lib.format.open_memmap(path, mode="r")
    except (ValueError, SyntaxError, tokenize.TokenError, RecursionError, MemoryError, OverflowError) as error:
        # What the header parser and the literal reader behind it raise.
        raise MotionError("not a readable NumPy file of plain numbers", where=path, cure=_MAKE_AGAIN) from error
    if array.dtype.kind != "f" or array.ndim != 2 or array.shape[1] != WIDTH or not len(array):
        raise MotionError(
            f"holds {array.dtype} {array.shape}, not (frames, {WIDTH}) real numbers", where=path, cure=_MAKE_AGAIN
        )
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite and is refused below
        rows = np.array(array, dtype=np.float32)
    if not np.isfinite(rows).all():
        raise MotionError("holds numbers that are not finite", where=path, cure=_MAKE_AGAIN)
    return Motion(KIND, fps or RATE, {VALUE: torch.from_numpy(rows)}, SPACE)


def save_3dmm(path: Path, motion: Motion) -> None:
    """Write a cache file; it is complete or not there at all. The frame rate is not kept.

    Raises:
        MotionError: if the motion is of another kind or space (the file could not say which), or cannot be written.
    """
    if (motion.kind, motion.space) != (KIND, SPACE) or set(motion.values) != {VALUE}:
        raise MotionError(
            f"a .npy file holds motions of kind {KIND!r} and space {SPACE!r}, not {motion.kind!r} and {motion.space!r}",
            where=path,
            cure="Use the ending .motion.",
        )
    rows = motion.values[VALUE].detach().cpu().float().numpy()
    if rows.ndim != 2 or rows.shape[1] != WIDTH or not len(rows) or not np.isfinite(rows).all():
        raise MotionError(f"{rows.shape} are not rows of {WIDTH} finite numbers", where=path)
    try:
        with replacing(path) as part, part.open("wb") as file:
            np.save(file, rows, allow_pickle=False)
    except OSError as error:
        raise MotionError(
            f"cannot be written ({error.strerror or error})", where=path, cure="Check the folder, its rights and space."
        ) from error
