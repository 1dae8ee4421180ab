"""Canonical keypoints -> keypoints of a frame: rotation, shift, expression (Wang et al. 2021, "One-Shot Free-View
Neural Talking-Head Synthesis", section 3.1), with the published peculiarities."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ...nn.precision import at_least_float32, float32_region
from .mapping import HeadMotion

DEGREES_PER_BIN, FIRST_DEGREE = 3, -99
PI = 3.14  # as the released weights were trained
Angles = Mapping[str, Tensor]
"""``yaw``, ``pitch`` or ``roll`` -> (N,), degrees; NaN where none is wanted."""


def degrees(logits: Tensor) -> Tensor:
    """Expected angle (N,) in degrees of logits (N, bins)."""
    shares = logits.softmax(dim=1)
    bins = torch.arange(logits.shape[1], dtype=logits.dtype, device=logits.device)
    return (shares * bins).sum(dim=1) * DEGREES_PER_BIN + FIRST_DEGREE


def rotation(yaw: Tensor, pitch: Tensor, roll: Tensor) -> Tensor:
    """Rotation matrices (N, 3, 3) = Rx(pitch) Ry(yaw) Rz(roll) of angles (N,) in degrees, with pi as 3.14."""
    yaw, pitch, roll = (angle / 180 * PI for angle in (yaw, pitch, roll))
    zero, one = torch.zeros_like(yaw), torch.ones_like(yaw)

    def matrix(*entries: Tensor) -> Tensor:
        return torch.stack(entries, dim=1).view(-1, 3, 3)

    about_x = matrix(one, zero, zero, zero, pitch.cos(), -pitch.sin(), zero, pitch.sin(), pitch.cos())
    about_y = matrix(yaw.cos(), zero, yaw.sin(), zero, one, zero, -yaw.sin(), zero, yaw.cos())
    about_z = matrix(roll.cos(), -roll.sin(), zero, roll.sin(), roll.cos(), zero, zero, zero, one)
    return about_x @ about_y @ about_z


def head_rotation(motion: HeadMotion, angles: Angles | None = None) -> Tensor:
    """Rotation matrices (N, 3, 3) of a motion; `angles` replace those that it says, where they are not NaN."""
    said = {name: degrees(getattr(motion, name)) for name in ("yaw", "pitch", "roll")}
    for name, angle in (angles or {}).items():
        wanted = angle.to(said[name])
        said[name] = torch.where(wanted.isnan(), said[name], wanted)
    return rotation(**said)


def transform_keypoints(
    canonical: Tensor, motion: HeadMotion, angles: Angles | None = None, *, expression: bool = True
) -> Tensor:
    """Keypoints of frames.

    Args:
        canonical: (N or 1, K, 3), (x, y, z) in [-1, 1].
        motion: of N frames. Of the shift only y counts, as published.
        angles: that the user wants in place of the motion's.
        expression: off: the rigid motion alone.

    Returns:
        (N, K, 3).
    """
    with float32_region(canonical):
        motion = HeadMotion(*(at_least_float32(values) for values in motion))
        moved = at_least_float32(canonical) @ head_rotation(motion, angles).transpose(1, 2)
        moved = moved + motion.t[:, None] * motion.t.new_tensor([0.0, 1.0, 0.0])
        return moved + motion.exp.unflatten(1, (-1, 3)) if expression else moved
