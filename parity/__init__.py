"""Proof that networks give the numbers of the published ones, from recorded cases.

A case is a folder with ``case.json`` (what to build and to feed, see `case`) and ``expected.npz`` (what the published
code gave). Weights and inputs are not stored: both sides draw them from the names of the tensors (see `draw`).
"""

from .case import Case, find_cases, read_case
from .check import Deviation, deviations
from .run import Report, Status, run_case

__all__ = ["Case", "Deviation", "Report", "Status", "deviations", "find_cases", "read_case", "run_case"]
