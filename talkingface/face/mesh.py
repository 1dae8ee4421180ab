"""The offline backend: MediaPipe's face detectors and face mesh (468 points), run by ai-edge-litert on the CPU.

The mesh network sees a square around the face, turned so that the eyes are level, and gives the points and a flag that
says whether it sees a face at all (Kartynnik et al. 2019, "Real-time Facial Surface Geometry from Monocular Video").
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..media.image import Picture, check_picture
from ..weights import load_catalogue
from .analyser import FaceAnalyser
from .blaze import FULL_RANGE_GRIDS, SHORT_RANGE_GRIDS, Detection, Detector
from .face import Box, Face, largest_first
from .mesh68 import EYE_CORNERS, MESH_POINTS, landmarks_of
from .region import Pyramid, Region
from .search import Search
from .tflite import Model

MARGIN = 1.5  # side of the square that the mesh network wants, in sides of the face's box
SEEN = 0.6  # flag from which a detector's find counts as a face
LOST = 0.5  # flag below which a followed face counts as lost
SAME = 0.5  # part of the smaller of two boxes that the other covers, from which they are one face


class MeshAnalyser(FaceAnalyser):
    """Finds faces of any size with two detectors and puts the mesh on each."""

    name = "mesh"

    def __init__(self, short: Detector, full: Detector, mesh: Model) -> None:
        self._search = Search(short, full)
        self._mesh = mesh

    @classmethod
    def open(cls, root: Path, threads: int = 1) -> MeshAnalyser:
        """Load the three networks from the checkpoint folder.

        Args:
            threads: CPU threads within one network.

        Raises:
            DependencyError: if ai-edge-litert is not installed.
            WeightsError: if a file is not there or damaged.
        """
        names = ("face_mesh_detector", "face_mesh_detector_full", "face_mesh")
        short, full, mesh = (Model(load_catalogue()[name].path(root), threads) for name in names)
        return cls(Detector(short, SHORT_RANGE_GRIDS), Detector(full, FULL_RANGE_GRIDS), mesh)

    def faces(self, picture: Picture) -> list[Face]:
        check_picture(picture)
        pyramid = Pyramid(picture)
        for look in (self._search.crop, self._search.upright, self._search.unusual):
            if faces := self._confirmed(pyramid, look(pyramid)):
                return largest_first(faces)
        return []

    def follow(self, picture: Picture, previous: Sequence[Face]) -> list[Face | None]:
        check_picture(picture)
        pyramid = Pyramid(picture)
        return [self._next(pyramid, face) for face in previous]

    def _next(self, pyramid: Pyramid, face: Face) -> Face | None:
        if face.mesh is None:
            return None
        mesh, flag = self._look(pyramid, region_of(face.mesh))
        return face_of(mesh, flag) if flag >= LOST else None

    def _confirmed(self, pyramid: Pyramid, candidates: Sequence[Detection]) -> list[Face]:
        """The candidates, best first, in which the mesh sees a face, each face once."""
        faces: list[Face] = []
        for found in candidates:
            if any(_same(found.box, face.box) for face in faces):
                continue
            mesh, flag = self._fit(pyramid, found.region)
            face = face_of(mesh, math.sqrt(found.score * flag))
            if flag >= SEEN and not any(_same(face.box, other.box) for other in faces):
                faces.append(face)
        return faces

    def _fit(self, pyramid: Pyramid, region: Region) -> tuple[NDArray[np.float32], float]:
        """The mesh in a detector's square: once to find it, once more from its own points as in a video."""
        mesh, flag = self._look(pyramid, Region(region.x, region.y, region.side * MARGIN, region.angle))
        again, second = self._look(pyramid, region_of(mesh))
        return again, min(flag, second)

    def _look(self, pyramid: Pyramid, region: Region) -> tuple[NDArray[np.float32], float]:
        """The mesh in a square, (468, 3) in pixels of the picture, and the flag from 0 to 1."""
        side = self._mesh.side
        points, flag = self._mesh(pyramid.cut(region, side, "edge").astype(np.float32) / np.float32(255))
        unit = points.reshape(MESH_POINTS, 3) / side
        mesh = np.column_stack([region.points_from(unit[:, :2]), unit[:, 2] * region.side])
        return mesh.astype(np.float32), float(1 / (1 + np.exp(-flag.item())))


def region_of(mesh: NDArray[np.floating]) -> Region:
    """The square that the mesh network wants around a face whose mesh is known."""
    left, right = mesh[EYE_CORNERS[0], :2], mesh[EYE_CORNERS[1], :2]
    angle = float(np.arctan2(right[1] - left[1], right[0] - left[0]))
    cos, sin = np.cos(angle), np.sin(angle)
    level = mesh[:, :2].astype(np.float64) @ np.array([[cos, -sin], [sin, cos]])
    low, high = level.min(0), level.max(0)
    x, y = (low + high) / 2 @ np.array([[cos, sin], [-sin, cos]])
    return Region(float(x), float(y), float((high - low).max()) * MARGIN, angle)


def face_of(mesh: NDArray[np.float32], score: float) -> Face:
    """The face whose mesh is known."""
    return Face(Box.around(mesh), score, landmarks_of(mesh), mesh, MeshAnalyser.name)


def _same(box: Box, other: Box) -> bool:
    """Whether two boxes are of one face: parts of a face lie within it, neighbours overlap little."""
    return box.overlap(other) > SAME * min(box.area, other.area)
