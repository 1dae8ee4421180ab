"""From what drives to what the renderer takes: the source's own face, moved as the user wishes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ...errors import ConfigError
from ...motion.edits import nearest_frame, turned
from ...types import Motion
from .voice.rows import EXPRESSION, ROW, renderer_rows


def retarget_rows(
    source: Motion, driving: Motion, options: Mapping[str, Any], *, columns: int, angles_in_rows: bool
) -> Motion:
    """The driving's movement, fitted to the source.

    Args:
        source: one row of 73.
        driving: rows of 70 or 73, whose crop is that of the driving video and not used; and ``"angles"``, if asked for.
        options: ``relative`` (default false), ``best_frame``, ``find_best_frame``, ``expression_scale``, ``still``.
        columns: of the renderer, 70 or 73.
        angles_in_rows: whether the user's angles are written into the rows, or stay beside them for the renderer.

    Raises:
        ConfigError: if `best_frame` is not a frame of the driving.
    """
    own = source.values["coefficients"].float()
    rows = driving.values["coefficients"][:, :ROW].to(own)
    scale, still = float(options.get("expression_scale", 1.0)), bool(options.get("still", False))
    if options.get("relative", False):
        rows = carried(own, rows, _reference(own, rows, options), expression_scale=scale)
        scale = 1.0
    rows = renderer_rows(rows, own, expression_scale=scale, still=still, with_crop=columns > ROW)
    values = {"coefficients": rows}
    asked = driving.values.get("angles")
    if asked is not None:
        values |= {"coefficients": turned(rows, asked)} if angles_in_rows else {"angles": asked}
    return Motion(f"3dmm.{columns}", driving.fps, values, driving.space)


def carried(source: Tensor, rows: Tensor, reference: int, *, expression_scale: float = 1.0) -> Tensor:
    """The source's face with the change since a reference frame: expression, angles and translation.

    Args:
        source: (1, 70 or more).
        rows: (T, 70), of another person perhaps, whose shape of face is in their expression too.
        expression_scale: times the change of the expression.

    Returns:
        (T, 70), new memory; in the reference frame the source itself.
    """
    change = rows - rows[reference]
    change[:, EXPRESSION] *= expression_scale
    return source[:, :ROW] + change


def _reference(source: Tensor, rows: Tensor, options: Mapping[str, Any]) -> int:
    """The driving frame in which the source's own pose and expression are met."""
    number = options.get("best_frame")
    if number is not None:
        if not 0 <= number < len(rows):
            raise ConfigError(f"there is no frame {number}", where="best_frame", cure=f"Use 0 to {len(rows) - 1}.")
        return int(number)
    return nearest_frame(source[:, :ROW], rows) if options.get("find_best_frame") else 0
