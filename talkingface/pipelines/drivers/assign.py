"""Assignment of drivers to faces: what moves the source, and ``--drive`` for each face."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import ConfigError
from . import DRIVERS, DriverAssignment, driver_class
from .files import check_there, has_frames

if TYPE_CHECKING:
    from ...config.schema import Settings

_DRIVE = re.compile(r"(\d{1,4})=(.+)", re.DOTALL)


def assign_drivers(settings: Settings) -> tuple[DriverAssignment, ...]:
    """Assign drivers in the order of ``--drive``, then the driver of all other faces.

    Raises:
        ConfigError: nothing drives, or settings that contradict each other.
        MediaError: a file is missing.
    """
    assignments = [_of_drive(text) for text in settings.drive]
    faces = [assignment.face for assignment in assignments]
    twice = next((face for face in faces if faces.count(face) > 1), None)
    if twice is not None:
        raise ConfigError(f"face {twice} has two drivers", where="--drive", cure="Name each face once.")
    main = _of_other_faces(settings)
    if main is not None:
        assignments.append(main)
    if not assignments:
        what = "nothing to animate" if settings.image_source is None else f"nothing drives {settings.image_source}"
        need = "--image_source=PICTURE and " if settings.image_source is None else ""
        raise ConfigError(what, cure=f"Give {need}--video_source=VIDEO or --audio_path=SOUND.")
    _check_faces(settings, named_only=assignments[-1].face is not None)
    _check_references(settings, assignments)
    if settings.face3dvis and assignments[0].signal == "motion":
        where = str(assignments[0].driving)
        raise ConfigError("--face3dvis needs a driving video or a sound", where=where, cure="Leave it out.")
    return tuple(assignments)


def drives_by(settings: Settings) -> list[str]:
    """Names of the settings that ask for a driver and are given."""
    flags = [driver_class(signal).flag for signal in DRIVERS]
    return [flag for flag in flags if getattr(settings, flag) not in (None, False)]


def _of_other_faces(settings: Settings) -> DriverAssignment | None:
    """Driver of the faces that ``--drive`` does not name."""
    given = drives_by(settings)
    if len(given) > 1:
        cure = "Give one of them."
        if {"audio_path", "idle_seconds"} & set(given) and "video_source" in given:
            cure += " --ref_pose=VIDEO adds the head motion of a video to a voice; --audio=FILE only adds a sound."
        number = "both" if len(given) == 2 else "all"
        raise ConfigError(f"{' and '.join(f'--{name}' for name in given)} would {number} drive", cure=cure)
    drivers = (driver_class(signal) for signal in DRIVERS)
    return next((driver.assigned(settings) for driver in drivers if driver.flag in given), None)


def _of_drive(text: str) -> DriverAssignment:
    """``0=a.mp4`` -> face 0, driven by a.mp4."""
    match = _DRIVE.fullmatch(text)
    if match is None:
        raise ConfigError("is not FACE=FILE", where=f"--drive={text}", cure="Write --drive 0=a.mp4 1=b.mp4.")
    path = Path(match[2])
    check_there(path, f"--drive={text}")
    return DriverAssignment(path, int(match[1]), "frames" if has_frames(path) else "motion")


def _check_references(settings: Settings, assignments: Sequence[DriverAssignment]) -> None:
    """Refuse references for a voice where there is none, and references that are not there."""
    for name in ("ref_eyeblink", "ref_pose"):
        path: Path | None = getattr(settings, name)
        if path is None:
            continue
        if not any(assignment.driver.speaks for assignment in assignments):
            cure = "Give --audio_path or --idle_seconds; --video_source brings blinks and head motion of its own."
            raise ConfigError(f"--{name} is for a picture that speaks or idles", cure=cure)
        check_there(path, f"--{name}={path}")


def _check_faces(settings: Settings, *, named_only: bool) -> None:
    """Refuse settings about faces that would be ignored.

    Args:
        named_only: whether all drivers are for one named face each.
    """
    flag = next((flag for flag in ("face", "drive", "face3dvis") if getattr(settings, flag)), None)
    if flag is None:
        return
    if not settings.if_align or settings.landmarks == "none" or settings.preprocess == "resize":
        off = "--no-if_align" if not settings.if_align else "--landmarks=none"
        off = "--preprocess=resize" if settings.if_align and settings.landmarks != "none" else off
        raise ConfigError(f"--{flag} needs faces, and {off} looks for none", cure="Leave one of them out.")
    several = settings.face == "all" or bool(settings.drive)
    if several and settings.preprocess in ("crop", "extcrop"):
        raise ConfigError(
            f"--{flag} moves faces in their places, and --preprocess={settings.preprocess} shows one face alone",
            cure="Use --preprocess=full.",
        )
    if settings.face and named_only and settings.drive:
        raise ConfigError(
            "--face says whom --video_source moves, and there is none",
            cure="Leave --face out, or give --video_source for the faces that --drive does not name.",
        )
