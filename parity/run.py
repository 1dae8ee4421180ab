"""Runs of cases, whatever their family."""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor

from .case import Case, read_case
from .check import Deviation, deviations

Runner: TypeAlias = Callable[[Case], dict[str, Tensor]]
"""Build the networks of a case, feed them its inputs, return its outputs by name."""

FAMILIES = {
    "deep3d": ("deep3d",),
    "fom": ("fom",),
    "sadtalker": ("sadtalker_audio", "sadtalker_render", "sadtalker_e2e", "sadtalker_face"),
    "styleheat": (
        "styleheat_data",
        "styleheat_losses",
        "styleheat_networks",
        "styleheat_ops",
        "styleheat_stylegan",
    ),
}
"""First word of a kind -> modules in `runners`, each with RUNNERS, a table of kind -> runner."""


class Status(Enum):
    """Verdict on a case."""

    PASSED = "ok"
    FAILED = "FAILED"
    NOT_COVERED = "not covered"


@dataclass(frozen=True)
class Report:
    """Result of a case.

    Attributes:
        folder: of the case.
        deviations: one for each output; empty if the case was not run to its end.
        fault: exception that ended the run, or "".
        seconds: time to draw, build, run and compare.
    """

    folder: Path
    status: Status
    deviations: tuple[Deviation, ...] = ()
    fault: str = ""
    seconds: float = 0.0

    @property
    def worst(self) -> Deviation | None:
        """Deviation nearest to its tolerance or furthest past it."""
        return max(self.deviations, key=lambda deviation: deviation.ratio, default=None)


def find_runner(kind: str) -> Runner | None:
    """Runner of a kind, or None; a kind may end with a size (``-1024``), which its case gives anyway."""
    for module in FAMILIES.get(kind.partition("/")[0], ()):
        runners: dict[str, Runner] = import_module(f".runners.{module}", __package__).RUNNERS
        for name in (kind, re.sub(r"-\d+$", "", kind)):
            if name in runners:
                return runners[name]
    return None


def run_case(folder: Path, dtype: torch.dtype = torch.float32) -> Report:
    """Run the case in a folder; whatever is raised on the way, by files, runner or networks, ends in the report.

    Args:
        dtype: float64 goes by the case's tolerances for it, where it has them.
    """
    start = time.perf_counter()
    try:
        case = read_case(folder, dtype)
        runner = find_runner(case.kind)
        if runner is None:
            return Report(folder, Status.NOT_COVERED)
        outputs = {name: value.detach().cpu().numpy() for name, value in runner(case).items()}
        found = tuple(deviations(case, outputs))
    except Exception as error:  # the check of many cases goes on
        return Report(folder, Status.FAILED, fault=_describe(error), seconds=time.perf_counter() - start)
    status = Status.PASSED if all(deviation.passed for deviation in found) else Status.FAILED
    return Report(folder, status, found, seconds=time.perf_counter() - start)


def _describe(error: Exception) -> str:
    """Describe an error on one line: kind, message and place."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    message = " ".join(str(error).split())
    return f"{type(error).__name__}: {message} ({Path(place.filename).name}:{place.lineno})"
