"""The patch discriminator, at one or several scales."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import spectral_norm

from ...nn.geometry import gaussian_heatmaps
from ...nn.hourglass import level_widths
from ...nn.keypoints import Keypoints
from .config import CommonParams, DiscriminatorParams


class DiscriminatorBlock(nn.Module):
    """4 x 4 convolution without padding, instance norm, leaky ReLU, 2 x 2 mean."""

    def __init__(self, in_channels: int, out_channels: int, *, norm: bool, pool: bool, sn: bool) -> None:
        super().__init__()
        conv = nn.Conv2d(in_channels, out_channels, 4)
        self.conv = spectral_norm(conv) if sn else conv
        self.norm = nn.InstanceNorm2d(out_channels, affine=True) if norm else None
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv(x)
        if self.norm is not None:
            out = self.norm(out)
        out = F.leaky_relu(out, 0.2)
        return F.avg_pool2d(out, 2) if self.pool else out


class Discriminator(nn.Module):
    """Score the patches of a picture; with `use_kp` it sees the driving keypoints as heatmaps too."""

    def __init__(self, params: DiscriminatorParams, common: CommonParams) -> None:
        super().__init__()
        in_channels = common.num_channels + common.num_kp * params.use_kp
        widths = [in_channels, *level_widths(2 * params.block_expansion, params.max_features, params.num_blocks)]
        last = params.num_blocks - 1
        self.down_blocks = nn.ModuleList(
            DiscriminatorBlock(widths[i], widths[i + 1], norm=i != 0, pool=i != last, sn=params.sn)
            for i in range(params.num_blocks)
        )
        conv = nn.Conv2d(widths[-1], 1, 1)
        self.conv = spectral_norm(conv) if params.sn else conv
        self.kp_variance = params.kp_variance if params.use_kp else None

    def forward(self, image: Tensor, keypoints: Keypoints | None = None) -> tuple[list[Tensor], Tensor]:
        """Features after each block, and the scores (N, 1, h, w), of pictures (N, 3, H, W) in [0, 1]."""
        out = image
        if self.kp_variance is not None:
            if keypoints is None:
                raise ValueError("this discriminator was built with use_kp, so it needs the driving keypoints")
            size = (image.shape[-2], image.shape[-1])
            out = torch.cat([image, gaussian_heatmaps(keypoints["value"], size, self.kp_variance)], dim=1)
        features = []
        for block in self.down_blocks:
            out = block(out)
            features.append(out)
        return features, self.conv(out)


class MultiScaleDiscriminator(nn.Module):
    """One discriminator for each scale; scale 0.5 is named ``discs.0-5`` since module names hold no dots."""

    def __init__(self, params: DiscriminatorParams, common: CommonParams) -> None:
        super().__init__()
        self.scales = tuple(params.scales)
        self.discs = nn.ModuleDict({self._name(scale): Discriminator(params, common) for scale in self.scales})

    @staticmethod
    def _name(scale: float) -> str:
        return f"{scale:g}".replace(".", "-")

    def forward(
        self, pyramid: dict[float, Tensor], keypoints: Keypoints | None = None
    ) -> dict[float, tuple[list[Tensor], Tensor]]:
        """Scale -> (features after each block, scores) of the pictures that an ImagePyramid made."""
        return {scale: self.discs[self._name(scale)](pyramid[scale], keypoints) for scale in self.scales}
