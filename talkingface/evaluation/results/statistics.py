"""Means over people with their uncertainty: the bootstrap."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

DRAWS = 2000
LEVEL = 0.95


def interval(values: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """Bounds of the 95 % confidence interval of a mean, by drawing people again and again with replacement.

    Args:
        values: one for each person; NaN is left out.

    Returns:
        (low, high); NaN for fewer than two people.

    Source: Efron 1979, percentile method.
    """
    known = np.array([value for value in values if not math.isnan(value)])
    if len(known) < 2:
        return math.nan, math.nan
    picks = np.random.default_rng(seed).integers(0, len(known), (DRAWS, len(known)))
    low, high = np.quantile(known[picks].mean(axis=1), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
