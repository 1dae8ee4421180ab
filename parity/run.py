"""Builds and runs a case, whatever its family."""

from __future__ import annotations

import time
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
"""Builds what a case names, feeds it, and gives its outputs by name."""

# Word before the slash of a kind -> modules with RUNNERS, a table of kind -> Runner.
FAMILIES = {
    "fom": ("parity.runners.fom",),
    "deep3d": ("parity.runners.face3d",),
    "styleheat": (
        "parity.runners.face",
        "parity.runners.face3d",
        "parity.runners.motion",
        "parity.runners.ops",
        "parity.runners.styleheat_networks",
        "parity.runners.styleheat_losses",
        "parity.runners.styleheat_stylegan",
    ),
    "sadtalker": (
        "parity.runners.face",
        "parity.runners.face_networks",
        "parity.runners.face3d",
        "parity.runners.sadtalker_audio",
        "parity.runners.sadtalker_render",
        "parity.runners.sadtalker_e2e",
    ),
}


class Status(Enum):
    """How a case went."""

    PASSED = "ok"
    FAILED = "FAILED"
    NOT_COVERED = "not covered"


@dataclass(frozen=True)
class Report:
    """How a case went.

    Attributes:
        folder: of the case.
        deviations: one for each output; empty if nothing knows the kind.
        seconds: time to draw, build, run and compare.
    """

    folder: Path
    status: Status
    deviations: tuple[Deviation, ...] = ()
    seconds: float = 0.0

    @property
    def worst(self) -> Deviation | None:
        """The deviation that is nearest to its tolerance or furthest past it."""
        return max(self.deviations, key=lambda deviation: deviation.strain, default=None)


def find_runner(kind: str) -> Runner | None:
    """The runner of a kind, or None."""
    for module in FAMILIES.get(kind.partition("/")[0], ()):
        runners: dict[str, Runner] = import_module(module).RUNNERS
        if kind in runners:
            return runners[kind]
    return None


def run_case(folder: Path, dtype: torch.dtype = torch.float32) -> Report:
    """Run the case in a folder.

    Args:
        dtype: float64 goes by the case's tolerances for it, where it has them.

    Raises:
        DataError: if the folder holds no readable case, or asks for what its kind cannot give.
    """
    start = time.perf_counter()
    case = read_case(folder, dtype)
    runner = find_runner(case.kind)
    if runner is None:
        return Report(folder, Status.NOT_COVERED)
    outputs = {name: value.detach().cpu().numpy() for name, value in runner(case).items()}
    found = tuple(deviations(case, outputs))
    status = Status.PASSED if all(deviation.passed for deviation in found) else Status.FAILED
    return Report(folder, status, found, time.perf_counter() - start)
