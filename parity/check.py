"""Comparison of outputs with those of the published code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from .case import Case
from .draw import Array

DEFAULT_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Deviation:
    """Distance of one output from the expected one.

    Attributes:
        output: name.
        error: Frobenius norm of the difference over that of the expected values; infinite if it cannot be compared.
        tolerance: largest error that passes.
        fault: reason why it cannot be compared, or "".
    """

    output: str
    error: float
    tolerance: float
    fault: str = ""

    @property
    def ratio(self) -> float:
        """Error in units of the tolerance; 0 or infinite for an output that must be exact."""
        if self.tolerance:
            return self.error / self.tolerance
        return float("inf") if self.error else 0.0

    @property
    def passed(self) -> bool:
        return self.error <= self.tolerance


def deviations(case: Case, outputs: Mapping[str, Array]) -> list[Deviation]:
    """Compare outputs, whole arrays by name, with each one that the case has."""
    return [_deviation(case, name, spec, outputs.get(name)) for name, spec in case.outputs.items()]


def _deviation(case: Case, name: str, spec: Mapping[str, Any], got: Array | None) -> Deviation:
    tolerance = float(spec.get("tolerance", DEFAULT_TOLERANCE))
    if case.dtype == torch.float64:
        tolerance = float(spec.get("tolerance_float64", tolerance))
    if got is None:
        return Deviation(name, float("inf"), tolerance, "is missing")
    if list(got.shape) != list(spec["shape"]):
        return Deviation(name, float("inf"), tolerance, f"has shape {got.shape}, not {tuple(spec['shape'])}")
    part = got[_slices(spec.get("index"))].astype(np.float64)
    if not np.isfinite(part).all():
        return Deviation(name, float("inf"), tolerance, "is not finite")
    expected = case.expected[name].astype(np.float64)
    size = max(float(np.linalg.norm(expected)), 1e-12)
    return Deviation(name, float(np.linalg.norm(part - expected)) / size, tolerance)


def _slices(index: list[list[int | None] | None] | None) -> tuple[slice, ...]:
    """Stored subsampling: for each axis ``null`` for all of it, or start, stop, step."""
    return tuple(slice(*axis) if axis else slice(None) for axis in index or [])
