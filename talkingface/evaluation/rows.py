"""Coefficients of the frames of test clips, which are taken as they are: each is a square around one face."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import NoFaceError
from ..face.detect.analyser import FaceAnalyser, open_analyser
from ..face.track.track import Track, TrackSettings, track_faces
from ..face3d.reconstruction import open_reconstructor
from ..media.image import Picture
from ..motion.coefficients import Coefficients, row73
from ..pipelines.frames import chunked
from ..pipelines.motions import ROWS
from ..types import Motion, Source

_CHUNK = 16  # frames that are reconstructed at once

Rows = NDArray[np.float32]


class RowReader:
    """Finds faces with the offline face mesh and reads their coefficients.

    Attributes:
        analyser: gives face meshes.
        space: what the coefficients mean.
    """

    def __init__(self, space: str, *, root: Path | None = None, device: torch.device | str = "cpu") -> None:
        """
        Args:
            root: folder of the weights that the user adds; None takes the usual one.
            device: where networks run, and where sources and motions are put.

        Raises:
            TalkingFaceError: if the face mesh or the reconstructor of the space cannot be used here.
        """
        self.analyser = open_analyser("mesh", root=root)
        self.space, self._device = space, device
        self._reconstructor = open_reconstructor(space, root=root, device=str(device))

    def of_picture(self, picture: Picture) -> Rows:
        """The row of the largest face, (1, 260).

        Raises:
            NoFaceError: if there is none.
        """
        faces = self.analyser.faces(picture)
        if not faces:
            raise NoFaceError("shows no face")
        return self._reconstructor.rows([picture], faces[:1])

    def of_clip(self, frames: NDArray[np.uint8]) -> Rows:
        """The rows of the face that is seen longest, (T, 260); where it is not seen, those of the nearest frame.

        Args:
            frames: (T, S, S, 3).

        Raises:
            NoFaceError: if there is none.
        """
        track = longest_track(frames, self.analyser, TrackSettings(split_scenes=False))
        if track is None:
            raise NoFaceError("shows no face")
        faces = [track.face(index) for index in range(len(track))]
        reconstructor = self._reconstructor.for_clip(faces, frames.shape[1])
        shown = zip(frames[track.start : track.start + len(track)], faces, strict=True)
        found = [reconstructor.rows(*map(list, zip(*part, strict=True))) for part in chunked(shown, _CHUNK)]
        nearest = np.clip(np.arange(len(frames)) - track.start, 0, len(track) - 1)
        return np.concatenate(found)[nearest]

    def source(self, image: Tensor, rows: Rows) -> Source:
        """A picture (1, 3, S, S) in [0, 1] with its own row (1, 260)."""
        row, person = (torch.from_numpy(part.copy()).to(self._device) for part in (row73(rows), Coefficients(rows).id))
        return Source(image, row, person)

    def motion(self, rows: Rows, fps: Fraction) -> Motion:
        """Rows (T, 260) as a motion of kind ``"3dmm.73"``."""
        return Motion("3dmm.73", fps, {ROWS: torch.from_numpy(row73(rows)).to(self._device)}, self.space)


def longest_track(frames: Iterable[Picture], analyser: FaceAnalyser, settings: TrackSettings) -> Track | None:
    """The face that is seen longest, with its mesh; None where there is none. Frames stream through."""
    tracks = (track for track in track_faces(frames, analyser, settings) if track.mesh is not None)
    return max(tracks, key=len, default=None)
