"""Drift's two networks: one finds a point in a frame, the other redraws the source moved along with it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from talkingface.nn.blocks.conv import DownBlock, SameBlock
from talkingface.nn.geometry.grids import coordinate_grid, warp


class Finder(nn.Module):
    """Pictures (N, 3, H, W) in [0, 1] -> the point (N, 2) that each is about, (x, y) in [-1, 1]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.features = nn.Sequential(DownBlock(3, width), DownBlock(width, width))
        self.score = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        score = self.score(self.features(image))
        heat = score.flatten(1).softmax(dim=1)
        return heat @ coordinate_grid(score.shape[-2], score.shape[-1], score).flatten(0, 1)


class Painter(nn.Module):
    """Moves pictures and mends what that uncovers.

    Takes sources (N, 3, H, W) in [0, 1] and shifts (N, 2) to the right and down, in units of [-1, 1]; gives pictures
    of the sources' shape and range.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mend = nn.Sequential(SameBlock(3, width), nn.Conv2d(width, 3, 3, padding=1))

    def forward(self, source: Tensor, shift: Tensor) -> Tensor:
        # A warp field says where to look, so the picture moves right where the field looks left.
        field = coordinate_grid(source.shape[-2], source.shape[-1], source) - shift[:, None, None]
        moved = warp(source, field, align_corners=True, padding_mode="border")
        return torch.sigmoid(torch.logit(moved, eps=0.01) + self.mend(moved))
