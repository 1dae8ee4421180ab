"""From a source and a driving signal to a finished video. Names no model: everything goes through the plug-in."""

from .animate import Batch, Result, animate, animate_each
from .progress import Progress, progress_for

__all__ = ["Batch", "Progress", "Result", "animate", "animate_each", "progress_for"]
