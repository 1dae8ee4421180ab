"""Dense 3-D motion (Wang et al. 2021, section 3.2): from sparse keypoints to a warp of the feature volume."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ....nn.blocks.conv3d import BatchNorm3d
from ....nn.blocks.hourglass3d import Hourglass3d
from ....nn.geometry.volumes import coordinate_grid_3d, gaussian_heatmaps_3d, warp_3d
from ....nn.precision import at_least_float32, float32_region
from ..config import CommonParams, DenseMotionParams

KP_VARIANCE = 0.01
FAINTEST = 1e-3  # weights of motions below this count as zero in the sum


@dataclass(frozen=True)
class DenseMotion:
    """Motion from a source to driving frames.

    Attributes:
        deformation: (N, D, h, w, 3), for each cell of the driving volume the point of the source's.
        mask: (N, K + 1, D, h, w), weights of the background and the keypoints, summing to 1.
        occlusion: (N, 1, h, w) in [0, 1], 0 is hidden; None where it is not estimated.
    """

    deformation: Tensor
    mask: Tensor
    occlusion: Tensor | None


def with_still(of_keypoints: Tensor) -> Tensor:
    """Put zeros for the still background in front of what is said of each keypoint, (N, K, ...) -> (N, K + 1, ...)."""
    return torch.cat([torch.zeros_like(of_keypoints[:, :1]), of_keypoints], dim=1)


class DenseMotionNetwork(nn.Module):
    """Weigh the motions of the keypoints and of the background at each cell, and estimate what is occluded."""

    def __init__(self, params: DenseMotionParams, common: CommonParams, *, estimate_occlusion_map: bool) -> None:
        super().__init__()
        motions = common.num_kp + 1
        self.hourglass = Hourglass3d(
            motions * (params.compress + 1), params.block_expansion, params.max_features, params.num_blocks
        )
        features = self.hourglass.out_channels
        self.mask = nn.Conv3d(features, motions, 7, padding=3)
        self.compress = nn.Conv3d(common.feature_channel, params.compress, 1)
        self.norm = BatchNorm3d(params.compress)
        self.occlusion: nn.Conv2d | None = None
        if estimate_occlusion_map:
            self.occlusion = nn.Conv2d(features * params.reshape_depth, 1, 7, padding=3)

    def squeeze(self, features: Tensor) -> Tensor:
        """What of the source's feature volume (N, C, D, h, w) is warped by each motion: (N, compress, D, h, w)."""
        return F.relu(self.norm(self.compress(features)))

    def heatmaps(self, keypoints: Tensor, size: tuple[int, int, int]) -> Tensor:
        """Heatmaps (N, K, D, h, w) of keypoints (N, K, 3)."""
        return gaussian_heatmaps_3d(keypoints, size, KP_VARIANCE)

    def warp_sparsely(self, small: Tensor, shifts: Tensor, grid: Tensor) -> Tensor:
        """The small volume (N, C, D, h, w) under each shift (N, M, 3): (N, M, C, D, h, w).

        The motions lie behind each other in one deep field, so that the source is read in one go and never repeated.
        """
        motions = grid + shifts[:, :, None, None, None]
        warped = warp_3d(small, motions.flatten(1, 2))
        return warped.unflatten(2, (shifts.shape[1], -1)).transpose(1, 2)

    def forward(self, small: Tensor, kp_source: Tensor, kp_driving: Tensor) -> DenseMotion:
        """Motion of N frames from the squeezed source volume and keypoints (N, K, 3)."""
        size = (small.shape[2], small.shape[3], small.shape[4])
        with float32_region(small):
            small = at_least_float32(small)
            grid = coordinate_grid_3d(*size, like=small)
            shifts = with_still(kp_source - kp_driving)
            moved = with_still(self.heatmaps(kp_driving, size) - self.heatmaps(kp_source, size))
            warped = self.warp_sparsely(small, shifts, grid)
        logits, occlusion = self.predict(torch.cat([moved[:, :, None], warped], dim=2).flatten(1, 2))
        with float32_region(small):
            mask = at_least_float32(logits).softmax(dim=1)
            strong = mask.masked_fill(mask < FAINTEST, 0)
            # The sum of the weighted motions, each of which is the identity plus a shift.
            deformation = strong.sum(dim=1)[..., None] * grid + torch.einsum("nmdhw,nmc->ndhwc", strong, shifts)
        return DenseMotion(deformation, mask, None if occlusion is None else at_least_float32(occlusion).sigmoid())

    def predict(self, seen: Tensor) -> tuple[Tensor, Tensor | None]:
        """Logits of mask (N, K + 1, D, h, w) and occlusion (N, 1, h, w) from heatmaps and warped volumes."""
        features = self.hourglass(seen)
        return self.mask(features), None if self.occlusion is None else self.occlusion(features.flatten(1, 2))
