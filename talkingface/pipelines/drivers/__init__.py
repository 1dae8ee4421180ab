"""Drivers: everything that can move a source, a file each. A further one is also a line in `talkingface.plugins`."""

from .base import Driver, DriverAssignment, DriverContext, DriverKey, DrivingMotion

__all__ = ["Driver", "DriverAssignment", "DriverContext", "DriverKey", "DrivingMotion"]
