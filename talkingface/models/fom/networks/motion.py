"""The keypoint detector (paper, section 3.1) and the dense motion network (section 3.2) of the published FOM."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ....nn.antialias import AntiAliasDownsample
from ....nn.blocks.hourglass import Hourglass
from ....nn.geometry.grids import coordinate_grid, gaussian_heatmaps, warp
from ....nn.geometry.keypoints import Keypoints, sparse_motions
from ....nn.precision import at_least_float32, float32_region
from ..config import CommonParams, DenseMotionParams, KPDetectorParams


class KPDetector(nn.Module):
    """Find keypoints and the local affine motion at each, without any supervision.

    A keypoint is the mean of the coordinate grid under its softmax heatmap; its Jacobian is the mean of the Jacobian
    map under the same heatmap. With `pad` 0 the head trims three pixels from each side, yet the trimmed map still
    spans [-1, 1], as in the released code.
    """

    def __init__(self, params: KPDetectorParams, common: CommonParams) -> None:
        super().__init__()
        self.predictor = Hourglass(common.num_channels, params.block_expansion, params.max_features, params.num_blocks)
        features = self.predictor.out_channels
        self.kp = nn.Conv2d(features, common.num_kp, 7, padding=params.pad)
        self.num_jacobian_maps = 1 if params.single_jacobian_map else common.num_kp
        self.jacobian = self._jacobian_head(features, params.pad) if common.estimate_jacobian else None
        self.temperature = params.temperature
        self.down = AntiAliasDownsample(common.num_channels, params.scale_factor)

    def _jacobian_head(self, features: int, pad: int) -> nn.Conv2d:
        """A convolution that gives the identity matrix everywhere before it is trained."""
        head = nn.Conv2d(features, 4 * self.num_jacobian_maps, 7, padding=pad)
        nn.init.zeros_(head.weight)
        head.bias = nn.Parameter(torch.eye(2).flatten().repeat(self.num_jacobian_maps))
        return head

    def forward(self, image: Tensor) -> Keypoints:
        """Keypoints of (N, 3, H, W) pictures in [0, 1]."""
        features = self.predictor(self.down(image))
        logits = at_least_float32(self.kp(features))
        heatmap = (logits.flatten(2) / self.temperature).softmax(dim=2)
        # A product, as published: for the few thousand cells of these maps it is precise enough, and the recorded
        # gradients of a training step are met with it.
        grid = coordinate_grid(logits.shape[-2], logits.shape[-1], logits).flatten(0, 1)
        with float32_region(image):
            keypoints = {"value": heatmap @ grid}
        if self.jacobian is not None:
            maps = self.jacobian(features).unflatten(1, (self.num_jacobian_maps, 4)).flatten(3)
            mean = (maps * heatmap[:, :, None]).sum(dim=-1)
            keypoints["jacobian"] = mean.unflatten(2, (2, 2))
        return keypoints


class DenseMotionNetwork(nn.Module):
    """Weigh the motions of the keypoints and of the background at each pixel, and estimate the occlusion map.

    Everything happens at `scale_factor` of the picture's size.
    """

    def __init__(
        self, params: DenseMotionParams, common: CommonParams, *, estimate_occlusion_map: bool, align_corners: bool
    ) -> None:
        super().__init__()
        motions = common.num_kp + 1
        self.hourglass = Hourglass(
            motions * (common.num_channels + 1), params.block_expansion, params.max_features, params.num_blocks
        )
        features = self.hourglass.out_channels
        self.mask = nn.Conv2d(features, motions, 7, padding=3)
        self.occlusion = nn.Conv2d(features, 1, 7, padding=3) if estimate_occlusion_map else None
        self.down = AntiAliasDownsample(common.num_channels, params.scale_factor)
        self.kp_variance = params.kp_variance
        self.align_corners = align_corners

    def heatmaps(self, points: Tensor, size: tuple[int, int]) -> Tensor:
        """Heatmaps (N, K, H, W) of keypoints (N, K, 2)."""
        return gaussian_heatmaps(points, size, self.kp_variance)

    def warp_sparsely(self, small: Tensor, motions: Tensor) -> Tensor:
        """The small source (N, C, H, W) warped by each motion (N, M, H, W, 2): (N, M, C, H, W).

        The motions lie below each other in one tall field, so that the source is read in one go and never repeated.
        """
        count, fields, height, width = motions.shape[:4]
        warped = warp(small, motions.flatten(1, 2), align_corners=self.align_corners)
        return warped.view(count, -1, fields, height, width).transpose(1, 2)

    def forward(
        self, small: Tensor, source_heatmaps: Tensor, kp_source: Keypoints, kp_driving: Keypoints
    ) -> dict[str, Tensor]:
        """Motion from the source to the driving frames.

        Args:
            small: (N, C, h, w), the source behind `down`.
            source_heatmaps: (N, K, h, w), `heatmaps` of the source keypoints.

        Returns:
            ``deformation`` (N, h, w, 2), ``mask`` (N, K + 1, h, w) summing to 1, ``sparse_deformed``
            (N, K + 1, C, h, w) and, where it is estimated, ``occlusion_map`` (N, 1, h, w) in [0, 1], 0 is hidden.
        """
        size = (small.shape[-2], small.shape[-1])
        motions = sparse_motions(kp_source, kp_driving, size)
        sparse_deformed = self.warp_sparsely(small, motions)
        moved = self.heatmaps(kp_driving["value"], size) - source_heatmaps
        still = torch.zeros_like(moved[:, :1])
        moved = torch.cat([still, moved], dim=1)[:, :, None]
        logits, occlusion = self.predict(torch.cat([moved, sparse_deformed], dim=2).flatten(1, 2))
        mask = logits.softmax(dim=1)
        deformation = (motions * mask[..., None]).sum(dim=1)
        out = {"deformation": deformation, "mask": mask, "sparse_deformed": sparse_deformed}
        if occlusion is not None:
            out["occlusion_map"] = occlusion.sigmoid()
        return out

    def predict(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Logits of mask (N, K + 1, h, w) and occlusion map (N, 1, h, w) from heatmaps and warped sources."""
        features = self.hourglass(x)
        return self.mask(features), self.occlusion(features) if self.occlusion is not None else None
