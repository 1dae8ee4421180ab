"""Interface of a set of clips, for training and evaluation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError

Frames = NDArray[np.uint8]


@dataclass(frozen=True)
class Clip:
    """One clip of a store.

    Attributes:
        name: path relative to the store, with forward slashes; unique in the store.
        identity: the person (or object) shown; items are drawn evenly over identities.
        frames: number of frames. Taken from a list or a container it may be a little too high; the last frame is then
            repeated.
        fps: frames per second, None if unknown (folders of pictures).
        has_audio: true if it has sound, None if unknown.
        sync: entry of the clip list about sound and pictures, ``"ok"`` if they are in sync; empty if unknown.
    """

    name: str
    identity: str
    frames: int
    fps: Fraction | None = None
    has_audio: bool | None = None
    sync: str = ""


class ClipStore(ABC):
    """A set of clips with random access to their frames.

    Attributes:
        root: folder (or file) that the store was opened from.
    """

    root: Path

    @abstractmethod
    def clips(self) -> list[Clip]:
        """All clips, sorted by name."""

    @abstractmethod
    def sources(self) -> list[Path]:
        """Files that the frames come from; a prepared copy is made again when one of them changes."""

    @abstractmethod
    def frames(self, clip: Clip, indices: Sequence[int], size: int | None = None) -> Frames:
        """Some frames of a clip.

        Args:
            clip: one of ``clips()``.
            indices: frame numbers from 0, in any order, repeats allowed.
            size: side in pixels of the central square that is cut out and scaled; None: frames as they are.

        Returns:
            (n, H, W, 3) uint8, RGB.

        Raises:
            DataError: if the clip cannot be decoded or holds no frame.
        """

    def arrays(self) -> frozenset[str]:
        """Names of the arrays that all clips have, see :meth:`array`."""
        return frozenset()

    def array(self, clip: Clip, key: str, indices: Sequence[int] | NDArray[np.integer]) -> NDArray[np.float32]:
        """Rows of an array for some frames of a clip, such as 3DMM coefficients.

        Args:
            clip: one of ``clips()``.
            key: ``"coeff_3dmm"`` (n, 260) or ``"keypoint"`` (n, 68, 2), as in :mod:`talkingface.data.lmdb.keys`.
            indices: frame numbers from 0, in any order, repeats allowed.

        Returns:
            (n, ...), one row for each index.

        Raises:
            DataError: if the store has no such array, with those it has.
        """
        cure = "Prepare the data set with --run_mode=prepare and train on the LMDB that it makes."
        raise DataError(f"the clips have pictures only, no array '{key}'", where=self.root, cure=cure)

    def sound(self, clip: Clip, start: int, stop: int) -> NDArray[np.float32]:
        """Samples of a range of a clip.

        Args:
            clip: one of ``clips()``.
            start, stop: range in samples at 16 kHz, counted from the first frame; outside the clip is silence.

        Returns:
            (stop - start,), mono, -1..1.

        Raises:
            DataError: if the store has no sound.
        """
        raise DataError("the clips were opened without their sound", where=self.root)

    def file(self, clip: Clip) -> Path | None:
        """Video file or folder of pictures of a clip; None for other stores."""
        return None

    def whole(self, clip: Clip, size: int | None = None, limit: int | None = None) -> Frames:
        """The first ``limit`` frames of a clip (all where None), decoded once; (n, H, W, 3) uint8, RGB."""
        count = clip.frames if limit is None else min(limit, clip.frames)
        return self.frames(clip, range(count), size)


def identity_of(name: str) -> str:
    """Identity in a clip's name: the part before the first '#' (VoxCeleb), else before the first '_'."""
    stem = Path(name).name.split(".")[0]
    for mark in "#_":
        if mark in stem:
            return stem.split(mark)[0]
    return stem
