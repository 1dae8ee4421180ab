"""The coefficients of a video: those kept from an earlier run, else found in its frames and kept."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import MediaError, MotionError
from . import coefficient_cache
from .coefficients import LOOKED_AT, CoefficientReader
from .finder import Finder
from .progress import SILENT, Progress
from .sighting import Sighting, sighted

if TYPE_CHECKING:
    from ..config.schema import Settings

_PACKAGES = ("torch", "numpy", "pillow")


def extract(
    reader: CoefficientReader,
    finder: Finder,
    path: Path,
    settings: Settings,
    progress: Progress = SILENT,
    *,
    fps: Fraction | None = None,
    limit: int | None = None,
) -> Sighting:
    """The coefficients of a video, of kind ``"3dmm.73"``, on the CPU.

    With ``--face3dvis`` they are always found anew, because the whole track of the face is drawn.

    Args:
        path: video, gif, folder of frames or picture.
        settings: whether to find them anew.
        fps: the rate wanted; None is the file's own.
        limit: frames at most.

    Raises:
        FaceError: no face, or too little of it can be seen.
        MediaError: it cannot be read.
    """
    try:
        kept = coefficient_cache.place(path, _ways(reader, finder, fps, limit))
    except OSError as error:
        raise MediaError(f"cannot be read: {error.strerror or error}", where=path) from error
    complaints: list[str] = []
    if not (settings.if_extract or settings.face3dvis):
        found = _kept(kept, path, complaints)
        if found is not None:
            progress.note(f"{path}: coefficients as found in an earlier run (--if_extract finds them anew)")
            return found
    found = find(reader, finder, path, progress, fps=fps, limit=limit)
    try:
        coefficient_cache.keep(kept, path, found)
    except (MotionError, OSError) as error:
        complaints.append(f"the coefficients of {path} could not be kept for the next run: {error}")
    # A track with its meshes is large, and wanted for the drawn face alone.
    return replace(found, notes=(*found.notes, *complaints), track=found.track if settings.face3dvis else None)


def find(
    reader: CoefficientReader,
    finder: Finder,
    path: Path,
    progress: Progress = SILENT,
    *,
    fps: Fraction | None = None,
    limit: int | None = None,
) -> Sighting:
    """As :func:`extract`, but always from the frames."""
    told: list[str] = []
    sight = finder.driving(path, LOOKED_AT, told.append, fps=fps, limit=limit, progress=progress)
    assert sight.track is not None  # noqa: S101 (a finder for coefficients gives one, or raises)
    read = reader.of_video(path, sight.crop, sight.track, fps=fps, frame_limit=limit, progress=progress)
    return sighted(path, read.motion(reader.space), sight.crop, sight.track, told, read.warnings)


def _kept(kept: Path, path: Path, complaints: list[str]) -> Sighting | None:
    try:
        return coefficient_cache.load(kept, path)
    except (MotionError, OSError) as error:
        complaints.append(f"kept coefficients cannot be used, they are found anew: {error}")
        return None


def _ways(reader: CoefficientReader, finder: Finder, fps: Fraction | None, limit: int | None) -> dict[str, Any]:
    """What decides the numbers beside the video and this program."""
    clock = {"fps": None if fps is None else str(fps), "limit": limit}
    packages = {name: version(name) for name in _PACKAGES}
    return {**finder.ways(), **clock, "reader": reader.fingerprint(), "packages": packages}
