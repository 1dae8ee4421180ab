"""Downsampling behind a Gaussian blur, and the image pyramid made of it."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn


def gaussian_kernel(scale: float) -> Tensor:
    """Normalised (k, k) blur kernel for downsampling by `scale`: sigma (1 / scale - 1) / 2, four sigma to each side."""
    from kornia.filters import get_gaussian_kernel2d  # here, as most programs need no kernel

    sigma = (1 / scale - 1) / 2
    side = 2 * round(sigma * 4) + 1
    return get_gaussian_kernel2d((side, side), (sigma, sigma))[0]


class AntiAliasDownsample(nn.Module):
    """Blur, then keep every (1 / scale)-th pixel beginning with the first; zeros outside the picture.

    (N, C, H, W) -> (N, C, ceil(H * scale), ceil(W * scale)). The kernel is the buffer `weight` (C, 1, k, k), which
    released checkpoints hold; a scale of 1 does nothing and has no buffer.
    """

    weight: Tensor

    def __init__(self, channels: int, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.channels = channels
        if scale != 1:
            self.register_buffer("weight", gaussian_kernel(scale).repeat(channels, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        if self.scale == 1:
            return x
        stride = int(1 / self.scale)
        return F.conv2d(x, self.weight, stride=stride, padding=self.weight.shape[-1] // 2, groups=self.channels)


class ImagePyramid(nn.Module):
    """Copies of pictures (N, C, H, W) by scale; not trained, and absent from released checkpoints."""

    def __init__(self, scales: Sequence[float], channels: int = 3) -> None:
        super().__init__()
        self.scales = tuple(scales)
        self.downs = nn.ModuleList(AntiAliasDownsample(channels, scale) for scale in self.scales)

    def forward(self, image: Tensor) -> dict[float, Tensor]:
        return {scale: down(image) for scale, down in zip(self.scales, self.downs, strict=True)}
