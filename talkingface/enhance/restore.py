"""Restoring the faces of a picture: each is aligned, goes through a network, and its change is put back.

Only what the network changed is put back, under a mask that is soft at its border. So there is no seam, a network that
changes nothing changes no pixel, and detail that is finer than the aligned face keeps its place in large faces. The
published helpers put the whole aligned face back, cut out by a face parsing network of its own; none is needed here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ..face.crop.crop import Crop
from ..face.face import Points
from ..face.paste.mask import border_mask, region_of, round_mask
from .align import SIDE, aligned_crop, is_large_enough, warp

Restorer = Callable[[Tensor], Tensor]
"""Aligned faces (N, 3, 512, 512), RGB, [0, 1] -> the same faces, better."""
Shape = Literal["soft", "round"]

FEATHER = 0.12  # width of the soft border over the side of the aligned face
RADIUS, ROUND_EDGE = 0.45, 0.08  # of the disc and its soft edge, likewise


def restore_faces(
    picture: Tensor, canvas: Tensor, faces: Sequence[Points], restorer: Restorer, shape: Shape = "soft"
) -> Tensor:
    """The canvas with restored faces.

    Args:
        picture: (1, 3, H, W), RGB, [0, 1]: what the network is shown.
        canvas: (1, 3, H, W), what the faces are put into: the picture, or a better copy of it. It is not changed.
        faces: (5, 2) each, eyes, nose tip and mouth corners in the picture, in the order in which they are put in.
        shape: of the mask: nearly all of the aligned square, or a disc, which leaves neighbours alone.

    Returns:
        (1, 3, H, W), [0, 1].
    """
    crops = [aligned_crop(five) for five in faces if is_large_enough(five)]
    if not crops:
        return canvas
    seen = torch.cat([warp(picture, crop.matrix, crop.size) for crop in crops]).clamp(0, 1)
    restored = restorer(seen)
    if restored.shape != seen.shape:
        raise RuntimeError(f"the restorer gave {tuple(restored.shape)} for {tuple(seen.shape)}")
    mask = torch.from_numpy(mask_of(shape)).to(canvas)
    canvas = canvas.clone()
    for crop, face in zip(crops, restored.split(1), strict=True):
        _put_back(canvas, crop, face, mask)
    return canvas.clamp_(0, 1)


def _put_back(canvas: Tensor, crop: Crop, face: Tensor, mask: Tensor) -> None:
    """Add to the canvas how a restored face (1, 3, 512, 512) differs from what is there."""
    left, top, right, bottom = region_of(crop, (canvas.shape[-2], canvas.shape[-1]))
    if left >= right or top >= bottom:
        return
    change = (face - warp(canvas, crop.matrix, crop.size).clamp(0, 1)) * mask
    shift = np.array([[1.0, 0.0, left], [0.0, 1.0, top], [0.0, 0.0, 1.0]])
    back = warp(change, crop.inverse @ shift, (bottom - top, right - left), outside="zeros")
    canvas[..., top:bottom, left:right] += back


@cache
def mask_of(shape: Shape) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """(512, 512): the share of the restored face in each pixel of the aligned one."""
    # As if there were picture all around, so that all four sides fade.
    crop = Crop(np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [0.0, 0.0, 1.0]]), (SIDE, SIDE))
    region = (1, 1, SIDE + 1, SIDE + 1)
    if shape == "round":
        return round_mask(crop, region, RADIUS, ROUND_EDGE * SIDE)
    return border_mask(crop, region, (SIDE + 2, SIDE + 2), FEATHER * SIDE)
