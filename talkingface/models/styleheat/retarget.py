"""Coefficients of a driver, fitted to the face of a source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ...errors import ConfigError, MotionError
from ...motion.columns import ROW_73, Columns
from ...motion.edits import expression_only, fit_crop_scale, nearest_frame, turned
from ...types import Motion

KIND, WITHOUT_CROP = "3dmm.73", "3dmm.70"


def fit_to_source(source: Motion, driving: Motion, options: Mapping[str, Any]) -> Motion:
    """The driving's movement on the source's face.

    Args:
        source: one frame of kind ``"3dmm.73"``.
        driving: of kind ``"3dmm.73"``, or ``"3dmm.70"`` (a voice's), whose crop is that of the source. Where it has
            ``"angles"``, those that are numbers are the head's, in degrees.
        options: ``relative`` (the change since the first frame is carried over, not the coefficients themselves),
            ``best_frame``, ``find_best_frame`` (the frame that the change is counted from instead), ``adapt_scale``
            (otherwise: the crop's scale is brought to the source's), ``expression_scale``, ``still`` (the face alone
            moves), ``pose_only`` (the head alone moves).

    Raises:
        MotionError: if it is no motion of coefficients, or has no frame.
        ConfigError: if `best_frame` is not a frame of the driving.
    """
    own, rows = source.values["coefficients"], _rows(source, driving)
    if options.get("relative") and driving.kind == KIND:
        rows = _changed(own, rows, _reference(own, rows, options))
    elif options.get("adapt_scale"):
        rows = fit_crop_scale(own, rows)
    rows = _scaled(own, rows, float(options.get("expression_scale", 1.0)), relative=bool(options.get("relative")))
    if options.get("still"):
        rows = expression_only(own, rows)
    if options.get("pose_only"):
        rows[:, ROW_73.expression] = own[:, ROW_73.expression]
    if "angles" in driving.values:
        rows = turned(rows, driving.values["angles"])
    return Motion(KIND, driving.fps, {"coefficients": rows}, driving.space)


def _rows(source: Motion, driving: Motion) -> Tensor:
    """Rows of 73, new memory."""
    if driving.kind not in (KIND, WITHOUT_CROP) or not len(driving):
        raise MotionError(f"{len(driving)} frames of kind '{driving.kind}' do not drive '{KIND}'")
    rows = driving.values["coefficients"]
    if driving.kind == KIND:
        return rows.clone()
    crop = source.values["coefficients"][:, ROW_73.crop].to(rows)
    return torch.cat([rows, crop.expand(len(rows), -1)], dim=1)


def _reference(own: Tensor, rows: Tensor, options: Mapping[str, Any]) -> int:
    """The frame in which the driver is as the source is."""
    number = options.get("best_frame")
    if number is None:
        return nearest_frame(own, rows) if options.get("find_best_frame") else 0
    if not 0 <= number < len(rows):
        raise ConfigError(f"there is no frame {number}", where="best_frame", cure=f"Use 0 to {len(rows) - 1}.")
    return int(number)


def _changed(own: Tensor, rows: Tensor, reference: int, columns: Columns = ROW_73) -> Tensor:
    """The source's row and what has changed since a frame: a sum, and for the scale of the crop a ratio."""
    changed = own + rows - rows[reference]
    scale = columns.crop.start
    changed[:, scale] = own[:, scale] * rows[:, scale] / rows[reference, scale]
    return changed


def _scaled(own: Tensor, rows: Tensor, factor: float, *, relative: bool) -> Tensor:
    """Rows with their expression, or what of it differs from the source's, times a factor."""
    if factor != 1:
        base = own[:, ROW_73.expression] if relative else torch.zeros_like(own[:, ROW_73.expression])
        rows[:, ROW_73.expression] = base + factor * (rows[:, ROW_73.expression] - base)
    return rows
