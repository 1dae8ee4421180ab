"""Step ``landmarks``: 68 points (and where wanted the face mesh) in every frame of a clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ....errors import FaceError, NoFaceError
from ....face.track.track import Track, TrackSettings, track_faces
from ....media.video import open_video
from ..items import Clip
from ..step import Made, Step
from ..tools import Tools
from .arrays import write_landmarks


@dataclass(frozen=True)
class ExtractLandmarks(Step[Clip]):
    """Follows the main face of a clip.

    Attributes:
        landmarks: folder; the files go to its subfolders ``train`` and ``test``.
        tools: the landmark backend.
        min_found: a clip with the face in a smaller part of its frames fails.
        keep_mesh: store the 468 points too (5.6 kB a frame), from which coefficients of the mesh space are made.
        format: ``".npz"``, or ``".txt"`` with the points alone, as PIRenderer has them.
    """

    landmarks: Path
    tools: Tools
    min_found: float = 0.8
    keep_mesh: bool = True
    format: Literal[".npz", ".txt"] = ".npz"

    name = "landmarks"

    def inputs(self, item: Clip) -> list[Path]:
        return [item.path]

    def shaping(self) -> dict[str, Any]:
        return {
            "backend": self.tools.landmarks,
            "min_found": self.min_found,
            "keep_mesh": self.keep_mesh,
            "format": self.format,
        }

    def check(self) -> None:
        """Raise the error of a landmark backend that cannot be opened."""
        self.tools.analyser()

    def target(self, item: Clip) -> Path:
        """Where the points of a clip go."""
        return self.landmarks / item.split / f"{item.name}{self.format}"

    def perform(self, item: Clip) -> Made:
        with open_video(item.path, fps=None if item.path.is_file() else Fraction(25)) as reader:
            settings = TrackSettings(split_scenes=False, keep_mesh=self.keep_mesh)
            count = _Counted(reader)
            track = main_track(track_faces(count, self.tools.analyser(), settings))
        if track is None or track.landmarks is None:
            raise NoFaceError(f"no face in {count.number} frames", where=item.path)
        found = float((track.scores > 0).sum()) / count.number
        if found < self.min_found:
            cure = f"--min_found={int(100 * found) / 100} takes it."
            raise FaceError(f"the face is seen in only {100 * found:.0f} % of the frames", where=item.path, cure=cure)
        # Before it was first seen and after it was last seen, the face stays where it was.
        index = np.clip(np.arange(count.number) - track.start, 0, len(track) - 1)
        arrays = {"landmarks": track.landmarks[index], "boxes": track.boxes[index], "scores": track.scores[index]}
        if track.mesh is not None:
            arrays["mesh"] = track.mesh[index]
        arrays["backend"] = np.array(track.backend)
        target = self.target(item)
        write_landmarks(target, arrays)
        return Made([target], {"frames": count.number, "found": round(found, 4), "backend": track.backend})


def main_track(tracks: Sequence[Track]) -> Track | None:
    """The face that a clip is about: the one that covers most, over space and time."""

    def covered(track: Track) -> float:
        sides = track.boxes[:, 2:] - track.boxes[:, :2]
        return float((sides[:, 0] * sides[:, 1]).sum())

    return max(tracks, key=covered, default=None)


class _Counted:
    """An iterable that counts what was taken from it.

    Attributes:
        number: how many so far.
    """

    def __init__(self, things: Any) -> None:
        self._things = things
        self.number = 0

    def __iter__(self) -> Any:
        for thing in self._things:
            self.number += 1
            yield thing
