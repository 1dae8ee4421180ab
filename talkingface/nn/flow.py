"""Flow fields in pixels, and warping along them, in StyleHEAT's convention.

The grid of a flow puts -1 and +1 on the centres of the border pixels, while sampling takes them for the outer edges of
the picture, so that a flow of zero is not quite the identity: it magnifies by w / (w - 1), and border pixels mix with
black. Released weights were trained so.
"""

from __future__ import annotations

from torch import Tensor

from .geometry import coordinate_grid, resize_field, warp


def flow_to_field(flow: Tensor) -> Tensor:
    """Warp field of a flow.

    Args:
        flow: (N, 2, H, W), how many pixels to the right and below its own place a pixel is taken from.

    Returns:
        (N, H, W, 2), the points (x, y) to sample.
    """
    height, width = flow.shape[-2:]
    reach = flow.new_tensor([width - 1, height - 1])
    return coordinate_grid(height, width, flow) + 2 * flow.permute(0, 2, 3, 1) / reach


def warp_by_field(image: Tensor, field: Tensor) -> Tensor:
    """(N, C, H, W) sampled bilinearly along a field (N, h, w, 2) that is resized to (H, W); black outside."""
    return warp(image, resize_field(field, (image.shape[-2], image.shape[-1])), align_corners=False)
