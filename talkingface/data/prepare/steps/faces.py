"""Step ``landmarks``: 68 points, and the face mesh if it is needed, in every frame of a clip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ....errors import DataError, FaceError, NoFaceError
from ....face.face import Box, Face
from ....face.track.track import Track, TrackSettings, track_faces
from ....media.video import open_video
from ....paths import inside
from ..items import ClipFile
from ..step import Step, StepResult, TemporaryError
from ..tools import PrepareTools
from .arrays import ROW, read_landmarks, write_coefficients, write_landmarks


@dataclass(frozen=True)
class ExtractLandmarks(Step[ClipFile]):
    """Tracks the main face of a clip.

    Attributes:
        landmarks: output folder, with subfolders ``train`` and ``test``.
        tools: the landmark backend.
        min_found: smallest share of frames in which the face must be detected, 0 to 1.
        keep_mesh: store the 468 points too (5.6 kB a frame), from which coefficients of the mesh space are made.
        format: ``".npz"``, or ``".txt"`` with the points alone, as PIRenderer has them.
    """

    landmarks: Path
    tools: PrepareTools
    min_found: float = 0.8
    keep_mesh: bool = True
    format: Literal[".npz", ".txt"] = ".npz"

    name = "landmarks"

    def folder(self) -> Path:
        return self.landmarks

    def inputs(self, item: ClipFile) -> list[Path]:
        return [item.path]

    def outcome_settings(self) -> dict[str, Any]:
        return {
            "backend": self.tools.landmarks,
            "min_found": self.min_found,
            "keep_mesh": self.keep_mesh,
            "format": self.format,
        }

    def check(self) -> None:
        """Open the landmark backend, to raise its errors before the first item."""
        self.tools.analyser()

    def target(self, item: ClipFile) -> Path:
        """Landmark file of a clip."""
        return inside(self.landmarks, item.split, f"{item.name}{self.format}")

    def perform(self, item: ClipFile) -> StepResult:
        with open_video(item.path, fps=None if item.path.is_file() else Fraction(25)) as reader:
            settings = TrackSettings(split_scenes=False, keep_mesh=self.keep_mesh)
            frames = _Counter(reader)
            track = main_track(track_faces(frames, self.tools.analyser(), settings))
        count = frames.number
        if track is None or track.landmarks is None:
            raise NoFaceError(f"no face in {count} frames", where=item.path)
        share = float((track.scores > 0).sum()) / count
        if share < self.min_found:
            cure = f"--min_found={int(100 * share) / 100} takes it."
            raise FaceError(f"the face is seen in only {100 * share:.0f} % of the frames", where=item.path, cure=cure)
        # Before the first and after the last detection, the points of that detection are repeated.
        index = np.clip(np.arange(count) - track.start, 0, len(track) - 1)
        arrays = {"landmarks": track.landmarks[index], "boxes": track.boxes[index], "scores": track.scores[index]}
        if track.mesh is not None:
            arrays["mesh"] = track.mesh[index]
        arrays["backend"] = np.array(track.backend)
        target = self.target(item)
        write_landmarks(target, arrays)
        return StepResult([target], {"frames": count, "found": round(share, 4), "backend": track.backend})


def main_track(tracks: Sequence[Track]) -> Track | None:
    """Track of the main face of a clip: the one that covers the largest area, summed over its frames."""

    def covered(track: Track) -> float:
        sides = track.boxes[:, 2:] - track.boxes[:, :2]
        return float((sides[:, 0] * sides[:, 1]).sum())

    return max(tracks, key=covered, default=None)


class _Counter:
    """Iterable that counts the items taken from it.

    Attributes:
        number: items so far.
    """

    def __init__(self, items: Any) -> None:
        self._items = items
        self.number = 0

    def __iter__(self) -> Any:
        for item in self._items:
            self.number += 1
            yield item


@dataclass(frozen=True)
class ExtractCoefficients(Step[ClipFile]):
    """Reconstructs the face of a clip from its frames and landmarks.

    Attributes:
        landmarks: folder with the landmark file of each clip, as the step ``landmarks`` writes it.
        coefficients: output folder, with subfolders ``train`` and ``test``.
        tools: the reconstructor.
        batch: number of frames that are read and reconstructed at a time.
        format: ``".npz"``, or ``".mat"`` as in the published extraction.
        points: ending of the landmark files.
    """

    landmarks: Path
    coefficients: Path
    tools: PrepareTools
    batch: int = 100
    format: Literal[".npz", ".mat"] = ".npz"
    points: str = ".npz"

    name = "coefficients"

    def folder(self) -> Path:
        return self.coefficients

    def inputs(self, item: ClipFile) -> list[Path]:
        return [item.path, self.source(item)]

    def outcome_settings(self) -> dict[str, Any]:
        return {"space": self.tools.space, "format": self.format}

    def check(self) -> None:
        """Open the reconstructor, to raise its errors before the first item."""
        self.tools.reconstructor()

    def source(self, item: ClipFile) -> Path:
        """Landmark file of a clip; a temporary failure if it does not exist."""
        path = inside(self.landmarks, item.split, f"{item.name}{self.points}")
        if not path.is_file():
            raise TemporaryError("the clip has no landmarks", where=path, cure="Extract them first.")
        return path

    def target(self, item: ClipFile) -> Path:
        """Coefficient file of a clip."""
        return inside(self.coefficients, item.split, f"{item.name}{self.format}")

    def perform(self, item: ClipFile) -> StepResult:
        faces = faces_of(read_landmarks(self.source(item)))
        parts: list[NDArray[np.float32]] = []
        with open_video(item.path, fps=None if item.path.is_file() else Fraction(25)) as reader:
            reconstructor = self.tools.reconstructor().for_clip(faces, reader.height)
            frames = iter(reader)
            while pictures := list(islice(frames, self.batch)):
                done = sum(len(part) for part in parts)
                if done + len(pictures) > len(faces):
                    raise DataError(f"the clip has more frames than its {len(faces)} landmarks", where=item.path)
                parts.append(reconstructor.rows(pictures, faces[done : done + len(pictures)]))
        rows = np.concatenate(parts).astype(np.float32)
        self._check(rows, len(faces), item)
        target = self.target(item)
        write_coefficients(target, rows, reconstructor.space)
        return StepResult([target], {"frames": len(rows), "space": reconstructor.space})

    def _check(self, rows: NDArray[np.float32], count: int, item: ClipFile) -> None:
        if rows.shape != (count, ROW):
            raise DataError(f"{len(rows)} frames, but {count} landmarks", where=item.path, cure="Extract them again.")
        if not np.isfinite(rows).all():
            raise DataError("some coefficients are no numbers", where=item.path)


def faces_of(arrays: dict[str, NDArray[Any]]) -> list[Face]:
    """Faces of all frames, from the arrays of a landmark file.

    Args:
        arrays: ``landmarks`` (T, 68, 2) in pixels, and where present ``boxes`` (T, 4), ``scores`` (T,), ``mesh``
            (T, 468, 3) and ``backend``.
    """
    return list(_faces(arrays))


def _faces(arrays: dict[str, NDArray[Any]]) -> Iterator[Face]:
    backend = str(arrays["backend"]) if "backend" in arrays else "given"
    for index, points in enumerate(arrays["landmarks"].astype(np.float32)):
        box = Box(*map(float, arrays["boxes"][index])) if "boxes" in arrays else Box.around(points)
        score = float(arrays["scores"][index]) if "scores" in arrays else 1.0
        mesh = arrays["mesh"][index].astype(np.float32) if "mesh" in arrays else None
        yield Face(box, score, points, mesh, backend)
