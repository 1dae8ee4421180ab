"""Coefficient motion fitted to the face of a source: the change since a reference frame, head angles, the crop's scale.

Reference frame, crop and the face moved alone are StyleHEAT's (Yin et al., ECCV 2022) and PIRenderer's (Ren et al.,
ICCV 2021).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from ..errors import ConfigError, MotionError
from ..types import Motion
from .coefficients import COEFFICIENTS, LAYOUT_70, LAYOUT_73, CoefficientLayout, row73

EXPRESSION_WEIGHT, ANGLE_WEIGHT = 0.3, 0.7

Carry = Callable[[Tensor, Tensor, int, float], Tensor]
"""Row of the source (1, 73), driving rows (T, 73), number of the reference frame, factor of the expression -> rows
(T, 73) of the source with the change since that frame."""


def nearest_frame(source: Tensor, targets: Tensor, layout: CoefficientLayout = LAYOUT_73) -> int:
    """Number of the frame in which the face is most like the source's, its angles counting most.

    Args:
        source: (1, C), laid out as `layout`.
        targets: (T, C).
    """
    expression = (targets[:, layout.exp] - source[:, layout.exp]).abs().mean(1)
    angles = (targets[:, layout.angle] - source[:, layout.angle]).abs().mean(1)
    return int((EXPRESSION_WEIGHT * expression + ANGLE_WEIGHT * angles).argmin())


def reference_frame(source: Tensor, rows: Tensor, options: Mapping[str, Any]) -> int:
    """Number of the driving frame in which the source's own pose and expression are met.

    Args:
        source: (1, 73).
        rows: (T, 73).
        options: ``best_frame`` (that frame, default 0), ``find_best_frame`` (the frame most like the source).

    Raises:
        ConfigError: if `best_frame` is not a frame of the driving.
    """
    number = options.get("best_frame")
    if number is None:
        return nearest_frame(source, rows) if options.get("find_best_frame") else 0
    return check_frame(number, len(rows))


def check_frame(number: int, frames: int) -> int:
    """The number of a driving frame as it is.

    Raises:
        ConfigError: if a driving of so many frames has none of this number.
    """
    if not 0 <= number < frames:
        raise ConfigError(f"there is no frame {number}", where="best_frame", cure=f"Use 0 to {frames - 1}.")
    return int(number)


def crop_scale_ratio(source: Tensor, targets: Tensor, layout: CoefficientLayout = LAYOUT_73) -> Tensor:
    """Ratio (1,) of the source's crop scale to that of the driving face, where the two are most alike.

    Args:
        source: (1, C), laid out as `layout`.
        targets: (T, C).
    """
    scale = layout.crop.start
    return source[:, scale] / targets[nearest_frame(source, targets, layout), scale]


def fit_crop_scale(source: Tensor, targets: Tensor) -> Tensor:
    """Rows with their crop scale times `crop_scale_ratio`, so that another person's face keeps the source's size.

    Args:
        source: (1, 73).
        targets: (T, 73).

    Returns:
        (T, 73), new memory.
    """
    fitted = targets.clone()
    fitted[:, LAYOUT_73.crop.start] *= crop_scale_ratio(source, targets)
    return fitted


def expression_only(source: Tensor, targets: Tensor) -> Tensor:
    """Driving expression with everything else (angles, translation, crop) as in the source: the head stays still.

    Args:
        source: (73,) or of a shape that broadcasts to the targets'.
        targets: (..., 73).

    Returns:
        (..., 73), new memory.
    """
    still = source.expand_as(targets).clone()
    still[..., LAYOUT_73.exp] = targets[..., LAYOUT_73.exp]
    return still


def replace_angles(rows: Tensor, angles: Tensor) -> Tensor:
    """Rows with the user's head angles in place of their own.

    Args:
        rows: (T, 73) or (T, 70).
        angles: (T, 3), yaw, pitch, roll in degrees; NaN keeps that of the rows.

    Returns:
        New memory of the same shape.
    """
    wanted = torch.deg2rad(angles[:, [1, 0, 2]]).to(rows)
    replaced = rows.clone()
    replaced[:, LAYOUT_73.angle] = torch.where(wanted.isnan(), rows[:, LAYOUT_73.angle], wanted)
    return replaced


def carry_change(source: Tensor, rows: Tensor, reference: int, expression_scale: float) -> Tensor:
    """Source's face with the change since a reference frame, in which it is the source itself to the last bit.

    Args:
        source: (1, 73).
        rows: (T, 73), of another person perhaps, whose shape of face is in their expression too.
        reference: number of the frame.
        expression_scale: times the change of the expression.

    Returns:
        (T, 73), new memory.
    """
    change = rows - rows[reference]
    change[:, LAYOUT_73.exp] *= expression_scale
    return source + change


def retarget_coefficients(
    source: Motion, driving: Motion, options: Mapping[str, Any], carry: Carry = carry_change
) -> Motion:
    """Driving movement on the source's face.

    Args:
        source: one frame of kind ``"3dmm.73"``.
        driving: of kind ``"3dmm.73"``, or ``"3dmm.70"``, which gets the crop of the source. With ``"angles"`` (T, 3),
            yaw, pitch and roll in degrees, those that are not NaN take the place of the head's.
        options: ``relative`` (default false: `carry` the change since the `reference_frame`, not the coefficients
            themselves), ``best_frame``, ``find_best_frame``, ``expression_scale``, ``still`` (the face alone moves).
        carry: how a model adds the change to its source.

    Returns:
        ``"coefficients"`` -> (T, 73), new memory, of kind ``"3dmm.73"``.

    Raises:
        MotionError: if the driving is no motion of coefficients, or has no frame.
        ConfigError: if `best_frame` is not a frame of the driving.
    """
    rows = _with_crop(source, driving)
    own, scale = source.values[COEFFICIENTS].to(rows), float(options.get("expression_scale", 1.0))
    if options.get("relative"):
        rows = carry(own, rows, reference_frame(own, rows, options), scale)
    else:
        rows[:, LAYOUT_73.exp] *= scale
    if options.get("still"):
        rows = expression_only(own, rows)
    if "angles" in driving.values:
        rows = replace_angles(rows, driving.values["angles"])
    return Motion(LAYOUT_73.kind, driving.fps, {COEFFICIENTS: rows}, driving.space)


def _with_crop(source: Motion, driving: Motion) -> Tensor:
    """Driving rows (T, 73), new memory."""
    if driving.kind not in (LAYOUT_73.kind, LAYOUT_70.kind) or not len(driving):
        raise MotionError(f"{len(driving)} frames of kind '{driving.kind}' do not drive '{LAYOUT_73.kind}'")
    rows = driving.values[COEFFICIENTS]
    if driving.kind == LAYOUT_73.kind:
        return rows.clone()
    return row73(rows, source.values[COEFFICIENTS][:, LAYOUT_73.crop].to(rows))
