"""Driving coefficients fitted to the face and the crop of a source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from ...motion.coefficients import COEFFICIENTS, LAYOUT_73
from ...motion.retarget import fit_crop_scale, retarget_coefficients
from ...types import Motion


def fit_to_source(source: Motion, driving: Motion, options: Mapping[str, Any]) -> Motion:
    """Driving movement on the source's face, its crop included.

    Args:
        source, driving: as for `retarget_coefficients`.
        options: as there, and ``adapt_scale`` (where no change is carried: the crop's scale is brought to the
            source's), ``pose_only`` (the head alone moves).

    Returns:
        ``"coefficients"`` -> (T, 73).

    Raises:
        MotionError, ConfigError: as `retarget_coefficients`.
    """
    has_crop, own = driving.kind == LAYOUT_73.kind, source.values[COEFFICIENTS]
    if has_crop and options.get("adapt_scale") and not options.get("relative"):
        fitted = fit_crop_scale(own, driving.values[COEFFICIENTS])
        driving = replace(driving, values={**driving.values, COEFFICIENTS: fitted})
    moved = retarget_coefficients(source, driving, options, _carry_crop_too if has_crop else _keep_rows)
    if options.get("pose_only"):
        moved.values[COEFFICIENTS][:, LAYOUT_73.exp] = own[:, LAYOUT_73.exp]
    return moved


def _carry_crop_too(source: Tensor, rows: Tensor, reference: int, expression_scale: float) -> Tensor:
    """Source's row plus the change since a frame; the scale of the crop is multiplied by a ratio."""
    changed, scale = source + rows - rows[reference], LAYOUT_73.crop.start
    changed[:, scale] = source[:, scale] * rows[:, scale] / rows[reference, scale]
    return _keep_rows(source, changed, reference, expression_scale)


def _keep_rows(source: Tensor, rows: Tensor, reference: int, expression_scale: float) -> Tensor:
    """Rows with the difference of their expression from the source's times a factor; a voice is made for its source."""
    if expression_scale != 1:
        own = source[:, LAYOUT_73.exp]
        rows[:, LAYOUT_73.exp] = own + expression_scale * (rows[:, LAYOUT_73.exp] - own)
    return rows
