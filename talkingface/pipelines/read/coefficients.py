"""Coefficients of faces in the space of a renderer: those of a source picture, and those of every frame of a video."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...errors import MediaError, MotionError, NoFaceError, WeightsError
from ...face.crop.crop import Crop
from ...face.detect.analyser import FaceAnalyser, open_analyser
from ...face.face import Box, Face
from ...face.track.people import nearest_of
from ...face.track.track import Track, TrackSettings, track_faces
from ...face3d.reconstruction import FRAME, Reconstructor, open_reconstructor
from ...motion.coefficients import Coefficients, row70, row73
from ...types import Motion, Source
from ..frames import Frame, chunked, to_tensor
from ..motions import ROWS
from ..plan.known_weights import with_way_out
from ..progress import SILENT, Progress
from .motion_reader import MotionReader, Place, SourceReading
from .video import CutFrames

CHUNK = 16  # frames that are reconstructed at once
LOOKED_AT = (FRAME, FRAME)
"""Size of the crops that are looked at, in whose pixels crop parameters are counted."""

Rows = NDArray[np.float32]


class CoefficientReader(MotionReader):
    """Reads coefficients off faces, in the frame of the crop that the renderer is shown.

    Attributes:
        space: what the numbers mean.
    """

    size = LOOKED_AT
    needs_face = True

    def __init__(
        self, reconstructor: Reconstructor, device: torch.device | str = "cpu", *, root: Path | None = None
    ) -> None:
        """
        Args:
            reconstructor: of the space.
            device: where pictures are put.
            root: folder of the weights that the user adds, for the face mesh.
        """
        self._reconstructor, self._device, self._root = reconstructor, device, root
        self.space, self.label = reconstructor.space, reconstructor.label
        self.needs_mesh = reconstructor.space == "mesh"

    @cached_property
    def analyser(self) -> FaceAnalyser:
        """The offline face mesh, which finds faces in clips that are cut already.

        Raises:
            TalkingFaceError: it cannot be used here.
        """
        return open_analyser("mesh", root=self._root)

    def fingerprint(self) -> str:
        """Word that is the same for the same space and weights."""
        return f"{self.space}-{self._reconstructor.fingerprint()}"

    def read_source(self, path: Path, picture: Frame, place: Place, cut: Frame, number: int) -> SourceReading:
        """Read a part of a source, see the base class.

        Raises:
            ShapeError: the face lacks the points that are needed.
            NoFaceError: there is none.
        """
        if place.face is None:
            raise NoFaceError("coefficients need a face", where=path)
        row = self.of_picture(picture, place.crop, place.face)
        source = self.source(to_tensor([cut], self._device), row)
        return SourceReading(source, source, row)

    def source(self, image: Tensor, row: Rows) -> Source:
        """Picture (1, 3, H, W), RGB, [0, 1], with the coefficients and the identity of its row (1, 260)."""
        return Source(image, torch.from_numpy(row73(row)), torch.from_numpy(Coefficients(row).id.copy()))

    def own_motion(self, source: Source, driving: Motion, where: object = None) -> Motion:
        """Motion of one frame of the source's own coefficients, of kind ``"3dmm.73"``."""
        if source.coefficients is None:
            raise MotionError("the source was read without coefficients", where=where)
        return Motion("3dmm.73", driving.fps, {ROWS: source.coefficients}, driving.space)

    def motion(self, rows: Rows, fps: Fraction) -> Motion:
        """Rows (T, 260) as a motion of kind ``"3dmm.73"``."""
        return Motion("3dmm.73", fps, {ROWS: torch.from_numpy(row73(rows))}, self.space)

    def of_picture(self, picture: Frame, crop: Crop, face: Face) -> Rows:
        """Row of a face in a picture.

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

    def of_face(self, picture: Frame) -> Rows:
        """Row (1, 260) of the largest face of a square picture (S, S, 3), uint8, that is cut to it already.

        Raises:
            NoFaceError: there is none.
        """
        faces = self.analyser.faces(picture)
        if not faces:
            raise NoFaceError("shows no face")
        return self._reconstructor.rows([picture], faces[:1])

    def read_video(
        self,
        path: Path,
        crop: Crop,
        track: Track | None,
        *,
        fps: Fraction | None = None,
        frame_limit: int | None = None,
        chunk: int = CHUNK,
        progress: Progress = SILENT,
    ) -> tuple[Motion, tuple[str, ...]]:
        """Read all frames; where the face is not tracked, the coefficients are those of the nearest frame."""
        if track is None:
            raise NoFaceError("coefficients need a face", where=path)
        rows, rate, warnings = self.rows_of_video(
            path, crop, track, fps=fps, frame_limit=frame_limit, progress=progress
        )
        return self.motion(rows, rate), warnings

    def rows_of_video(
        self,
        path: Path,
        crop: Crop,
        track: Track,
        *,
        fps: Fraction | None = None,
        frame_limit: int | None = None,
        progress: Progress = SILENT,
    ) -> tuple[Rows, Fraction, tuple[str, ...]]:
        """Rows (T, 260) of all frames of a video, with its rate and warnings.

        Where the face is not seen, they are those of the nearest frame where it is.

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
        known = set(track.followed.tolist())
        count = 0
        with CutFrames(path, crop, fps=fps, frame_limit=frame_limit) as frames:
            for batch in chunked(progress.track(frames, "coefficients", frames.reader.frames), CHUNK):
                followed = [number for number in range(len(batch)) if count + number in known]
                shown = [faces[count + number - track.start] for number in followed]
                rows.append(reconstructor.rows([batch[number] for number in followed], shown))
                count += len(batch)
            read, rate, warnings = np.concatenate(rows or [_none()]), frames.reader.fps, tuple(frames.reader.warnings)
        if not len(read):
            raise MediaError("no frame could be read", where=path)
        return read[nearest_of(track.followed[: len(read)], np.arange(count))], rate, warnings

    def read_clip(self, frames: NDArray[np.uint8], fps: Fraction, *, chunk: int = CHUNK) -> tuple[Source, Motion]:
        """Read square frames (T, S, S, 3), uint8, by the face that is seen longest."""
        rows = self.rows_of_clip(frames)
        return self.source(to_tensor(list(frames[:1]), self._device), rows[:1]), self.motion(rows, fps)

    def rows_of_clip(self, frames: NDArray[np.uint8]) -> Rows:
        """Rows (T, 260) of the face that is seen longest; where it is not seen, those of the nearest frame.

        Args:
            frames: (T, S, S, 3), RGB, cut to the face already.

        Raises:
            NoFaceError: there is none.
        """
        track = longest_track(frames, self.analyser, TrackSettings(split_scenes=False))
        if track is None:
            raise NoFaceError("shows no face")
        faces = [track.face(index) for index in range(len(track))]
        reconstructor = self._reconstructor.for_clip(faces, frames.shape[1])
        shown = zip(frames[track.start : track.start + len(track)], faces, strict=True)
        found = [reconstructor.rows(*map(list, zip(*part, strict=True))) for part in chunked(shown, CHUNK)]
        nearest = np.clip(np.arange(len(frames)) - track.start, 0, len(track) - 1)
        return np.concatenate(found)[nearest]


def longest_track(frames: Iterable[Frame], analyser: FaceAnalyser, settings: TrackSettings) -> Track | None:
    """Track of the face that is seen longest, with its mesh; None where there is none. Frames stream through."""
    tracks = (track for track in track_faces(frames, analyser, settings) if track.mesh is not None)
    return max(tracks, key=len, default=None)


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
    """Open the reader of coefficients of a space.

    Args:
        model: whose weights want this space, for the error.
        root: folder of the weights that the user adds.
        device: where networks run.

    Raises:
        WeightsError: files of the space are missing, with the weights of the model that do without.
    """
    try:
        reconstructor = open_reconstructor(space, root=root, device=str(device))
        return CoefficientReader(reconstructor, device, root=root)
    except WeightsError as error:
        raise with_way_out(error, space, model) from error


def in_crop(face: Face, crop: Crop) -> Face:
    """Move a face of a picture into the pixels of a crop of it."""
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
    """Rows (T, 260) of a person moving: its identity with the expression and pose of others.

    Args:
        source: (1, 260), of the person.
        rows: (T, 70 or more), expression, angles and translation.

    Returns:
        (T, 260).
    """
    moved, named = Coefficients(np.repeat(source, len(rows), axis=0)), Coefficients(row70(np.asarray(rows, np.float32)))
    moved.exp[:], moved.angle[:], moved.trans[:] = named.exp, named.angle, named.trans
    return moved.values
