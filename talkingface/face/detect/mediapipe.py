"""The offline backend: MediaPipe's face detectors and face mesh (468 points), run by ai-edge-litert on the CPU.

The mesh network takes a square around the face, turned so that the eyes are level, and gives the points and a flag for
the presence of a face (Kartynnik et al. 2019, "Real-time Facial Surface Geometry from Monocular Video").
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from ...media.image import Picture, check_picture
from ..face import Box, Face, Points, largest_first
from .analyser import FaceAnalyser
from .networks.blazeface import FULL_RANGE_GRIDS, SHORT_RANGE_GRIDS, Detection, Detector
from .networks.tflite import Model, Pyramid, Region
from .report import Candidate, DetectionReport
from .search import QUARTER, Search, by_score

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


MARGIN = 1.5  # side of the square that the mesh network needs, in sides of the face's box
LEAST_FLAG = 0.95  # flag from which a face counts: faces give 0.999 and more, things that resemble one up to 0.84
LOST = 0.5  # flag below which a followed face counts as lost
SAME = 0.5  # part of the smaller of two boxes that the other covers, from which they are one face
# A face that the user named, maybe not quite where it is: the squares in which it is tried, and the flag from which it
# is one. Dark, half covered and inverted faces that no detector sees give 0.2 to 0.9 in the best of them.
SCALES, SHIFT = (1.0, 1.2, 1.4), 0.08
LEAST_FLAG_NAMED = 0.2
NAMED_OVERLAP = 0.15  # IoU of the box that the user named with the mesh, from which it is the face that was meant
MAX_STEPS = 4  # until the square of a detected face no longer moves
CONVERGED = 0.01  # of the square's side: a smaller move counts as none
REPORTED_SCORE, MAX_REPORTED = 0.1, 20  # lowest score of a candidate in a report, and their largest number
MOST_THREADS = 8  # of the default


class MeshAnalyser(FaceAnalyser):
    """Detects faces of any size with two detectors and fits the mesh to each. Any number of threads may use it."""

    name = "mesh"

    def __init__(self, networks: Sequence[Networks]) -> None:
        """Args: networks: one set for each picture that is processed at once."""
        self._threads = len(networks)
        self._idle: SimpleQueue[Networks] = SimpleQueue()
        for item in networks:
            self._idle.put(item)

    @classmethod
    def open(cls, root: Path, threads: int | None = None) -> MeshAnalyser:
        """Load the networks from the checkpoint folder.

        Args:
            threads: pictures that `faces_of` processes at once, each on one CPU core; None takes all cores, up to 8.

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

    def face_in(self, picture: Picture, box: Box) -> Face | None:
        check_picture(picture)
        with self._borrowed() as networks:
            return networks.face_in(Pyramid(picture), box)

    def set_threshold(self, threshold: float) -> None:
        for _ in range(self._threads):
            self._idle.put(self._idle.get().with_limit(threshold))

    def report(self, picture: Picture) -> DetectionReport:
        check_picture(picture)
        with self._borrowed() as networks:
            return networks.report(Pyramid(picture))

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
        least_flag: flag from which a detected face counts.
        lost: flag below which a followed face counts as lost.
    """

    search: Search
    mesh: Model
    least_flag: float = LEAST_FLAG
    lost: float = LOST

    @classmethod
    def open(cls, root: Path) -> Networks:
        """Load them from the checkpoint folder; errors as `Model`."""
        names = ("face_mesh_detector", "face_mesh_detector_full", "face_mesh")
        near, far, mesh = (Model(name, root) for name in names)
        return cls(Search(Detector(near, SHORT_RANGE_GRIDS), Detector(far, FULL_RANGE_GRIDS)), mesh)

    def faces(self, pyramid: Pyramid) -> list[Face]:
        """All faces of a picture (H, W, 3), the largest first."""
        for detect in (self.search.crop, self.search.upright, self.search.unusual):
            if faces := self._confirmed(pyramid, detect(pyramid)):
                return largest_first(faces)
        return []

    def with_limit(self, threshold: float) -> Networks:
        """The same networks with one limit for scores and flags; a face is never lost above it."""
        return replace(
            self, search=self.search.with_limit(threshold), least_flag=threshold, lost=min(self.lost, threshold)
        )

    def face_in(self, pyramid: Pyramid, box: Box) -> Face | None:
        """The face that the mesh sees best in a box of a picture (H, W, 3), whatever its turn; None if it sees none."""
        best, wanted = None, min(LEAST_FLAG_NAMED, self.least_flag)
        for region in _squares_near(box):
            mesh, flag = self._fit(pyramid, region, wanted)
            if flag >= wanted and box.iou(Box.around(mesh)) >= NAMED_OVERLAP:
                best, wanted = face_of(mesh, flag), flag
            if best is not None and wanted >= LEAST_FLAG:
                break
        return best

    def report(self, pyramid: Pyramid) -> DetectionReport:
        """Views of a picture (H, W, 3) that are searched, and the best candidates with the verdict of the mesh."""
        searched = self.search.everywhere(pyramid, REPORTED_SCORE)
        best: list[Detection] = []
        for item in by_score(item for _, detections in searched for item in detections):
            if len(best) < MAX_REPORTED and not any(_same(item.box, other.box) for other in best):
                best.append(item)
        views = (Region(view.x, view.y, view.side).box for view, _ in searched)
        return DetectionReport(MeshAnalyser.name, tuple(dict.fromkeys(views)), tuple(self._candidates(pyramid, best)))

    def _candidates(self, pyramid: Pyramid, detections: Sequence[Detection]) -> Iterator[Candidate]:
        for item in detections:
            _, flag = self._fit(pyramid, item.region)
            if item.score < self.search.sure:
                yield Candidate(item.box, item.score, f"the detector wants {self.search.sure:.2f}")
            elif flag < self.least_flag:
                why = f"the mesh sees {flag:.2f} of a face and wants {self.least_flag:g}"
                yield Candidate(item.box, item.score, why)
            elif item.score < self.search.sure_in_tile:
                yield Candidate(item.box, item.score, f"a part of the picture wants {self.search.sure_in_tile:.2f}")
            else:
                yield Candidate(item.box, item.score)

    def next(self, pyramid: Pyramid, face: Face) -> Face | None:
        """The face in the next picture (H, W, 3) of a video; None where it is lost, or has no mesh."""
        if face.mesh is None:
            return None
        mesh, flag = self._mesh_in(pyramid, region_of(face.mesh))
        return face_of(mesh, flag) if flag >= self.lost else None

    def _confirmed(self, pyramid: Pyramid, candidates: Sequence[Detection]) -> list[Face]:
        """The candidates, best first, that the mesh confirms, each face once."""
        faces: list[Face] = []
        for detection in candidates:
            if any(_same(detection.box, face.box) for face in faces):
                continue
            mesh, flag = self._fit(pyramid, detection.region)
            face = face_of(mesh, math.sqrt(detection.score * flag))
            if flag >= self.least_flag and not any(_same(face.box, other.box) for other in faces):
                faces.append(face)
        return faces

    def _fit(self, pyramid: Pyramid, region: Region, wanted: float | None = None) -> tuple[NDArray[np.float32], float]:
        """Fit the mesh in a detector's square, then in its own square until that no longer moves, as in a video.

        Args:
            wanted: flag below which it gives up; None: `least_flag`.

        Returns:
            The mesh (468, 3), and the lowest flag on the way.
        """
        region = Region(region.x, region.y, region.side * MARGIN, region.angle)
        lowest, wanted = 1.0, self.least_flag if wanted is None else wanted
        for _ in range(MAX_STEPS):
            mesh, flag = self._mesh_in(pyramid, region)
            lowest = min(lowest, flag)
            following = region_of(mesh)
            if lowest < wanted or following.moved_from(region) < CONVERGED:
                break
            region = following
        return mesh, lowest

    def _mesh_in(self, pyramid: Pyramid, region: Region) -> tuple[NDArray[np.float32], float]:
        """The mesh in a square, (468, 3) in pixels of the picture, and the flag from 0 to 1."""
        side = self.mesh.side
        points, flag = self.mesh(pyramid.cut(region, side, "edge").astype(np.float32) / np.float32(255))
        unit = points.reshape(MESH_POINTS, 3) / side
        mesh = np.column_stack([region.points_from(unit[:, :2]), unit[:, 2] * region.side])
        return mesh.astype(np.float32), float(1 / (1 + np.exp(-flag.item())))


def _squares_near(box: Box) -> Iterator[Region]:
    """Squares about the size of a box and near its middle, the likeliest first."""
    (x, y), shift = box.center, SHIFT * box.side
    for scale in SCALES:
        for across, down in ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0)):
            yield Region(x + across * shift, y + down * shift, box.side * scale)
    for turn in (1, -1, 2):
        yield Region(x, y, box.side * SCALES[1], turn * QUARTER)


def region_of(mesh: NDArray[np.floating]) -> Region:
    """The square that the mesh network needs around a face with this mesh, (468, 3) in pixels."""
    left, right = mesh[EYE_CORNERS[0], :2], mesh[EYE_CORNERS[1], :2]
    angle = float(np.arctan2(right[1] - left[1], right[0] - left[0]))
    cos, sin = np.cos(angle), np.sin(angle)
    level = mesh[:, :2].astype(np.float64) @ np.array([[cos, -sin], [sin, cos]])
    low, high = level.min(0), level.max(0)
    x, y = (low + high) / 2 @ np.array([[cos, sin], [-sin, cos]])
    return Region(float(x), float(y), float((high - low).max()) * MARGIN, angle)


def face_of(mesh: NDArray[np.float32], score: float) -> Face:
    """The face of a mesh (468, 3), in pixels."""
    return Face(Box.around(mesh), score, landmarks_of(mesh), mesh, MeshAnalyser.name)


def _same(box: Box, other: Box) -> bool:
    """True if two boxes are of one face: parts of a face lie within it, neighbours overlap little."""
    return box.overlap(other) > SAME * min(box.area, other.area)
