"""Weight files: what exists (`catalogue`), which are there (`locate`), which are meant (`resolving`), getting them
(`fetch`), reading them safely (`load`).

This module loads no torch; `talkingface.weights.load` and `talkingface.weights.convert` do when they read numbers.
"""

from .catalogue import Assembly, Catalogue, Entry, load_catalogue
from .resolve import Resolved, resolve
from .status import EntryStatus, describe_missing, status

__all__ = [
    "Assembly",
    "Catalogue",
    "Entry",
    "EntryStatus",
    "Resolved",
    "describe_missing",
    "load_catalogue",
    "resolve",
    "status",
]
