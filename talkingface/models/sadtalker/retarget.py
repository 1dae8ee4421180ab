"""Driving coefficients fitted to a source as SadTalker's renderers take them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...motion.coefficients import COEFFICIENTS, LAYOUT_70, LAYOUTS, row70
from ...motion.retarget import retarget_coefficients
from ...types import Motion


def fit_to_source(
    source: Motion, driving: Motion, options: Mapping[str, Any], *, width: int, angles_in_rows: bool
) -> Motion:
    """Driving movement on the source's face, with the crop of the source: that of the driving video is not used.

    Args:
        source, driving, options: as for `retarget_coefficients`.
        width: of the renderer's rows, 70 or 73.
        angles_in_rows: true to write the user's angles into the rows, false to keep them beside for the renderer.

    Returns:
        ``"coefficients"`` -> (T, width) and, where they stay beside them, ``"angles"``.

    Raises:
        MotionError, ConfigError: as `retarget_coefficients`.
    """
    values = {**driving.values, COEFFICIENTS: driving.values[COEFFICIENTS][:, : LAYOUT_70.width]}
    beside = {} if angles_in_rows or "angles" not in values else {"angles": values.pop("angles")}
    fitted = retarget_coefficients(source, Motion(LAYOUT_70.kind, driving.fps, values, driving.space), options)
    rows = fitted.values[COEFFICIENTS]
    rows = row70(rows) if width == LAYOUT_70.width else rows
    return Motion(LAYOUTS[width].kind, driving.fps, {COEFFICIENTS: rows, **beside}, driving.space)
