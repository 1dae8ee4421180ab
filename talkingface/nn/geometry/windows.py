"""Windows of whole pixels, cut out of pictures at places of their own, and put back."""

from __future__ import annotations

import torch
from torch import Tensor


def window_corners(centres: Tensor, window: tuple[int, int], size: tuple[int, int], step: int = 1) -> Tensor:
    """Left and top edges of windows that lie inside the picture, (N, 2) int64, multiples of `step`.

    Args:
        centres: (N, 2), (x, y) in [-1, 1], middles of the border pixels at the ends.
        window: (height, width) in pixels.
        size: (height, width) of the pictures, at least the window's.
        step: divides both sizes' difference.
    """
    extent = torch.tensor([size[1], size[0]], dtype=centres.dtype, device=centres.device)
    inner = torch.tensor([window[1], window[0]], dtype=centres.dtype, device=centres.device)
    corners = (centres.detach() + 1) / 2 * (extent - 1) + 0.5 - inner / 2
    return (torch.minimum(corners.clamp(min=0), extent - inner) / step).floor().long() * step


def take_windows(pictures: Tensor, corners: Tensor, window: tuple[int, int]) -> Tensor:
    """Windows (N, C, h, w) of pictures (N, C, H, W), each at its own corner."""
    height, width = window
    places = corners.tolist()
    return torch.stack([p[:, y : y + height, x : x + width] for p, (x, y) in zip(pictures, places, strict=True)])


def paste_windows(pictures: Tensor, windows: Tensor, corners: Tensor) -> Tensor:
    """Copies of pictures (N, C, H, W) in which windows (N, C, h, w) stand at their corners."""
    out = pictures.clone()
    height, width = windows.shape[-2:]
    for index, (x, y) in enumerate(corners.tolist()):
        out[index, :, y : y + height, x : x + width] = windows[index]
    return out
