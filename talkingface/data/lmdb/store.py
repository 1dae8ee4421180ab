"""Store of clips in LMDB, in the layout of the published StyleHEAT and PIRenderer data."""

from __future__ import annotations

import io
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...errors import DataError, quoted
from ...text.lists import read_lines
from ..store import Clip, ClipStore, Frames
from . import keys
from .environment import Environment, LazyEnvironment

_CHECKED_CLIPS = 16  # number of clips, distributed over all


@dataclass(frozen=True)
class ArrayLayout:
    """An array of the published layouts.

    Attributes:
        shapes: all known shapes of one frame.
        meaning: description of its content, for messages.
    """

    shapes: tuple[tuple[int, ...], ...]
    meaning: str

    @property
    def widths(self) -> list[int]:
        return [math.prod(shape) for shape in self.shapes]


LAYOUTS = {
    keys.COEFFICIENTS: ArrayLayout(((260,),), "Deep3DFaceRecon's 257 coefficients and 3 numbers of the crop"),
    keys.KEYPOINTS: ArrayLayout(((68, 2),), "68 points, x and y"),
    keys.DECA_COEFFICIENTS: ArrayLayout(((349,),), "DECA's coefficients"),
    keys.DECA_KEYPOINTS: ArrayLayout(((68, 2), (68, 3)), "68 points of DECA"),
}


def check_widths(env: Environment, clips: Sequence[Clip]) -> dict[str, int]:
    """Numbers per frame of each array of the clips.

    Raises:
        DataError: if a width is none of the published ones, or clips differ.
    """
    expected: dict[str, int] = {}
    for clip in clips[:: max(len(clips) // _CHECKED_CLIPS, 1)]:
        widths = _widths(env, clip)
        if expected and widths != expected:
            what = f"clip '{clip.name}' has {describe(widths)}; clip '{clips[0].name}' has {describe(expected)}"
            raise DataError(what, where=env.folder, cure="All clips need the same arrays: prepare the data set again.")
        expected = widths
    return expected


def describe(widths: Mapping[str, int]) -> str:
    """Describe arrays in words: ``coeff_3dmm with 260 numbers a frame (...)``."""
    words = [f"{name} with {width} numbers a frame ({LAYOUTS[name].meaning})" for name, width in widths.items()]
    return ", ".join(words) or "no arrays"


def missing_array(wanted: str, widths: Mapping[str, int], folder: Path) -> DataError:
    """Error for an array that the clips do not have."""
    cure = "Prepare the data set with --run_mode=prepare."
    if wanted == keys.COEFFICIENTS and keys.DECA_COEFFICIENTS in widths:
        cure = (
            "DECA's numbers make rows of 68, which do not fit the 73 rows that the models read "
            "(64 expression, 3 angles, 3 translation, 3 crop). " + cure
        )
    return DataError(f"no array '{wanted}'; the clips have {describe(widths)}", where=folder, cure=cure)


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


FPS = Fraction(25)  # the layout does not store a rate; all published data have this one

_log = logging.getLogger(__name__)


class LMDBStore(ClipStore):
    """Clips in LMDB (layout: :mod:`talkingface.data.lmdb.keys`).

    Each reading process opens the environment for itself, so the store may be pickled, forked and spawned. No other
    process may write at the same time.

    Args:
        root: the data set, with an environment for each size of pictures, or one such environment.
        split: read the clips of ``<split>_list.txt``; None reads all.
        size: required side in pixels; the next stored size that is not smaller is opened, else the largest.

    Attributes:
        resolution: side of the stored pictures in pixels, from the folder's name; None where ``root`` itself is read.
        widths: numbers per frame of the arrays of the clips, such as ``{"coeff_3dmm": 260, "keypoint": 136}``.

    Raises:
        DataError: if the layout is another one, a listed clip is missing, or an array has an unknown width.
    """

    def __init__(self, root: Path, split: str | None = None, size: int | None = None) -> None:
        self.root = root
        self.resolution = _choose(root, size)
        self._folder = root / str(self.resolution) if self.resolution else root
        self._env = LazyEnvironment(self._folder)
        self._list = _list_of(root, split)
        self._clips = self._listed(self._list) if self._list else self._all_clips()
        self.widths = check_widths(self._env(), self._clips)

    def clips(self) -> list[Clip]:
        return list(self._clips)

    def sources(self) -> list[Path]:
        return [self._folder / keys.DATA_FILE, *([self._list] if self._list else [])]

    def frames(self, clip: Clip, indices: Sequence[int], size: int | None = None) -> Frames:
        return self._pictures((keys.frame_key(clip.name, int(index)) for index in indices), size)

    def aligned(self, clip: Clip, indices: Sequence[int], size: int | None = None) -> Frames:
        """Frames (n, H, W, 3) uint8 like :meth:`frames`, but aligned as in FFHQ; not all data sets have them."""
        return self._pictures((keys.frame_key(clip.name, int(index), aligned=True) for index in indices), size)

    def arrays(self) -> frozenset[str]:
        return frozenset(self.widths)

    def array(self, clip: Clip, key: str, indices: Sequence[int] | NDArray[np.integer]) -> NDArray[np.float32]:
        if key not in self.widths:
            raise missing_array(key, self.widths, self._folder)
        (value,) = self._values([keys.key(clip.name, key)])
        rows = np.frombuffer(value, "<f4").reshape(clip.frames, *shape_of(key, self.widths[key]))
        return rows[np.asarray(indices)].astype(np.float32)

    def _pictures(self, names: Iterable[bytes], size: int | None) -> Frames:
        pictures: list[Frames] = []
        for name in names:  # one after the other, so that a length that the clip does not have takes no memory
            (value,) = self._values([name])
            pictures.append(_decoded(value, size, name, self._folder))
            if pictures[-1].shape != pictures[0].shape:
                raise DataError("pictures of a clip differ in size", where=f"{self._folder}: {_shown(name)}")
        return np.stack(pictures)

    def _values(self, names: Sequence[bytes]) -> list[bytes]:
        values = []
        for name, value in zip(names, self._env().get(names), strict=True):
            if value is None:
                raise DataError(f"there is no '{_shown(name)}'", where=self._folder, cure="Prepare the data set again.")
            values.append(value)
        return values

    def _listed(self, path: Path) -> list[Clip]:
        """Clips of the list of a split."""
        names = sorted({row.text for row in read_lines(path)})
        lengths = list(self._env().get(keys.key(name, keys.LENGTH) for name in names))
        if missing := [name for name, length in zip(names, lengths, strict=True) if length is None]:
            there = f"{quoted(missing[0])} is not there, {self._first_keys()}"
            what = f"{len(missing)} of {len(names)} listed clips are not in {self._folder}: {there}"
            raise DataError(what, where=path, cure=f"Finish preparing, or take them out of the list. {_EXPECTED}")
        return [self._clip(name, length) for name, length in zip(names, lengths, strict=True) if length is not None]

    def _all_clips(self) -> list[Clip]:
        """All clips of the environment, by its keys."""
        end = keys.key("", keys.LENGTH)
        lengths = [key for key in self._env().names() if key.endswith(end)]
        if not lengths:
            raise DataError(f"no clips, {self._first_keys()}", where=self._folder, cure=_EXPECTED)
        values = zip(lengths, self._values(lengths), strict=True)
        clips = [self._clip(key[: -len(end)].decode("utf-8", "replace"), value) for key, value in values]
        return sorted(clips, key=lambda clip: clip.name)

    def _clip(self, name: str, length: bytes) -> Clip:
        if not length.isdigit() or len(length) > keys.MAX_DIGITS or int(length) == 0:
            raise DataError(f"the length of clip '{name}' is {length[:20]!r}", where=self._folder, cure=_EXPECTED)
        return Clip(name, name.split("#")[0], int(length), FPS)

    def _first_keys(self) -> str:
        first = [_shown(key) for key, _ in zip(self._env().names(), range(3), strict=False)]
        return f"the first keys are {', '.join(map(repr, first))}" if first else "it is empty"


_EXPECTED = "Expected are keys such as '<clip>-length', '<clip>-0000000' and '<clip>-coeff_3dmm'; see docs/data.md."


def _shown(key: bytes) -> str:
    return key.decode("utf-8", "replace")


def _choose(root: Path, wanted: int | None) -> int | None:
    """Choose the stored size to read; None for ``root`` itself."""
    if (root / keys.DATA_FILE).is_file():
        return None
    stored = keys.resolutions(root)
    if not stored:
        raise DataError(f"no LMDB as <resolution>/{keys.DATA_FILE}", where=root, cure="Prepare it: --run_mode=prepare.")
    chosen = next((side for side in stored if wanted is not None and side >= wanted), stored[-1])
    if wanted is not None and chosen < wanted:
        sizes = ", ".join(map(str, stored))
        _log.warning("%s: pictures of %d pixels are enlarged to %d; there are: %s", root, chosen, wanted, sizes)
    return chosen


def _list_of(root: Path, split: str | None) -> Path | None:
    """List of a split, also beside ``root`` if that is an environment. Without any list all splits hold all clips.

    Raises:
        DataError: if there are lists, but not this one.
    """
    if not split:
        return None
    lists = sorted(path for folder in (root, root.parent) for path in folder.glob(f"*{keys.LIST_ENDING}"))
    for path in lists:
        if path.name == f"{split}{keys.LIST_ENDING}":
            return path
    existing = ", ".join(path.name for path in lists) or "no list"
    cure = f"There is {existing}; a list has a clip's name per line. --data.train_split= takes all clips."
    raise DataError(f"no {split}{keys.LIST_ENDING}", where=root, cure=cure)


def _decoded(value: bytes, size: int | None, name: bytes, folder: Path) -> Frames:
    from ...media.image import center_square, resize

    try:
        with Image.open(io.BytesIO(value), formats=("JPEG", "PNG", "WEBP")) as image:
            picture = np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"'{_shown(name)}' is no picture ({error})", where=folder, cure=_EXPECTED) from error
    return picture if size is None else resize(center_square(picture), (size, size))
