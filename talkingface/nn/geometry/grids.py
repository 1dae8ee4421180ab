"""Coordinates, heatmaps and warps.

Convention: points are (x, y) in [-1, 1], x to the right and y down; -1 and +1 are the centres of the first and the
last pixel. A warp field is backward: it holds, for each pixel of the result, the point of the input to sample.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def axis_points(length: int, like: Tensor) -> Tensor:
    """Coordinates (length,) in [-1, 1] of pixel centres along an axis; `like` gives dtype and device."""
    return 2 * (torch.arange(length, dtype=like.dtype, device=like.device) / (length - 1)) - 1


def coordinate_grid(height: int, width: int, like: Tensor) -> Tensor:
    """Points of all pixel centres.

    Args:
        like: gives dtype and device.

    Returns:
        (H, W, 2), (x, y) in [-1, 1].
    """
    x, y = axis_points(width, like), axis_points(height, like)
    return torch.stack([x.expand(height, width), y[:, None].expand(height, width)], dim=-1)


def gaussian_heatmaps(points: Tensor, size: tuple[int, int], variance: float) -> Tensor:
    """Draw points as Gaussian spots with peak 1.

    Args:
        points: (..., 2), (x, y) in [-1, 1].
        size: (height, width) of the maps.
        variance: in squared units of [-1, 1].

    Returns:
        (..., H, W).
    """
    # A round Gaussian is the product of one along x and one along y: sides, not areas, of exponentials.
    column, row = (
        torch.exp(-0.5 * (axis_points(length, points) - points[..., axis, None]).square() / variance)
        for axis, length in enumerate(reversed(size))
    )
    return row[..., :, None] * column[..., None, :]


def mean_points(heatmaps: Tensor) -> Tensor:
    """Mean of the coordinate grid of a picture or a volume under heatmaps.

    Sums along axes are exact to the last digit or two. A matrix product with the grid adds the hundreds of thousands
    of cells of a volume one after another, and loses three digits on a CPU.

    Args:
        heatmaps: (N, K, H, W) or (N, K, D, H, W), each with the sum 1.

    Returns:
        (N, K, 2), (x, y), or (N, K, 3), (x, y, z), in [-1, 1].
    """
    axes, points = range(2, heatmaps.dim()), []
    for axis in reversed(axes):
        share = heatmaps.sum(dim=[other for other in axes if other != axis])
        points.append((share * axis_points(share.shape[-1], share)).sum(dim=-1))
    return torch.stack(points, dim=-1)


def inverse_2x2(matrix: Tensor, smallest: float = 1e-8) -> Tensor:
    """Inverse of (..., 2, 2) matrices in closed form.

    A determinant nearer to zero than `smallest` is replaced by `smallest` with its sign, so that a keypoint whose
    Jacobian collapses gives a large but finite matrix instead of an exception or a NaN.
    """
    a, b, c, d = matrix[..., 0, 0], matrix[..., 0, 1], matrix[..., 1, 0], matrix[..., 1, 1]
    determinant = a * d - b * c
    guard = torch.where(determinant < 0, -smallest, smallest).to(matrix.dtype)
    determinant = torch.where(determinant.abs() < smallest, guard, determinant)
    adjugate = torch.stack([torch.stack([d, -b], dim=-1), torch.stack([-c, a], dim=-1)], dim=-2)
    return adjugate / determinant[..., None, None]


def warp(image: Tensor, field: Tensor, *, align_corners: bool, padding_mode: str = "zeros") -> Tensor:
    """Sample a picture bilinearly along a backward warp field.

    Args:
        image: (N, C, H, W).
        field: (N, h, w, 2), (x, y) points of `image`.
        align_corners: -1 and +1 are the centres (true) or the outer edges (false) of the border pixels.

    Returns:
        (N, C, h, w).
    """
    return F.grid_sample(image, field, mode="bilinear", padding_mode=padding_mode, align_corners=align_corners)


def resize_map(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize (N, C, H, W) maps bilinearly to `size` = (height, width), pixel edges aligned; same size: as they are."""
    if maps.shape[-2:] == size:
        return maps
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)


def resize_field(field: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize an (N, H, W, 2) warp field to `size` = (height, width); its points keep their meaning."""
    if field.shape[1:3] == size:
        return field
    return resize_map(field.permute(0, 3, 1, 2), size).permute(0, 2, 3, 1)


def flow_to_field(flow: Tensor) -> Tensor:
    """Warp field of a flow.

    Args:
        flow: (N, 2, H, W), distance in pixels (right, down) to the place that each pixel is taken from.

    Returns:
        (N, H, W, 2), the points (x, y) to sample.
    """
    height, width = flow.shape[-2:]
    reach = flow.new_tensor([width - 1, height - 1])
    return coordinate_grid(height, width, flow) + 2 * flow.permute(0, 2, 3, 1) / reach


def warp_by_field(image: Tensor, field: Tensor) -> Tensor:
    """(N, C, H, W) sampled bilinearly along a field (N, h, w, 2) that is resized to (H, W); black outside."""
    return warp(image, resize_field(field, (image.shape[-2], image.shape[-1])), align_corners=False)


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
