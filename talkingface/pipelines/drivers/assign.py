"""Assignment of drivers to faces: what moves the source, and ``--drive`` for each face."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...config.checks import read_drive, several_drivers
from ...errors import ConfigError
from . import DRIVERS, DriverAssignment, driver_class
from .files import check_there, has_frames

if TYPE_CHECKING:
    from ...config.schema import Settings


def assign_drivers(settings: Settings) -> tuple[DriverAssignment, ...]:
    """Assign drivers in the order of ``--drive``, then the driver of all other faces.

    Raises:
        ConfigError: nothing drives, or settings that contradict each other.
        MediaError: a file is missing.
    """
    assignments = [_of_drive(text) for text in settings.drive]
    main = _of_other_faces(settings)
    if main is not None:
        assignments.append(main)
    if not assignments:
        what = "nothing to animate" if settings.image_source is None else f"nothing drives {settings.image_source}"
        need = "--image_source=PICTURE and " if settings.image_source is None else ""
        raise ConfigError(what, cure=f"Give {need}--video_source=VIDEO or --audio_path=SOUND.")
    _check_references(settings)
    if settings.face3dvis and assignments[0].signal == "motion":
        where = str(assignments[0].driving)
        raise ConfigError("--face3dvis needs a driving video or a sound", where=where, cure="Leave it out.")
    return tuple(assignments)


def drives_by(settings: Settings) -> list[str]:
    """Names of the settings that ask for a driver and are given."""
    flags = [driver_class(signal).flag_in(settings) for signal in DRIVERS]
    return [flag for flag in flags if flag and getattr(settings, flag) not in (None, False)]


def _of_other_faces(settings: Settings) -> DriverAssignment | None:
    """Driver of the faces that ``--drive`` does not name."""
    given = drives_by(settings)
    if len(given) > 1:
        raise several_drivers(given)
    drivers = (driver_class(signal) for signal in DRIVERS)
    return next((driver.assigned(settings) for driver in drivers if driver.flag_in(settings) in given), None)


def _of_drive(text: str) -> DriverAssignment:
    """``0=a.mp4`` -> face 0, driven by a.mp4."""
    face, path = read_drive(text)
    check_there(path, f"--drive={text}")
    return DriverAssignment(path, face, "frames" if has_frames(path) else "motion")


def _check_references(settings: Settings) -> None:
    """Refuse references that are not there."""
    for name in ("ref_eyeblink", "ref_pose"):
        path: Path | None = getattr(settings, name)
        if path is not None:
            check_there(path, f"--{name}={path}")
