"""Parts of pictures cut out at one size (He et al. 2017, "Mask R-CNN", section 3), in plain matrix products."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def cut_out(pictures: Tensor, boxes: Tensor, side: int) -> Tensor:
    """One part of each picture, resampled; differentiable in the pictures.

    Each of the side x side cells is the mean of ceil(box / side) bilinear samples on either axis. Edges are positions
    where integers are pixel centres (torchvision's roi_align with aligned=False). Samples more than a pixel outside are
    black, those nearer take the border pixel.

    Args:
        pictures: (N, C, H, W).
        boxes: (N, 4), left, top, right, bottom; a box thinner than one pixel counts as one.

    Returns:
        (N, C, side, side).
    """
    height, width = pictures.shape[-2:]
    rows, columns = [], []
    for left, top, right, bottom in boxes.tolist():
        rows.append(_sampling(top, bottom, height, side, pictures))
        columns.append(_sampling(left, right, width, side, pictures))
    return torch.einsum("nph,nchw,nqw->ncpq", torch.stack(rows), pictures, torch.stack(columns))


def _sampling(start: float, stop: float, length: int, cells: int, like: Tensor) -> Tensor:
    """Weights (cells, length) of the pixels of one axis."""
    extent = max(stop - start, 1.0)
    samples = math.ceil(extent / cells)
    steps = torch.arange(cells * samples, dtype=torch.float64, device=like.device)
    places = start + (steps + 0.5) * extent / (cells * samples)
    inside = (places >= -1) & (places <= length)
    pixels = torch.arange(length, dtype=torch.float64, device=like.device)
    hats = (1 - (places.clamp(0, length - 1)[:, None] - pixels).abs()).clamp(min=0) * inside[:, None]
    return hats.view(cells, samples, length).mean(dim=1).to(like.dtype)
