"""Step ``landmarks``: 68 points, and the face mesh if it is needed, in every frame of a clip."""

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
from ..items import ClipFile
from ..step import Step, StepResult
from ..tools import PrepareTools
from .arrays import write_landmarks


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
        return self.landmarks / item.split / f"{item.name}{self.format}"

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
