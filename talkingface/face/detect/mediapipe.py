"""The offline backend: MediaPipe's face detectors and face mesh (468 points), run by ai-edge-litert on the CPU.

The mesh network sees a square around the face, turned so that the eyes are level, and gives the points and a flag that
says whether it sees a face at all (Kartynnik et al. 2019, "Real-time Facial Surface Geometry from Monocular Video").
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from ...media.image import Picture, check_picture
from ...weights import load_catalogue
from ..face import Box, Face, Points, largest_first
from .analyser import FaceAnalyser
from .blazeface import FULL_RANGE_GRIDS, SHORT_RANGE_GRIDS, Detection, Detector
from .region import Pyramid, Region
from .report import Candidate, Evidence
from .search import SURE, SURE_IN_TILE, Search, by_score
from .tflite import Model

MESH_POINTS = 468
EYE_CORNERS = (33, 263)  # outer ones, the left in the picture first

_JAW = (162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389)
_BROWS = (71, 63, 105, 66, 107, 336, 296, 334, 293, 301)
_NOSE = (168, 197, 5, 4, 75, 97, 2, 326, 305)
_EYES = (33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380)
_MOUTH = (61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87)
MESH_68 = np.array((*_JAW, *_BROWS, *_NOSE, *_EYES, *_MOUTH))


def landmarks_of(mesh: NDArray[np.floating]) -> Points:
    """The 68 landmarks of a mesh.

    Args:
        mesh: (..., 468, 2 or 3).

    Returns:
        (..., 68, 2) float32.
    """
    return np.ascontiguousarray(mesh[..., MESH_68, :2], dtype=np.float32)


MARGIN = 1.5  # side of the square that the mesh network wants, in sides of the face's box
SEEN = 0.95  # flag from which a find counts: faces give 0.999 and more, what only looks like one up to 0.84
LOST = 0.5  # flag below which a followed face counts as lost
SAME = 0.5  # part of the smaller of two boxes that the other covers, from which they are one face
LOOKS = 4  # at most, until a found face's square rests
RESTS = 0.01  # of the square's side: a move below it
WEIGHED, MOST_WEIGHED = 0.1, 20  # score from which a place is worth reporting, and how many of them
MOST_THREADS = 8  # of the default


class MeshAnalyser(FaceAnalyser):
    """Finds faces of any size with two detectors and puts the mesh on each. Any number of threads may use it."""

    name = "mesh"

    def __init__(self, networks: Sequence[Networks]) -> None:
        """Args: networks: one set for each picture that is looked at at once."""
        self._threads = len(networks)
        self._idle: SimpleQueue[Networks] = SimpleQueue()
        for one in networks:
            self._idle.put(one)

    @classmethod
    def open(cls, root: Path, threads: int | None = None) -> MeshAnalyser:
        """Load the networks from the checkpoint folder.

        Args:
            threads: pictures that `faces_of` looks at at once, each on one CPU core; None takes all cores, up to 8.

        Raises:
            DependencyError: if ai-edge-litert is not installed.
            WeightsError: if a file is not there or damaged.
        """
        threads = threads or min(os.cpu_count() or 1, MOST_THREADS)
        return cls([Networks.open(root) for _ in range(threads)])

    def faces(self, picture: Picture) -> list[Face]:
        check_picture(picture)
        with self._borrowed() as networks:
            return networks.faces(Pyramid(picture))

    def faces_of(self, pictures: Sequence[Picture]) -> list[list[Face]]:
        if self._threads == 1 or len(pictures) < 2:
            return super().faces_of(pictures)
        with ThreadPoolExecutor(self._threads) as pool:
            return list(pool.map(self.faces, pictures))

    def follow(self, picture: Picture, previous: Sequence[Face]) -> list[Face | None]:
        check_picture(picture)
        pyramid = Pyramid(picture)
        with self._borrowed() as networks:
            return [networks.next(pyramid, face) for face in previous]

    def evidence(self, picture: Picture) -> Evidence:
        check_picture(picture)
        with self._borrowed() as networks:
            return networks.evidence(Pyramid(picture))

    @contextmanager
    def _borrowed(self) -> Iterator[Networks]:
        networks = self._idle.get()
        try:
            yield networks
        finally:
            self._idle.put(networks)


@dataclass(frozen=True)
class Networks:
    """The three networks, for one thread at a time.

    Attributes:
        search: the two detectors.
        mesh: the face mesh.
    """

    search: Search
    mesh: Model

    @classmethod
    def open(cls, root: Path) -> Networks:
        """Load them from the checkpoint folder; errors as `Model`."""
        names = ("face_mesh_detector", "face_mesh_detector_full", "face_mesh")
        near, far, mesh = (Model(load_catalogue()[name].path(root)) for name in names)
        return cls(Search(Detector(near, SHORT_RANGE_GRIDS), Detector(far, FULL_RANGE_GRIDS)), mesh)

    def faces(self, pyramid: Pyramid) -> list[Face]:
        """All faces, the largest first."""
        for look in (self.search.crop, self.search.upright, self.search.unusual):
            if faces := self._confirmed(pyramid, look(pyramid)):
                return largest_first(faces)
        return []

    def evidence(self, pyramid: Pyramid) -> Evidence:
        """Where the detectors look, and the best of what they weigh with what the mesh says to it."""
        looks = self.search.everywhere(pyramid, WEIGHED)
        found: list[Detection] = []
        for one in by_score(one for _, detections in looks for one in detections):
            if len(found) < MOST_WEIGHED and not any(_same(one.box, other.box) for other in found):
                found.append(one)
        views = (Region(view.x, view.y, view.side).box for view, _ in looks)
        return Evidence(MeshAnalyser.name, tuple(dict.fromkeys(views)), tuple(self._weighed(pyramid, found)))

    def _weighed(self, pyramid: Pyramid, found: Sequence[Detection]) -> Iterator[Candidate]:
        for one in found:
            _, flag = self._fit(pyramid, one.region)
            if one.score < SURE:
                yield Candidate(one.box, one.score, f"the detector wants {SURE:.2f}")
            elif flag < SEEN:
                yield Candidate(one.box, one.score, f"the mesh sees {flag:.2f} of a face and wants {SEEN}")
            elif one.score < SURE_IN_TILE:
                yield Candidate(one.box, one.score, f"a part of the picture wants {SURE_IN_TILE:.2f}")
            else:
                yield Candidate(one.box, one.score)

    def next(self, pyramid: Pyramid, face: Face) -> Face | None:
        """The face in the next picture of a video; None where it is lost, or was never seen by the mesh."""
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
        """The mesh in a detector's square, looked for again in its own square until that rests, as in a video.

        Returns:
            The mesh, and the lowest flag on the way.
        """
        region = Region(region.x, region.y, region.side * MARGIN, region.angle)
        lowest = 1.0
        for _ in range(LOOKS):
            mesh, flag = self._look(pyramid, region)
            lowest = min(lowest, flag)
            following = region_of(mesh)
            if lowest < SEEN or following.moved_from(region) < RESTS:
                break
            region = following
        return mesh, lowest

    def _look(self, pyramid: Pyramid, region: Region) -> tuple[NDArray[np.float32], float]:
        """The mesh in a square, (468, 3) in pixels of the picture, and the flag from 0 to 1."""
        side = self.mesh.side
        points, flag = self.mesh(pyramid.cut(region, side, "edge").astype(np.float32) / np.float32(255))
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
