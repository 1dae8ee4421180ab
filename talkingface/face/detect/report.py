"""What a face analyser looked at in a picture, for errors and debug pictures: its views, and what it weighed there."""

from __future__ import annotations

from dataclasses import dataclass

from ..face import Box


@dataclass(frozen=True)
class Candidate:
    """A place that was weighed.

    Attributes:
        box: in pixels.
        score: from 0 to 1.
        reason: why it does not count; empty if it does.
    """

    box: Box
    score: float
    reason: str = ""


@dataclass(frozen=True)
class Evidence:
    """What was looked at.

    Attributes:
        backend: name of the analyser.
        views: parts of the picture that were searched.
        candidates: places that were weighed, the best first.
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
