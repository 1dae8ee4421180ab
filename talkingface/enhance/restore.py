"""Restoration of the faces of a picture: each is aligned and restored by a network, and the difference is pasted back.

Only the difference is pasted back, under a mask with a soft border. So there is no seam, a network that changes nothing
changes no pixel, and large faces keep detail that is finer than the aligned face. The published programs paste the
complete aligned face back, cut out by a face parsing network, which is not needed here.
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
from ..face.paste.blend import border_mask, region_of, round_mask
from .align import SIDE, aligned_crop, is_large_enough, warp

Restorer = Callable[[Tensor], Tensor]
"""Aligned faces (N, 3, 512, 512), RGB, [0, 1] -> restored faces of the same shape and range."""
Shape = Literal["soft", "round"]

FEATHER = 0.12  # width of the soft border, relative to the side of the aligned face
RADIUS, ROUND_EDGE = 0.45, 0.08  # radius and soft edge of the disc, relative to that side


def restore_faces(
    picture: Tensor, canvas: Tensor, faces: Sequence[Points], restorer: Restorer, shape: Shape = "soft"
) -> Tensor:
    """Restore the faces of a picture.

    Args:
        picture: (1, 3, H, W), RGB, [0, 1], the input of the network.
        canvas: (1, 3, H, W), the picture, or an enhanced copy of it, into which the faces are pasted; not modified.
        faces: (5, 2) each, eyes, nose tip and mouth corners in pixels of the picture, in the order of pasting.
        restorer: the network.
        shape: shape of the mask: nearly all of the aligned square, or a disc, which does not touch neighbours.

    Returns:
        Copy of the canvas with restored faces, (1, 3, H, W), [0, 1].
    """
    crops = [aligned_crop(five) for five in faces if is_large_enough(five)]
    if not crops:
        return canvas
    aligned = torch.cat([warp(picture, crop.matrix, crop.size) for crop in crops]).clamp(0, 1)
    restored = restorer(aligned)
    if restored.shape != aligned.shape:
        raise RuntimeError(f"the restorer gave {tuple(restored.shape)} for {tuple(aligned.shape)}")
    mask = torch.from_numpy(mask_of(shape)).to(canvas)
    canvas = canvas.clone()
    for crop, face in zip(crops, restored.split(1), strict=True):
        _paste_difference(canvas, crop, face, mask)
    return canvas.clamp_(0, 1)


def _paste_difference(canvas: Tensor, crop: Crop, face: Tensor, mask: Tensor) -> None:
    """Add to the canvas the difference of a restored face (1, 3, 512, 512) from its present content."""
    left, top, right, bottom = region_of(crop, (canvas.shape[-2], canvas.shape[-1]))
    if left >= right or top >= bottom:
        return
    change = (face - warp(canvas, crop.matrix, crop.size).clamp(0, 1)) * mask
    shift = np.array([[1.0, 0.0, left], [0.0, 1.0, top], [0.0, 0.0, 1.0]])
    back = warp(change, crop.inverse @ shift, (bottom - top, right - left), outside="zeros")
    canvas[..., top:bottom, left:right] += back


@cache
def mask_of(shape: Shape) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Mask (512, 512), the weight of the restored face in each pixel of the aligned one, 0 to 1."""
    # The crop lies inside a larger picture, so that all four sides have a soft border.
    crop = Crop(np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [0.0, 0.0, 1.0]]), (SIDE, SIDE))
    region = (1, 1, SIDE + 1, SIDE + 1)
    if shape == "round":
        return round_mask(crop, region, RADIUS, ROUND_EDGE * SIDE)
    return border_mask(crop, region, (SIDE + 2, SIDE + 2), FEATHER * SIDE)
