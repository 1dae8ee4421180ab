"""Coefficients that were found in a video once, kept for the next run with the same video.

Each is a motion file (``talkingface.motion.file``) whose notes say where the face was. It is named by a digest of the
video's bytes and of everything else that decides the numbers, so that nothing in it can be out of date.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ...errors import MotionError, ShapeError
from ...face.crop.crop import Crop
from ...face.face import Box, Face
from ...media.ffmpeg import executable
from ...media.pictures import picture_files
from ...motion.file import SUFFIX, load_motion_file, save_motion
from ...paths import PACKAGE
from ...types import Motion
from ...weights.download.http import sha256_of
from ..drivers.base import DrivingMotion
from ..motions import ROWS

LARGEST = 256 * 2**20  # bytes of all files; those that were used longest ago make room
SOURCES = ("face", "face3d", "media", "motion", "nn", "pipelines")  # packages whose code decides the numbers
_VIDEO = "{video}"  # stands in notes for the path of the video, which may be another one next time
_POINTS = ("landmarks", "mesh", "five")


Point = Annotated[list[float], Field(min_length=2, max_length=3)]
Points = Annotated[list[Point], Field(min_length=1, max_length=1000)]
Row = tuple[float, float, float]
Side = Annotated[int, Field(ge=1, le=1 << 14)]


class _Checked(BaseModel):
    """Base of what is read from a file: finite numbers, and nothing more than is known."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class _FaceFacts(_Checked):
    """A face as it is kept."""

    box: tuple[float, float, float, float]
    score: float
    backend: str
    landmarks: Points | None
    mesh: Points | None
    five: Points | None

    @model_validator(mode="after")
    def _check_points(self) -> _FaceFacts:
        for name in _POINTS:
            points = getattr(self, name) or []
            if len({len(point) for point in points}) > 1:
                raise ValueError(f"{name} of different kinds")
        return self

    def face(self) -> Face:
        """The face itself; a float32 is as it was when it was kept."""
        landmarks, mesh, five = (
            None if points is None else np.array(points, np.float32)
            for points in (self.landmarks, self.mesh, self.five)
        )
        return Face(Box(*self.box), self.score, landmarks, mesh, self.backend, five)


class _Facts(_Checked):
    """Notes of a file: where the face was, and what was said about it."""

    crop: tuple[Row, Row, Row]
    size: tuple[Side, Side]
    outside: float
    start: int = Field(ge=0)
    face: _FaceFacts
    notes: list[str]


def default_folder() -> Path:
    """Folder of the files: ``$XDG_CACHE_HOME/talkingface/coefficients``; all of it may be deleted at any time."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "talkingface" / "coefficients"


def place(video: Path, facts: Mapping[str, Any], folder: Path | None = None) -> Path:
    """File for a video that is read in some way.

    Args:
        video: file or folder of frames; read once, piece by piece.
        facts: what decides the numbers beside video and program; JSON can say it.
        folder: None takes the usual one.

    Raises:
        MediaError: the folder of frames is empty.
        OSError: the video cannot be read.
    """
    program = [_sources(), *_decoder()]
    files = [(file.suffix.lower(), sha256_of(file)) for file in picture_files(video)]
    text = json.dumps([video.is_dir(), files, program, facts], sort_keys=True)
    return (folder or default_folder()) / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}{SUFFIX}"


def load(path: Path, video: Path) -> DrivingMotion | None:
    """Load what is kept in a file; None where there is none.

    Args:
        path: as `place` says.
        video: for the notes.

    Raises:
        MotionError: the file is damaged.
    """
    if not path.is_file():
        return None
    kept = load_motion_file(path)
    raw = dict(kept.extra)
    rows = kept.motion.values.get(ROWS)
    if rows is None or raw.pop("checksum", None) != _checksum(kept.motion, raw):
        raise MotionError("is damaged", where=path)
    try:
        facts = _Facts.model_validate(raw)
        face = facts.face.face()
        crop = Crop(np.array(facts.crop), facts.size, facts.outside)
    except (ValidationError, ShapeError) as error:
        raise MotionError("is damaged", where=path) from error
    os.utime(path)
    notes = (f"{video}{note.removeprefix(_VIDEO)}" if note.startswith(_VIDEO) else note for note in facts.notes)
    return DrivingMotion(video, kept.motion, tuple(notes), crop=crop, face=face, start=facts.start)


def keep(path: Path, video: Path, driving: DrivingMotion, largest: int = LARGEST) -> None:
    """Write a file, which is complete or not there at all; what was used longest ago goes where all are too large.

    Args:
        path: as `place` says.
        video: named in the notes.
        largest: bytes of all files of the folder.

    Raises:
        MotionError, OSError: it cannot be written.
    """
    crop, face, name = driving.crop, driving.face, str(video)
    if crop is None or face is None:
        return
    facts: dict[str, Any] = {
        "crop": crop.matrix.tolist(),
        "size": list(crop.size),
        "outside": float(crop.outside),
        "start": driving.start,
        "face": _plain(face),
        "notes": [f"{_VIDEO}{note.removeprefix(name)}" if note.startswith(name) else note for note in driving.notes],
    }
    save_motion(path, driving.motion, {**facts, "checksum": _checksum(driving.motion, facts)})
    prune(path.parent, largest)


def prune(folder: Path, largest: int) -> None:
    """Delete the files that were used longest ago until the others take ``largest`` bytes at most."""
    found = sorted(_stats(folder), key=lambda entry: entry[1].st_mtime_ns, reverse=True)
    total = 0
    for path, stat in found:
        total += stat.st_size
        if total > largest:
            path.unlink(missing_ok=True)


def _stats(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for path in folder.iterdir():
        try:
            yield path, path.stat()
        except FileNotFoundError:  # another run has just deleted it
            continue


@lru_cache(maxsize=1)
def _sources() -> str:
    """Digest of the code that decides the numbers, so that no change of it can be forgotten."""
    found = hashlib.sha256()
    for file in sorted(file for name in SOURCES for file in (PACKAGE / name).rglob("*.py")):
        found.update(f"{file.relative_to(PACKAGE).as_posix()}\n".encode())
        found.update(file.read_bytes())
    return found.hexdigest()


def _decoder() -> tuple[int, int]:
    """Tells one ffmpeg from another without running it."""
    stat = Path(executable()).stat()
    return stat.st_size, stat.st_mtime_ns


def _checksum(motion: Motion, facts: Mapping[str, Any]) -> str:
    header = json.dumps([motion.kind, motion.space, str(motion.fps), dict(facts)], sort_keys=True)
    found = hashlib.sha256(header.encode())
    found.update(motion.values[ROWS].numpy().tobytes())
    return found.hexdigest()


def _plain(face: Face) -> dict[str, Any]:
    """A face for JSON; a float32 comes back as it was."""
    edges = [face.box.left, face.box.top, face.box.right, face.box.bottom]
    points: dict[str, NDArray[np.float32] | None] = {name: getattr(face, name) for name in _POINTS}
    points_by_name = {name: None if value is None else value.tolist() for name, value in points.items()}
    return {"box": edges, "score": face.score, "backend": face.backend, **points_by_name}
