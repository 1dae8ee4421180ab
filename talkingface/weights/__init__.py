"""Weight files: what exists (`catalogue`), where it is (`locate`), getting it (`fetch`), reading it safely (`load`).

This module loads no torch; `talkingface.weights.load` and `talkingface.weights.convert` do when they read numbers.
"""

from .catalogue import Catalogue, Entry, load_catalogue
from .locate import EntryStatus, Resolved, describe_missing, resolve, status

__all__ = [
    "Catalogue",
    "Entry",
    "EntryStatus",
    "Resolved",
    "describe_missing",
    "load_catalogue",
    "resolve",
    "status",
]
