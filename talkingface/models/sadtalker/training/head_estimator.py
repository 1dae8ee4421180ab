"""The head estimator: pose and expression of a picture (Wang et al. 2021, section 3.1); only training uses it.

Its parameters have the names of the released ``he_estimator``, a residual network of 50 layers.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from ....nn.blocks.conv import BatchNorm2d
from ..config import CommonParams, HeadEstimatorParams, MappingParams, SadTalkerConfig
from ..networks.mapping import HeadMotion


class Bottleneck(nn.Module):
    """Three convolutions over (N, C, H, W) beside the input, or beside a convolution of it where the size is halved."""

    def __init__(self, channels: int, stride: int = 1) -> None:
        super().__init__()
        inner = channels // 4
        self.conv1, self.norm1 = nn.Conv2d(channels, inner, 1), BatchNorm2d(inner)
        self.conv2, self.norm2 = nn.Conv2d(inner, inner, 3, stride, padding=1), BatchNorm2d(inner)
        self.conv3, self.norm3 = nn.Conv2d(inner, channels, 1), BatchNorm2d(channels)
        self.halves = stride != 1
        if self.halves:
            self.skip, self.norm4 = nn.Conv2d(channels, channels, 1, stride), BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.norm1(self.conv1(x)))
        out = F.relu(self.norm2(self.conv2(out)))
        out = self.norm3(self.conv3(out))
        return F.relu(out + (self.norm4(self.skip(x)) if self.halves else x))


class HeadEstimator(nn.Module):
    """A residual network with five linear heads."""

    def __init__(self, params: HeadEstimatorParams, mapping: MappingParams, common: CommonParams) -> None:
        super().__init__()
        width = params.block_expansion
        self.conv1, self.norm1 = nn.Conv2d(common.image_channel, width, 7, 2, padding=3), BatchNorm2d(width)
        before = width
        for index, depth in enumerate(params.depths):
            channels = width * 4 * 2**index
            self.add_module(f"conv{index + 2}", nn.Conv2d(before, channels, 1))
            self.add_module(f"norm{index + 2}", BatchNorm2d(channels))
            self._add_blocks(index, channels, depth)
            before = channels
        self.fc_roll = nn.Linear(before, mapping.num_bins)
        self.fc_pitch = nn.Linear(before, mapping.num_bins)
        self.fc_yaw = nn.Linear(before, mapping.num_bins)
        self.fc_t = nn.Linear(before, 3)
        self.fc_exp = nn.Linear(before, 3 * mapping.num_kp)

    def _add_blocks(self, index: int, channels: int, depth: int) -> None:
        """block1 of the first size; of each further one a block that halves it, then the others."""
        if index:
            self.add_module(f"block{2 * index}", Bottleneck(channels, stride=2))
        number = 2 * index + 1
        blocks = nn.Sequential()
        for count in range(depth):
            blocks.add_module(f"b{number}_{count}", Bottleneck(channels))
        self.add_module(f"block{number}", blocks)

    def forward(self, image: Tensor) -> HeadMotion:
        """The motion of the heads in (N, 3, H, W) pictures in [0, 1]."""
        out = F.max_pool2d(F.relu(self.norm1(self.conv1(image))), 3, 2, padding=1)
        for index in range(4):
            out = F.relu(self.get_submodule(f"norm{index + 2}")(self.get_submodule(f"conv{index + 2}")(out)))
            if index:
                out = self.get_submodule(f"block{2 * index}")(out)
            out = self.get_submodule(f"block{2 * index + 1}")(out)
        out = out.mean(dim=(2, 3))
        return HeadMotion(self.fc_yaw(out), self.fc_pitch(out), self.fc_roll(out), self.fc_t(out), self.fc_exp(out))


def build_head_estimator(config: SadTalkerConfig) -> HeadEstimator:
    """Head estimator with fresh weights."""
    params = config.train_params.render.head_estimator_params
    return HeadEstimator(params, config.mapping_params, config.common_params)
