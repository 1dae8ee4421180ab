"""Table of all driving signals; a further one is a line here and a file beside this one."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .base import Driver

DRIVERS = {
    "frames": "video:VideoDriver",
    "motion": "motion_file:MotionFileDriver",
    "sound": "speech:SpeechDriver",
    "idle": "speech:IdleDriver",
    "demo": "demo:DemoDriver",
}
"""Signal -> module and class of its driver; the setting that each class names in ``flag`` asks for it."""


def driver_class(signal: str) -> type[Driver]:
    """Class of the driver of a signal."""
    module, _, name = DRIVERS[signal].partition(":")
    found: type[Driver] = getattr(import_module(f".{module}", __package__), name)
    return found
