"""Report of a search for faces in a picture, for errors and debug pictures: views and candidates."""

from __future__ import annotations

from dataclasses import dataclass

from ..face import Box


@dataclass(frozen=True)
class Candidate:
    """A place where a face may be.

    Attributes:
        box: in pixels.
        score: from 0 to 1.
        reason: of its rejection; empty if it counts as a face.
    """

    box: Box
    score: float
    reason: str = ""


@dataclass(frozen=True)
class DetectionReport:
    """Views of a picture that a backend searched, and its candidates.

    Attributes:
        backend: name of the analyser.
        views: parts of the picture that were searched.
        candidates: the best first.
    """

    backend: str
    views: tuple[Box, ...]
    candidates: tuple[Candidate, ...]

    def __str__(self) -> str:
        parts = f"{len(self.views)} part{'s' if len(self.views) != 1 else ''} of the picture"
        if not self.candidates:
            return f"{parts} searched by '{self.backend}', nothing like a face in them"
        best = self.candidates[0]
        why = f": {best.reason}" if best.reason else ""
        return f"{parts} searched by '{self.backend}', best score {best.score:.2f}{why}"
