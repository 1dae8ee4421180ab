"""Videos that lend a voice their blinks or their head motion, as rows for the audio networks and behind them."""

from __future__ import annotations

import torch
from torch import Tensor

from ....motion.coefficients import LAYOUT_70


def loop(rows: Tensor, frames: int) -> Tensor:
    """Rows tiled to a length; (R, C) -> (frames, C)."""
    return rows[torch.arange(frames, device=rows.device) % len(rows)]


def reference_rows(source: Tensor, frames: int, eyes: Tensor | None = None) -> Tensor:
    """Rows that tell the expression network about the person, for every frame.

    Args:
        source: (1, 70 or more), of the source picture.
        eyes: (R, 70 or more), of a video whose blinks are wanted. Its expression is taken as it is, so it brings the
            rest of that face along, the mouth included.

    Returns:
        (frames, 70), to be read only.
    """
    reference = source[:, : LAYOUT_70.width].expand(frames, -1)
    if eyes is not None:
        reference = reference.clone()
        reference[:, LAYOUT_70.exp] = loop(eyes, frames)[:, LAYOUT_70.exp].to(reference)
    return reference


def add_motion(rows: Tensor, poses: Tensor) -> Tensor:
    """Rows with the head motion of another video on top of their own.

    Args:
        rows: (T, 70).
        poses: (R, 70 or more), of the video; its motion since its first frame is added. It is repeated or cut.

    Returns:
        (T, 70), new memory.
    """
    moved, pose = rows.clone(), LAYOUT_70.pose
    motion = loop(poses, len(rows))[:, pose] - poses[:1, pose]
    moved[:, pose] += motion.to(moved)
    return moved
