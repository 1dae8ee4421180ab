"""Drivers: everything that can move a source, a file each. A further driving signal is one more file and line here."""

from __future__ import annotations

from .base import Driver, DriverAssignment, DriverContext, DriverKey, DrivingMotion
from .table import DRIVERS, driver_class

__all__ = ["DRIVERS", "Driver", "DriverAssignment", "DriverContext", "DriverKey", "DrivingMotion", "driver_class"]
