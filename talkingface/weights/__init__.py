"""Weight files: the list of known ones (`catalogue`), their state on this machine (`status`), the choice for a run
(`resolve`), download (`download`), the model a file belongs to (`identify`), and safe reading (`load`).

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
