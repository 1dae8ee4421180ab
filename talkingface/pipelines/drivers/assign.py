"""Assignment of drivers to faces: what moves the source, and ``--drive`` for each face."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from ...config.checks import drivers_in, read_drive, several_drivers
from ...config.options import drivers
from ...errors import ConfigError, UnknownNameError
from ...plugins import DRIVERS, IMPORT_FAILURES, load, one_line
from . import Driver, DriverAssignment, DriverContext, DriverKey
from .base import check_there, has_frames

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
        raise ConfigError(what, cure=f"Give {need}--video_source=VIDEO or --audio_path=SOUND; see --help.")
    _check_references(settings)
    if settings.face3dvis and assignments[0].signal == "motion":
        where = str(assignments[0].driving)
        raise ConfigError("--face3dvis needs a driving video or a sound", where=where, cure="Leave it out.")
    return tuple(assignments)


def _of_other_faces(settings: Settings) -> DriverAssignment | None:
    """Driver of the faces that ``--drive`` does not name."""
    given = drivers_in(settings)
    if len(given) > 1:
        raise several_drivers(list(given))
    for flag, entry in given.items():
        signal = next(name for name, known in drivers().items() if known is entry)
        return driver_class(signal).assigned(settings, flag, signal)
    return None


def driver_class(signal: str) -> type[Driver]:
    """Class of the driver of a signal.

    Raises:
        UnknownNameError: the driver of another package cannot be imported.
        ConfigError: two packages offer it.
    """
    entry = DRIVERS.get(signal)
    try:
        found: type[Driver] = load(entry.driver)
    except IMPORT_FAILURES as error:
        if DRIVERS.owns(signal):
            raise
        what = f"driver '{signal}' is broken: {one_line(error)}"
        raise UnknownNameError(what, where=f"--{entry.flag}", cure="Update or uninstall it.") from error
    return found


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


class OpenedDrivers:
    """Opens drivers; all have the rate of the first."""

    def __init__(self, context: DriverContext, save_motion: Path | None = None) -> None:
        """
        Args:
            save_motion: file for the motion of a driver whose motion is the same for all sources.
        """
        self._context, self._save_motion = context, save_motion
        self._opened: dict[DriverKey, Driver] = {}

    def get(self, assignment: DriverAssignment) -> Driver:
        """Driver of an assignment, opened if it is not yet.

        Raises:
            TalkingFaceError: it cannot drive this model.
        """
        key = assignment.key
        if key not in self._opened:
            limit, wanted = self._context.video.frame_limit, self._context.video.fps
            fps: Fraction | None = next((driver.fps for driver in self._opened.values()), wanted)
            driver = driver_class(key.signal).open(key, self._context, fps)
            driver.length = min(driver.length, limit or driver.length)
            self._opened[key] = driver
            if self._save_motion is not None and driver.recorded is not None:
                options, weights = self._context.video, self._context.model.weights
                driver.recorded.save(self._save_motion, weights, options.face_scale)
        return self._opened[key]
