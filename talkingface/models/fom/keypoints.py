"""The keypoint detector (paper, section 3.1, "local affine transformations")."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...nn.antialias import AntiAliasDownsample
from ...nn.blocks.hourglass import Hourglass
from ...nn.geometry.grids import coordinate_grid
from ...nn.geometry.keypoints import Keypoints
from ...nn.precision import at_least_float32, float32_region
from .config import CommonParams, KPDetectorParams


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
        grid = coordinate_grid(logits.shape[-2], logits.shape[-1], logits).flatten(0, 1)
        with float32_region(image):
            keypoints = {"value": heatmap @ grid}
        if self.jacobian is not None:
            maps = self.jacobian(features).unflatten(1, (self.num_jacobian_maps, 4)).flatten(3)
            mean = (maps * heatmap[:, :, None]).sum(dim=-1)
            keypoints["jacobian"] = mean.unflatten(2, (2, 2))
        return keypoints
