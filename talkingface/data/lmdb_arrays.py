"""Which arrays the clips of an LMDB have: their widths are looked at when it is opened, and told in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import DataError
from . import lmdb_keys as keys
from .lmdb_env import Environment
from .store import Clip

_LOOKED_AT = 16  # clips, spread over all


@dataclass(frozen=True)
class Layout:
    """An array of the published layouts.

    Attributes:
        shapes: of one frame, all that are known.
        meaning: what it holds, for messages.
    """

    shapes: tuple[tuple[int, ...], ...]
    meaning: str

    @property
    def widths(self) -> list[int]:
        return [_product(shape) for shape in self.shapes]


LAYOUTS = {
    keys.COEFFICIENTS: Layout(((260,),), "Deep3DFaceRecon's 257 coefficients and 3 numbers of the crop"),
    keys.KEYPOINTS: Layout(((68, 2),), "68 points, x and y"),
    keys.DECA_COEFFICIENTS: Layout(((349,),), "DECA's coefficients"),
    keys.DECA_KEYPOINTS: Layout(((68, 2), (68, 3)), "68 points of DECA"),
}


def check_widths(env: Environment, clips: Sequence[Clip]) -> dict[str, int]:
    """Numbers per frame of each array that the clips have.

    Raises:
        DataError: if a width is none of the published ones, or clips differ.
    """
    found: dict[str, int] = {}
    for clip in clips[:: max(len(clips) // _LOOKED_AT, 1)]:
        widths = _widths(env, clip)
        if found and widths != found:
            what = f"clip '{clip.name}' has {told(widths)}; clip '{clips[0].name}' has {told(found)}"
            raise DataError(what, where=env.folder, cure="All clips need the same arrays: prepare the data set again.")
        found = widths
    return found


def told(widths: Mapping[str, int]) -> str:
    """Arrays in words: ``coeff_3dmm with 260 numbers a frame (...)``."""
    words = [f"{name} with {width} numbers a frame ({LAYOUTS[name].meaning})" for name, width in widths.items()]
    return ", ".join(words) or "no arrays"


def missing_array(wanted: str, widths: Mapping[str, int], folder: Path) -> DataError:
    """The error for an array that the clips do not have."""
    cure = "Prepare the data set with --run_mode=prepare."
    if wanted == keys.COEFFICIENTS and keys.DECA_COEFFICIENTS in widths:
        cure = (
            "DECA's numbers make rows of 68, which do not fit the 73 rows that the models read "
            "(64 expression, 3 angles, 3 translation, 3 crop). " + cure
        )
    return DataError(f"no array '{wanted}'; the clips have {told(widths)}", where=folder, cure=cure)


def shape_of(name: str, width: int) -> tuple[int, ...]:
    """Shape of one frame of an array."""
    layout = LAYOUTS[name]
    return layout.shapes[layout.widths.index(width)]


def _widths(env: Environment, clip: Clip) -> dict[str, int]:
    widths = {}
    for name, value in zip(LAYOUTS, env.get([keys.key(clip.name, name) for name in LAYOUTS]), strict=True):
        if value is None:
            continue
        width, rest = divmod(len(value), 4 * clip.frames)
        if rest or width not in LAYOUTS[name].widths:
            expected = " or ".join(map(str, LAYOUTS[name].widths))
            what = f"'{clip.name}-{name}' has {len(value)} bytes, {len(value) / 4 / clip.frames:g} numbers a frame"
            cure = f"Expected are {expected} float32 for each of {clip.frames} frames: {LAYOUTS[name].meaning}."
            raise DataError(what, where=env.folder, cure=cure)
        widths[name] = width
    return widths


def _product(shape: tuple[int, ...]) -> int:
    product = 1
    for length in shape:
        product *= length
    return product
