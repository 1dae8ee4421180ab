"""The calibrator: corrects the generator's features after the warp (StyleHEAT, section 3.3).

A U-Net after GFP-GAN's (Wang et al. 2021, section 3.2), steered by the motion's descriptor.
"""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor, nn

from ....nn.blocks.conditional_norm import AdaIN
from ....nn.stylegan2.conditions import Affine
from ....nn.stylegan2.layers import ConvLayer, EqualConv2d, FusedLeakyReLU, ResBlock
from ..compact.guide import CALIBRATOR_CHANNELS, MotionGuide
from ..structure import CalibratorStructure
from .residual import map_head

VECTOR_SLOPE, BLOCK_SLOPE = 0.1, 0.01


class UpConv(EqualConv2d):
    """Twice the size, bilinear, and a convolution: (N, inputs, H, W) -> (N, outputs, 2 H, 2 W)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1, bias=False)
        self.activation = FusedLeakyReLU(outputs)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.activation(super().forward(_doubled(x)))
        return out


class UpBlock(nn.Module):
    """Residual block that doubles the size: (N, inputs, H, W) -> (N, outputs, 2 H, 2 W)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = ConvLayer(inputs, inputs, 3)
        self.conv2 = UpConv(inputs, outputs)
        self.skip = EqualConv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        # A 1 x 1 convolution and a resize may change places, and the small picture is the cheaper one to convolve.
        out: Tensor = (self.conv2(self.conv1(x)) + _doubled(self.skip(x))) / math.sqrt(2)
        return out


class SteeredBlock(nn.Module):
    """Two convolutions with norms that a vector (N, features) steers; the shape (N, channels, H, W) stays."""

    def __init__(self, channels: int, features: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        self.norm1, self.norm2 = AdaIN(channels, features), AdaIN(channels, features)

    def forward(self, x: Tensor, vector: Tensor) -> Tensor:
        x = F.leaky_relu(self.norm1(self.conv1(x), vector), BLOCK_SLOPE)
        out: Tensor = x + self.norm2(self.conv2(x), vector)
        return out


class CalibrationNet(nn.Module):
    """Warped features and a descriptor -> their correction; 30.5 M parameters as published.

    As published it has heads at every size from 8 pixels up to that of the features. The generator uses the last one
    alone, and `forward` computes no other; the others are kept because released files hold them, and never trained.
    """

    def __init__(self, structure: CalibratorStructure | None = None) -> None:
        super().__init__()
        s = structure or CalibratorStructure()
        halvings = s.size.bit_length() - 3  # down to 4 pixels
        self.guided = s.guided
        guide_channels = CALIBRATOR_CHANNELS if s.guided else 0
        self.conv_body_first = ConvLayer(s.channels + guide_channels, s.width, 1)
        self.conv_body_down = nn.ModuleList(ResBlock(s.width, s.width) for _ in range(halvings))
        self.final_conv = ConvLayer(s.width, s.width, 3)
        self.conv_body_up = nn.ModuleList(UpBlock(s.width, s.width) for _ in range(halvings))
        self.linear_3dmm = nn.Sequential(
            nn.Linear(s.features, s.width), nn.LeakyReLU(VECTOR_SLOPE), nn.Linear(s.width, s.width)
        )
        self.inject_3dmm = nn.ModuleList(SteeredBlock(s.width, s.width) for _ in range(halvings))
        heads = halvings if s.heads == "all" else 1
        self.condition_scale, self.condition_shift = (
            nn.ModuleList(map_head(s.width + guide_channels, s.width, s.channels) for _ in range(heads))
            for _ in range(2)
        )

    def forward(self, features: Tensor, descriptor: Tensor, guide: MotionGuide | None = None) -> Affine:
        """Correction of features (N, channels, size, size), steered by a descriptor (N, features).

        Args:
            guide: a guided calibrator needs it, and no other takes it. It enters at the first layer and at the heads,
                the only layers behind the hourglass that work at the features' own size.
        """
        if not self.guided:
            return self._head(-1, self.stages(features, descriptor)[-1])
        if guide is None:
            raise ValueError("a guided calibrator needs a guide")
        stage = self.stages(guide.beside_features(features), descriptor)[-1]
        return self._head(-1, guide.beside_features(stage))

    def maps(self, features: Tensor, descriptor: Tensor) -> list[Affine]:
        """Corrections (N, channels, h, w) of all heads, from the smallest on; there may be the last one alone."""
        stages = self.stages(features, descriptor)[-len(self.condition_scale) :]
        return [self._head(index, stage) for index, stage in enumerate(stages)]

    def last_heads(self) -> tuple[nn.Module, nn.Module]:
        """Heads of the scale and of the shift at the features' own size."""
        return self.condition_scale[-1], self.condition_shift[-1]

    def unused(self) -> list[nn.Module]:
        """Heads that nothing uses."""
        return [*self.condition_scale[:-1], *self.condition_shift[:-1]]

    def stages(self, features: Tensor, descriptor: Tensor) -> list[Tensor]:
        """Input (N, width, h, w) of the heads, from 8 pixels up."""
        out = self.conv_body_first(features)
        skips = []
        for down in self.conv_body_down:
            out = down(out)
            skips.append(out)
        out, vector, levels = self.final_conv(out), self.linear_3dmm(descriptor), []
        for up, inject in zip(self.conv_body_up, self.inject_3dmm, strict=True):
            out = inject(up(out + skips.pop()), vector)
            levels.append(out)
        return levels

    def _head(self, index: int, stage: Tensor) -> Affine:
        return Affine(self.condition_scale[index](stage), self.condition_shift[index](stage))


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
