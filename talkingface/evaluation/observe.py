"""Faces in predicted and real frames, followed once for all metrics that measure them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..face.detect.analyser import FaceAnalyser, open_analyser
from ..face.detect.mediapipe import MESH_POINTS, landmarks_of
from ..face.face import Face, largest_first
from ..face.track.track import FaceTracker, Track
from ..face3d.mesh_space import shipped_space
from ..motion.coefficients import LAYOUT_260
from .metric import ClipFacts, MetricTools, Observer
from .talking_curves import TRACKING, Curves, curves_of_track

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class DetectedFace:
    """The face that is seen longest in T frames; NaN where it is not seen.

    Attributes:
        curves: its movement.
        mesh: (T, 468, 3), in pixels.
        expression: (T, 64), coefficients of the mesh space.
        size: height of the frames in pixels.
    """

    curves: Curves
    mesh: Floats
    expression: Floats
    size: int

    @property
    def landmarks(self) -> Floats:
        """(T, 68, 2), in pixels."""
        return landmarks_of(self.mesh).astype(np.float64)

    @property
    def detected(self) -> NDArray[np.bool_]:
        """(T,), true where there is a face."""
        return np.isfinite(self.mesh[:, 0, 0])

    @property
    def eye_distance(self) -> float:
        """Mean distance of the outer corners of the eyes in pixels; NaN without a face."""
        corners = self.mesh[self.detected][:, [33, 263], :2]
        return float(np.linalg.norm(corners[:, 0] - corners[:, 1], axis=1).mean()) if len(corners) else float("nan")


def mesh_analyser(tools: MetricTools) -> FaceAnalyser:
    """The backend with meshes.

    Raises:
        DependencyError, WeightsError: if it is not there.
    """
    return open_analyser("mesh", root=tools.root)


def pictures_of(frames: Tensor) -> NDArray[np.uint8]:
    """Pictures (N, H, W, 3) of frames (N, 3, H, W) in [0, 1]."""
    rounded = frames.clamp(0, 1).mul(255).round().byte()
    return np.asarray(rounded.permute(0, 2, 3, 1).contiguous().cpu().numpy())


class FaceObserver(Observer):
    """Follows the face in predicted and in real frames.

    Attributes:
        largest: by side ("made", "real"), the largest face of each of the frames that were taken last.
    """

    largest: dict[str, list[Face | None]]

    def __init__(self, tools: MetricTools) -> None:
        super().__init__(tools)
        self._analyser = tools.once(mesh_analyser)

    def begin(self, clip: ClipFacts) -> None:
        self._clip, self._count, self._size = clip, 0, 0
        self.largest = {"made": [], "real": []}
        self._trackers = {side: FaceTracker(self._analyser, TRACKING) for side in ("made", "real")}
        for name in ("made", "real"):
            self.__dict__.pop(name, None)

    def update(self, predicted: Tensor, real: Tensor) -> None:
        for side, frames in (("made", predicted), ("real", real)):
            self.largest[side] = []
            for picture in pictures_of(frames):
                self._trackers[side].step(picture)
                self.largest[side].append(next(iter(largest_first(self._trackers[side].present)), None))
        self._count, self._size = self._count + len(real), real.shape[-2]

    @cached_property
    def made(self) -> DetectedFace:
        """The face in the predicted frames."""
        return self._face("made")

    @cached_property
    def real(self) -> DetectedFace:
        """The face in the real frames."""
        return self._face("real")

    def _face(self, side: str) -> DetectedFace:
        tracks = [track for track in self._trackers[side].finish() if track.mesh is not None]
        track = max(tracks, key=len, default=None)
        curves = curves_of_track(track, self._clip.fps, self._count, self._size)
        return DetectedFace(curves, *_arrays(track, self._count, self._size), self._size)


def _arrays(track: Track | None, count: int, size: int) -> tuple[Floats, Floats]:
    """(mesh, expression) of all frames."""
    mesh = np.full((count, MESH_POINTS, 3), np.nan)
    expression = np.full((count, LAYOUT_260.exp.stop - LAYOUT_260.exp.start), np.nan)
    if track is not None and track.mesh is not None:
        known = track.scores > 0
        frames = np.flatnonzero(known) + track.start
        mesh[frames] = track.mesh[known]
        expression[frames] = shipped_space().fit(track.mesh.astype(np.float64), size=size)[known][:, LAYOUT_260.exp]
    return mesh, expression
