"""Drivers of a run, opened when they are first needed."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from ..plan.assignment import driver_class
from . import Driver, DriverAssignment, DriverContext, DriverKey


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
