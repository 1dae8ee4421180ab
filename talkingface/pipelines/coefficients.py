"""Coefficients of faces in the space of a renderer: those of a source picture, and those of every frame of a video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import overload

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import MediaError, WeightsError
from ..face.crop.crop import Crop
from ..face.face import Box, Face
from ..face.track.track import Track
from ..face3d.reconstruction import FRAME, Reconstructor, open_reconstructor
from ..motion.coefficients import Coefficients, row70, row73
from ..types import Motion
from ..weights import load_catalogue
from .cut import CutFrames
from .frames import Frame, chunked
from .motions import ROWS
from .progress import SILENT, Progress

CHUNK = 16  # frames that are reconstructed at once
LOOKED_AT = (FRAME, FRAME)
"""Size of the crops that are looked at, in whose pixels crop parameters are counted."""

Rows = NDArray[np.float32]


@dataclass(frozen=True)
class Read:
    """The coefficients of a video.

    Attributes:
        rows: (T, 260), one for each frame, on the clock of the video.
        fps: frames per second.
        warnings: about the video, for example a truncated tail.
    """

    rows: Rows
    fps: Fraction
    warnings: tuple[str, ...]

    def motion(self, space: str) -> Motion:
        """The rows as a motion of kind ``"3dmm.73"``."""
        return Motion("3dmm.73", self.fps, {ROWS: torch.from_numpy(row73(self.rows))}, space)


class CoefficientReader:
    """Reads coefficients off faces, in the frame of the crop that the renderer is shown.

    Attributes:
        space: what the numbers mean.
        label: which reconstructor it is, for the user.
        needs_mesh: whether faces must come with the face mesh.
    """

    def __init__(self, reconstructor: Reconstructor) -> None:
        self._reconstructor = reconstructor
        self.space, self.label = reconstructor.space, reconstructor.label
        self.needs_mesh = reconstructor.space == "mesh"

    def fingerprint(self) -> str:
        """A word that is the same for the same space and weights."""
        return f"{self.space}-{self._reconstructor.fingerprint()}"

    def of_picture(self, picture: Frame, crop: Crop, face: Face) -> Rows:
        """The row of a face in a picture.

        Args:
            picture: (H, W, 3), uint8, all of it.
            crop: the part of it that the renderer is shown, at any size.
            face: in pixels of the picture.

        Returns:
            (1, 260).

        Raises:
            ShapeError: the face lacks the points that are needed.
        """
        crop = crop.resized(LOOKED_AT)
        return self._reconstructor.rows([crop.cut(picture, border="edge")], [in_crop(face, crop)])

    def of_video(
        self,
        path: Path,
        crop: Crop,
        track: Track,
        *,
        fps: Fraction | None = None,
        frame_limit: int | None = None,
        progress: Progress = SILENT,
    ) -> Read:
        """The rows of all frames of a video; where the face is not tracked, those of the nearest frame where it is.

        Args:
            path: read once, and no frame is kept.
            crop: of its frames, at any size.
            track: the face, in pixels of the full frames.
            fps, frame_limit: as for :func:`talkingface.media.video.open_video`.

        Raises:
            ShapeError: the track lacks the points that are needed.
            MediaError: no frame could be read.
        """
        crop = crop.resized(LOOKED_AT)
        faces = FacesInCrop(track, crop)
        reconstructor = self._reconstructor.for_clip(faces, FRAME)
        rows: list[Rows] = []
        count = 0
        with CutFrames(path, crop, fps=fps, frame_limit=frame_limit) as frames:
            for batch in chunked(progress.track(frames, "coefficients", frames.reader.frames), CHUNK):
                seen = [number for number in range(len(batch)) if count + number in track.frames]
                shown = [faces[count + number - track.start] for number in seen]
                rows.append(reconstructor.rows([batch[number] for number in seen], shown))
                count += len(batch)
            read, rate, warnings = np.concatenate(rows or [_none()]), frames.reader.fps, tuple(frames.reader.warnings)
        if not len(read):
            raise MediaError("no frame could be read", where=path)
        nearest = np.clip(np.arange(count) - track.start, 0, len(read) - 1)
        return Read(read[nearest], rate, warnings)


@dataclass(frozen=True, eq=False)
class FacesInCrop(Sequence[Face]):
    """The faces of a track in the pixels of a crop, each made when it is asked for: all of a long video are large.

    Args:
        track: in pixels of the full frames.
        crop: of these.
    """

    track: Track
    crop: Crop

    def __len__(self) -> int:
        return len(self.track)

    @overload
    def __getitem__(self, index: int) -> Face: ...

    @overload
    def __getitem__(self, index: slice) -> list[Face]: ...

    def __getitem__(self, index: int | slice) -> Face | list[Face]:
        numbers = range(len(self))[index]
        if isinstance(numbers, range):
            return [self[number] for number in numbers]
        return in_crop(self.track.face(numbers), self.crop)


def _none() -> Rows:
    return np.zeros((0, 260), np.float32)


def open_reader(space: str, *, model: str, root: Path, device: torch.device | str = "cpu") -> CoefficientReader:
    """What reads coefficients of a space.

    Args:
        model: whose weights want this space, for the error.
        root: folder of the weights that the user adds.
        device: where networks run.

    Raises:
        WeightsError: files of the space are missing, with the weights of the model that do without.
    """
    try:
        return CoefficientReader(open_reconstructor(space, root=root, device=str(device)))
    except WeightsError as error:
        ours = shipped_weights(model)
        without = f" Or take --checkpoint={ours[0]}, which needs none of these." if ours and space == "bfm" else ""
        raise WeightsError(error.what, where=error.where, cure=f"{error.cure or ''}{without}".strip()) from error


def shipped_weights(model: str) -> list[str]:
    """Names of a model's weights that come with the toolkit."""
    return [entry.name for entry in load_catalogue().entries.values() if entry.model == model and entry.shipped_path]


def in_crop(face: Face, crop: Crop) -> Face:
    """A face of a picture in the pixels of a crop of it."""
    edges = np.array([[x, y] for x in (face.box.left, face.box.right) for y in (face.box.top, face.box.bottom)])

    def moved(points: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
        return None if points is None else crop.to_crop(points).astype(np.float32)

    mesh = None
    if face.mesh is not None:
        flat, depth = crop.to_crop(face.mesh[:, :2]), face.mesh[:, 2:] / crop.scale
        mesh = np.concatenate([flat, depth], axis=1).astype(np.float32)
    box = Box.around(crop.to_crop(edges))
    return Face(box, face.score, moved(face.landmarks), mesh, face.backend, moved(face.five))


def with_motion(source: Rows, rows: NDArray[np.floating]) -> Rows:
    """Rows of 260 that show a person moving: its identity with the expression and pose of others.

    Args:
        source: (1, 260), of the person.
        rows: (T, 70 or more), expression, angles and translation.

    Returns:
        (T, 260).
    """
    moved, named = Coefficients(np.repeat(source, len(rows), axis=0)), Coefficients(row70(np.asarray(rows, np.float32)))
    moved.exp[:], moved.angle[:], moved.trans[:] = named.exp, named.angle, named.trans
    return moved.values
