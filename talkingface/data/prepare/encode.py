"""Step ``lmdb``, the workers' half: the pictures of a clip as they are stored, with its points and coefficients."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...errors import DataError
from ...media.image import Picture
from ...media.video import open_video
from ..lmdb_write import encode_frame
from .arrays import LAYOUT_SIDE, read_coefficients, read_landmarks
from .items import Clip
from .step import Made, PassingError, Step


@dataclass(frozen=True)
class Encoded:
    """A clip as it goes into the LMDB.

    Attributes:
        name: of the clip.
        pictures: resolution -> one encoded picture for each frame.
        coefficients: (T, 260), or None.
        keypoints: (T, 68, 2) in a frame of 256 pixels, or None.
    """

    name: str
    pictures: dict[int, list[bytes]] = field(default_factory=dict)
    coefficients: NDArray[np.float32] | None = None
    keypoints: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class EncodeClip(Step[Clip]):
    """Encodes a clip; one process alone writes what all workers give.

    Attributes:
        landmarks, coefficients: folders of what belongs to the clips; None leaves it out.
        resolutions: sides of the pictures in pixels.
        coefficients_format, points_format: endings of those files.
        picture_format: ``"jpeg"``, or ``"png"`` without loss.
        quality: of the jpegs, 1 to 100.
    """

    landmarks: Path | None
    coefficients: Path | None
    resolutions: Sequence[int] = (256,)
    coefficients_format: str = ".npz"
    points_format: str = ".npz"
    picture_format: Literal["jpeg", "png"] = "jpeg"
    quality: int = 95

    name = "lmdb"

    def inputs(self, item: Clip) -> list[Path]:
        found = [item.path, *self._beside(item)]
        missing = [path for path in found if not path.exists()]
        if missing:
            raise PassingError(f"'{missing[0].name}' is not there", where=missing[0], cure="Do the step before first.")
        return found

    def shaping(self) -> dict[str, Any]:
        parts = {"landmarks": self.landmarks is not None, "coefficients": self.coefficients is not None}
        return {**parts, "resolutions": list(self.resolutions), "format": self.picture_format, "quality": self.quality}

    def perform(self, item: Clip) -> Made:
        pictures: dict[int, list[bytes]] = {side: [] for side in self.resolutions}
        frames = 0
        with open_video(item.path, fps=None if item.path.is_file() else Fraction(25)) as reader:
            for frame in reader:
                frames += 1
                for side, encoded in pictures.items():
                    encoded.append(self._encoded(frame, side))
        rows, points = self._rows(item), self._points(item, reader.height)
        for what, values in (("coefficients", rows), ("landmarks", points)):
            if values is not None and len(values) != frames:
                cure = "Extract them again."
                raise DataError(f"{frames} frames, but {len(values)} {what}", where=item.path, cure=cure)
        return Made(facts={"frames": frames}, payload=Encoded(item.name, pictures, rows, points))

    def _beside(self, item: Clip) -> list[Path]:
        """Files of points and coefficients that belong to the clip."""
        folders = ((self.landmarks, self.points_format), (self.coefficients, self.coefficients_format))
        return [folder / item.split / f"{item.name}{ending}" for folder, ending in folders if folder is not None]

    def _encoded(self, frame: Picture, side: int) -> bytes:
        if self.picture_format == "jpeg":
            return encode_frame(frame, side, quality=self.quality)
        buffer = io.BytesIO()
        Image.fromarray(frame).resize((side, side), Image.Resampling.BICUBIC).save(buffer, "png")
        return buffer.getvalue()

    def _rows(self, item: Clip) -> NDArray[np.float32] | None:
        if self.coefficients is None:
            return None
        return read_coefficients(self.coefficients / item.split / f"{item.name}{self.coefficients_format}")[0]

    def _points(self, item: Clip, side: int) -> NDArray[np.float32] | None:
        if self.landmarks is None:
            return None
        points = read_landmarks(self.landmarks / item.split / f"{item.name}{self.points_format}")["landmarks"]
        return ((points + 0.5) * (LAYOUT_SIDE / side) - 0.5).astype(np.float32)
