"""Coefficients that were found in a video once, kept for the next run with the same video.

Each is a motion file (``talkingface.motion.file``) whose notes say where the face was. It is named by a digest of the
video's bytes and of everything else that decides the numbers, so that nothing in it can be out of date.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MotionError
from ..face.crop.crop import Crop
from ..face.face import Box, Face
from ..media.ffmpeg import executable
from ..media.pictures import picture_files
from ..motion.file import SUFFIX, load_motion_file, save_motion
from ..paths import PACKAGE
from ..types import Motion
from ..weights.download.http import sha256_of
from .drivers.base import DrivingMotion
from .motions import ROWS

LARGEST = 256 * 2**20  # bytes of all files; those that were used longest ago make room
SOURCES = ("face", "face3d", "media", "motion", "nn", "pipelines")  # packages whose code decides the numbers
_VIDEO = "{video}"  # stands in notes for the path of the video, which may be another one next time
_POINTS = ("landmarks", "mesh", "five")


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
    facts = dict(kept.extra)
    if facts.pop("checksum", None) != _checksum(kept.motion, facts):
        raise MotionError("is damaged", where=path)
    os.utime(path)
    notes = (f"{video}{note.removeprefix(_VIDEO)}" if note.startswith(_VIDEO) else note for note in facts["notes"])
    crop = Crop(np.array(facts["crop"]), (facts["size"][0], facts["size"][1]), facts["outside"])
    return DrivingMotion(video, kept.motion, tuple(notes), crop=crop, face=_face(facts["face"]), start=facts["start"])


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


def _face(facts: Mapping[str, Any]) -> Face:
    landmarks, mesh, five = (None if facts[name] is None else np.array(facts[name], np.float32) for name in _POINTS)
    box: Sequence[float] = facts["box"]
    return Face(Box(*box), facts["score"], landmarks, mesh, facts["backend"], five)
