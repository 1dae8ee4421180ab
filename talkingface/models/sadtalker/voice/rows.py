"""Coefficient rows before and behind the audio networks: references, borrowed motion, what the renderer gets.

A row has 70 columns (expression 64, angles 3, translation 3) or 73 (and the crop 3), see face3d/coefficients.py.
"""

from __future__ import annotations

import torch
from torch import Tensor

EXPRESSION, POSE, CROP = slice(0, 64), slice(64, 70), slice(70, 73)
ROW = 70


def loop(rows: Tensor, frames: int) -> Tensor:
    """So many rows, begun anew as often as needed; (R, C) -> (frames, C)."""
    return rows[torch.arange(frames, device=rows.device) % len(rows)]


def reference_rows(source: Tensor, frames: int, eyes: Tensor | None = None) -> Tensor:
    """What the expression network is told about the person, for every frame.

    Args:
        source: (1, 70 or more), of the source picture.
        eyes: (R, 70 or more), of a video whose blinks are wanted. Its expression is taken as it is, so it brings the
            rest of that face along, the mouth included.

    Returns:
        (frames, 70), to be read only.
    """
    reference = source[:, :ROW].expand(frames, -1)
    if eyes is not None:
        reference = reference.clone()
        reference[:, EXPRESSION] = loop(eyes, frames)[:, EXPRESSION].to(reference)
    return reference


def add_motion(rows: Tensor, poses: Tensor) -> Tensor:
    """Move the head as in another video, on top of what it does already.

    Args:
        rows: (T, 70).
        poses: (R, 70 or more), of the video; its motion since its first frame is added. It is repeated or cut.

    Returns:
        (T, 70), new memory.
    """
    moved = rows.clone()
    motion = loop(poses, len(rows))[:, POSE] - poses[:1, POSE]
    moved[:, POSE] += motion.to(moved)
    return moved


def renderer_rows(
    generated: Tensor, source: Tensor, *, expression_scale: float = 1.0, still: bool = False, with_crop: bool = False
) -> Tensor:
    """The rows that drive the renderer; `talkingface.motion.windows.windows` cuts them into its windows.

    Args:
        generated: (T, 70), see speech.py.
        source: (1, 73), of the source picture.
        expression_scale: times the expression.
        still: keep the head pose of the source.
        with_crop: append the crop of the source, for the renderer of whole pictures.

    Returns:
        (T, 73) with the crop, else (T, 70); new memory.
    """
    rows = generated.clone()
    rows[:, EXPRESSION] *= expression_scale
    if still:
        rows[:, POSE] = source[:, POSE].to(rows)
    if with_crop:
        rows = torch.cat([rows, source[:, CROP].to(rows).expand(len(rows), -1)], 1)
    return rows
