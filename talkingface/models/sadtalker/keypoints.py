"""The canonical keypoint detector (Wang et al. 2021, section 3.1): 3-D keypoints that know no pose or expression."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from ...errors import ShapeError
from ...nn.antialias import AntiAliasDownsample
from ...nn.blocks.conv import DownBlock
from ...nn.blocks.conv3d import UpBlock3d
from ...nn.blocks.hourglass import level_widths
from ...nn.geometry.volumes import coordinate_grid_3d
from ...nn.precision import at_least_float32, float32_region
from .render_config import CommonParams, KPDetectorParams


class KPHourglass(nn.Module):
    """(N, in, H, W) -> (N, block_expansion, D, H, W): down as pictures, up as a volume of D slices; no skips."""

    def __init__(self, in_channels: int, params: KPDetectorParams) -> None:
        super().__init__()
        widths = level_widths(params.block_expansion, params.max_features, params.num_blocks + 1)
        if params.reshape_channel != params.reshape_depth * widths[-1]:
            raise ShapeError(
                f"{params.reshape_channel} channels are not {params.reshape_depth} slices of {widths[-1]}",
                where="kp_detector_params.reshape_channel",
                cure=f"Set it to {params.reshape_depth * widths[-1]}.",
            )
        self.down_blocks, self.up_blocks = nn.Sequential(), nn.Sequential()
        for index, (a, b) in enumerate(pairwise([in_channels, *widths[1:]])):
            self.down_blocks.add_module(f"down{index}", DownBlock(a, b))
        for index, (a, b) in enumerate(pairwise(widths[::-1])):
            self.up_blocks.add_module(f"up{index}", UpBlock3d(a, b))
        self.conv = nn.Conv2d(widths[-1], params.reshape_channel, 1)
        self.depth, self.multiple = params.reshape_depth, 2**params.num_blocks

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        if height % self.multiple or width % self.multiple:
            raise ShapeError(
                f"the keypoint detector cannot halve its {height} x {width} input often enough",
                cure=f"Both sides of what it sees must be multiples of {self.multiple}.",
            )
        out: Tensor = self.up_blocks(self.conv(self.down_blocks(x)).unflatten(1, (-1, self.depth)))
        return out


class KPDetector(nn.Module):
    """A keypoint is the mean of the coordinate grid under its softmax heatmap over a volume."""

    def __init__(self, params: KPDetectorParams, common: CommonParams) -> None:
        super().__init__()
        self.predictor = KPHourglass(common.image_channel, params)
        self.kp = nn.Conv3d(params.block_expansion, common.num_kp, 3, padding=1)
        self.down = AntiAliasDownsample(common.image_channel, params.scale_factor)
        self.temperature = params.temperature

    def heatmap_logits(self, image: Tensor) -> Tensor:
        """Heatmaps (N, K, D, h, w) of (N, 3, H, W) pictures in [0, 1], before their softmax."""
        out: Tensor = self.kp(self.predictor(self.down(image)))
        return out

    def locate(self, logits: Tensor) -> Tensor:
        """Keypoints (N, K, 3) of heatmaps; see forward."""
        with float32_region(logits):
            logits = at_least_float32(logits)
            heatmap = (logits.flatten(2) / self.temperature).softmax(dim=2)
            depth, height, width = logits.shape[2:]
            return heatmap @ coordinate_grid_3d(depth, height, width, like=logits).flatten(0, 2)

    def forward(self, image: Tensor) -> Tensor:
        """Canonical keypoints (N, K, 3), (x, y, z) in [-1, 1], of (N, 3, H, W) pictures in [0, 1]."""
        return self.locate(self.heatmap_logits(image))
