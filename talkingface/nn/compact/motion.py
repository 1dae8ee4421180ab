"""Keypoint detector and dense motion of the compact networks; see generator.py for the idea."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..blocks.conv import ResidualBlock, SameBlock, StridedBlock
from ..geometry.grids import coordinate_grid, gaussian_heatmaps, warp
from ..geometry.keypoints import Keypoints, sparse_motions
from ..precision import at_least_float32, float32_region
from .config import CommonParams, CompactParams

FLOW_SCALE = 0.1  # of the free flow: its head's outputs are of order one, flows of order a tenth of the picture
USUAL_RATE = 0.01  # of the running mean of keypoints, per batch
SQUEEZED = 64  # channels that the dense motion network's many inputs are brought to


def pool_to(image: Tensor, side: int) -> Tensor:
    """Mean-pool (N, C, H, W) by the whole factor that brings the shorter side nearest to `side`; never enlarges."""
    factor = max(1, round(min(image.shape[-2:]) / side))
    return F.avg_pool2d(image, factor) if factor > 1 else image


def double(x: Tensor) -> Tensor:
    """Nearest doubling of (N, C, H, W)."""
    return F.interpolate(x, scale_factor=2, mode="nearest")


class UNet(nn.Module):
    """(N, in, H, W) -> (N, widths[0], H, W) through one level per width, each half the size of the one before."""

    def __init__(self, in_channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.stem = SameBlock(in_channels, widths[0])
        self.down = nn.ModuleList(StridedBlock(a, b) for a, b in pairwise(widths))
        self.middle = ResidualBlock(widths[-1])
        self.up = nn.ModuleList(SameBlock(a + b, a) for a, b in pairwise(widths))

    def forward(self, x: Tensor) -> Tensor:
        stages = [self.stem(x)]
        for block in self.down:
            stages.append(block(stages[-1]))
        out = self.middle(stages.pop())
        for block, skip in zip(reversed(self.up), reversed(stages), strict=True):
            out = block(torch.cat([double(out), skip], dim=1))
        return out


class CompactKPDetector(nn.Module):
    """Keypoints and Jacobians from a quarter-size map of the pooled picture; the results are those of KPDetector.

    The buffer `usual` (K, 2) follows the mean of the keypoints in training; locate.py finds subjects with it.
    """

    usual: Tensor

    def __init__(self, params: CompactParams, common: CommonParams) -> None:
        super().__init__()
        self.motion_size, self.temperature = params.motion_size, params.temperature
        self.predictor = UNet(16 * common.num_channels, params.detector_widths)
        self.kp = nn.Conv2d(params.detector_widths[0], common.num_kp, 3, padding=1)
        self.jacobian = nn.Conv2d(params.detector_widths[0], 4 * common.num_kp, 3, padding=1)
        nn.init.zeros_(self.jacobian.weight)
        self.jacobian.bias = nn.Parameter(torch.eye(2).flatten().repeat(common.num_kp))
        self.register_buffer("usual", torch.zeros(common.num_kp, 2))

    def forward(self, image: Tensor) -> Keypoints:
        """Keypoints of (N, 3, H, W) pictures in [0, 1]."""
        features = self.predictor(F.pixel_unshuffle(pool_to(image, self.motion_size), 4))
        logits, maps = self.kp(features), self.jacobian(features)
        with float32_region(image):
            logits, maps = at_least_float32(logits), at_least_float32(maps)
            heatmap = (logits.flatten(2) / self.temperature).softmax(dim=2)
            grid = coordinate_grid(logits.shape[-2], logits.shape[-1], logits).flatten(0, 1)
            maps = maps.unflatten(1, (-1, 4)).flatten(3)
            jacobian = (maps @ heatmap[..., None]).unflatten(2, (2, 2)).squeeze(-1)
            value = heatmap @ grid
        if self.training:
            self.usual.lerp_(value.detach().mean(dim=0).to(self.usual), USUAL_RATE)
        return {"value": value, "jacobian": jacobian}


@dataclass(frozen=True)
class DenseMotion:
    """Dense motion at half the pooled picture's size (h, w).

    Attributes:
        deformation: (N, h, w, 2), backward field.
        mask: (N, K + 1, h, w), weights of the background and the keypoints, summing to 1.
        visibility: (N, 2, h, w) in [0, 1], of coarse and of fine features.
        features: (N, C, h / 2, w / 2), description of the motion for the decoder.
    """

    deformation: Tensor
    mask: Tensor
    visibility: Tensor
    features: Tensor


class CompactDenseMotion(nn.Module):
    """Dense motion at half the pooled picture's size, from a U-Net that runs at a quarter of it."""

    def __init__(self, params: CompactParams, common: CommonParams) -> None:
        super().__init__()
        self.motions, self.kp_variance = common.num_kp + 1, params.kp_variance
        widths = params.motion_widths
        inputs = 4 * common.num_channels * self.motions + common.num_kp
        self.squeeze = SameBlock(inputs, SQUEEZED, 1)
        self.predictor = UNet(SQUEEZED, widths)
        self.features = SameBlock(widths[0], params.motion_features)
        self.refine = SameBlock(params.motion_features, params.motion_features)
        self.head = nn.Conv2d(params.motion_features, self.motions + 2 + 2, 3, padding=1)

    def forward(self, small: Tensor, kp_source: Keypoints, kp_driving: Keypoints) -> DenseMotion:
        """Motion from the source (N, 3, h, w) to the driving frames."""
        with float32_region(small):
            motions = sparse_motions(kp_source, kp_driving, (small.shape[-2], small.shape[-1]))
            inputs = torch.cat([self._warped(small, motions), self._moved(small, kp_source, kp_driving)], dim=1)
        features = self.features(self.predictor(self.squeeze(inputs)))
        head = self.head(self.refine(double(features)))
        with float32_region(small):
            weights, flow, visibility = at_least_float32(head).split([self.motions, 2, 2], dim=1)
            mask = weights.softmax(dim=1)
            deformation = (motions * mask[..., None]).sum(dim=1) + FLOW_SCALE * flow.permute(0, 2, 3, 1)
        return DenseMotion(deformation, mask, visibility.sigmoid(), features)

    def _warped(self, small: Tensor, motions: Tensor) -> Tensor:
        """The source warped by each motion, folded to half size: (N, 12 (K + 1), h / 2, w / 2).

        The motions lie below each other in one tall field, so that the source is never repeated.
        """
        warped = warp(small, motions.flatten(1, 2), align_corners=True, padding_mode="border")
        stacked = warped.unflatten(2, (self.motions, -1)).transpose(1, 2).flatten(1, 2)
        return F.pixel_unshuffle(stacked, 2)

    def _moved(self, small: Tensor, kp_source: Keypoints, kp_driving: Keypoints) -> Tensor:
        """Heatmaps of the driving keypoints less those of the source, (N, K, h / 2, w / 2)."""
        size = (small.shape[-2] // 2, small.shape[-1] // 2)
        source, driving = (gaussian_heatmaps(kp["value"], size, self.kp_variance) for kp in (kp_source, kp_driving))
        return driving - source
