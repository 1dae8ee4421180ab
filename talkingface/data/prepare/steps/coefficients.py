"""Step ``coefficients``: a row of 260 3DMM numbers for every frame of a clip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ....errors import DataError
from ....face.face import Box, Face
from ....media.video import open_video
from ..items import Clip
from ..step import Made, PassingError, Step
from ..tools import Tools
from .arrays import ROW, read_landmarks, write_coefficients


@dataclass(frozen=True)
class ExtractCoefficients(Step[Clip]):
    """Reconstructs the face of a clip from its frames and landmarks.

    Attributes:
        landmarks: folder with the points of each clip, as the step before leaves them.
        coefficients: folder; the files go to its subfolders ``train`` and ``test``.
        tools: the reconstructor.
        batch: frames that are read and reconstructed at a time.
        format: ``".npz"``, or ``".mat"`` as the published extraction.
        points: ending of the landmark files.
    """

    landmarks: Path
    coefficients: Path
    tools: Tools
    batch: int = 100
    format: Literal[".npz", ".mat"] = ".npz"
    points: str = ".npz"

    name = "coefficients"

    def inputs(self, item: Clip) -> list[Path]:
        return [item.path, self.source(item)]

    def shaping(self) -> dict[str, Any]:
        return {"space": self.tools.space, "format": self.format}

    def check(self) -> None:
        """Raise the error of a reconstructor that cannot be opened."""
        self.tools.reconstructor()

    def source(self, item: Clip) -> Path:
        """The points of a clip."""
        path = self.landmarks / item.split / f"{item.name}{self.points}"
        if not path.is_file():
            raise PassingError("the clip has no landmarks", where=path, cure="Extract them first.")
        return path

    def target(self, item: Clip) -> Path:
        """Where the coefficients of a clip go."""
        return self.coefficients / item.split / f"{item.name}{self.format}"

    def perform(self, item: Clip) -> Made:
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
        return Made([target], {"frames": len(rows), "space": reconstructor.space})

    def _check(self, rows: NDArray[np.float32], count: int, item: Clip) -> None:
        if rows.shape != (count, ROW):
            raise DataError(f"{len(rows)} frames, but {count} landmarks", where=item.path, cure="Extract them again.")
        if not np.isfinite(rows).all():
            raise DataError("some coefficients are no numbers", where=item.path)


def faces_of(arrays: dict[str, NDArray[Any]]) -> list[Face]:
    """The face in each frame, from the arrays of a landmark file."""
    return list(_faces(arrays))


def _faces(arrays: dict[str, NDArray[Any]]) -> Iterator[Face]:
    backend = str(arrays["backend"]) if "backend" in arrays else "given"
    for index, points in enumerate(arrays["landmarks"].astype(np.float32)):
        box = Box(*map(float, arrays["boxes"][index])) if "boxes" in arrays else Box.around(points)
        score = float(arrays["scores"][index]) if "scores" in arrays else 1.0
        mesh = arrays["mesh"][index].astype(np.float32) if "mesh" in arrays else None
        yield Face(box, score, points, mesh, backend)
