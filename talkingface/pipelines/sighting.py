"""What was seen in a driver: its motion, and where the face was."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..face.crop.crop import Crop
from ..face.face import Face
from ..face.track.track import Track
from ..types import Motion
from .motions import of_coefficients

SEEN = 0.9  # of the frames: a face that is tracked in fewer is worth a note


@dataclass(frozen=True, eq=False)
class Sighting:
    """What was seen in a video, or read from a motion file.

    Attributes:
        motion: one entry per frame.
        notes: what the user should know about the video.
        crop: the part of the frames that was looked at; None for a motion file, which has none.
        face: the first that is tracked, in pixels of the full frame; None where there is none, or no frames.
        start: number of the frame in which it is.
        track: the face in the full frames; None also where nobody will look at it.
    """

    motion: Motion
    notes: tuple[str, ...] = ()
    crop: Crop | None = None
    face: Face | None = None
    start: int = 0
    track: Track | None = None


def sighted(
    path: Path, motion: Motion, crop: Crop, track: Track | None, told: list[str], warnings: tuple[str, ...]
) -> Sighting:
    """What was seen in a video, with a note where its face is missing from more than a tenth of the frames.

    Args:
        track: of the face, if there is one.
        told: what finding the face told.
        warnings: about the video.
    """
    if track is None:
        return Sighting(motion, (*told, *warnings), crop)
    missing = unseen(path, track, len(motion), held=of_coefficients(motion.kind))
    return Sighting(motion, (*told, *missing, *warnings), crop, track.face(0), track.start, track)


def unseen(path: Path, track: Track, length: int, *, held: bool) -> tuple[str, ...]:
    """A note where the face is missing from more than a tenth of the frames.

    Args:
        held: whether its last place is held there; otherwise something else drives.
    """
    if len(track) >= SEEN * length:
        return ()
    seen = f"frames {track.start} to {track.frames[-1]} of {length}"
    elsewhere = "elsewhere its nearest pose is held" if held else "what drives elsewhere is no face"
    return (f"{path}: the face is seen in {seen}; {elsewhere} (--frame_limit ends earlier)",)
