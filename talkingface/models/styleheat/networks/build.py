"""All networks of StyleHEAT, and a frame from an inverted picture and a motion (paper, figure 2).

There is one architecture: the compact networks are the published ones at smaller numbers.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ....nn.geometry.grids import warp_by_field
from ....nn.stylegan2.conditions import Affine
from ....nn.stylegan2.discriminator import Discriminator
from ....nn.stylegan2.generator import Halfway
from ....nn.stylegan2.layers import EqualConv2d
from ....nn.stylegan2.losses import PathLengthPenalty
from ..compact.guide import MotionGuide
from ..structure import StyleHeatStructure
from .calibrator import CalibrationNet
from .inversion import Inversion, Inverter
from .warper import VideoWarper, Warp

INIT_DEVIATION = 0.02


class Moved(NamedTuple):
    """Features in motion.

    Attributes:
        warp: the motion.
        features: (N, C, f, f), moved.
        refine: correction by the calibrator.
    """

    warp: Warp
    features: Tensor
    refine: Affine


class StyleHeatNetworks(nn.Module):
    """Video warper, calibrator, and the inverter with its generator; their names are the published ones."""

    def __init__(self, structure: StyleHeatStructure | None = None) -> None:
        super().__init__()
        structure = structure or StyleHeatStructure()
        self.video_warper = VideoWarper(structure.warper)
        self.calibrator = CalibrationNet(structure.calibrator)
        self.generator = Inverter(structure)
        self.flow_side = structure.flow_side

    def forward(self, inversion: Inversion, windows: Tensor) -> Tensor:
        """Frames (N, 3, size, size), about [-1, 1], of windows (N, 73, 27) of coefficients."""
        return self.draw(inversion, self.move(inversion, windows))

    def move(self, inversion: Inversion, windows: Tensor, guide: MotionGuide | None = None) -> Moved:
        """Move an inverted picture by windows (N, 73, 27); one picture serves any number of these and of guides."""
        count = len(windows)
        warp = self.video_warper(_repeat(inversion.picture, count), windows, guide)
        features = warp_by_field(_repeat(inversion.features, count), warp.field)
        return Moved(warp, features, self.calibrator(features, warp.descriptor, guide))

    def draw(self, inversion: Inversion, moved: Moved) -> Tensor:
        """Frames (N, 3, size, size), about [-1, 1], of moved features."""
        return self._finish(inversion, moved.refine(moved.features))

    def draw_warped(self, inversion: Inversion, moved: Moved) -> Tensor:
        """Frames (N, 3, size, size) without the calibrator, for training and explanations."""
        return self._finish(inversion, moved.features)

    def _finish(self, inversion: Inversion, features: Tensor) -> Tensor:
        count = len(features)
        half = Halfway(features, _repeat(inversion.skip, count))
        return self.generator.stylegan.finish(half, _repeat(inversion.codes, count))


def networks_by_name(
    model: StyleHeatNetworks, discriminator: Discriminator, progress: TrainingNumbers
) -> nn.ModuleDict:
    """Networks that are saved and trained by name, the discriminator and the numbers of training included."""
    inverter = model.generator
    return nn.ModuleDict(
        {
            "stylegan": inverter.stylegan,
            "e4e_encoder": inverter.e4e_encoder,
            "hfgi_aligner": inverter.hfgi_aligner,
            "hfgi_encoder": inverter.hfgi_encoder,
            "video_warper": model.video_warper,
            "calibrator": model.calibrator,
            "discriminator": discriminator,
            "progress": progress,
        }
    )


class TrainingNumbers(nn.Module):
    """Numbers that training keeps beside weights, so that a resumed run goes on as if it had not stopped.

    Attributes:
        iteration: steps of the calibrator.
        path_length: the running mean path length of the generator.
    """

    iteration: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("iteration", torch.zeros((), dtype=torch.int64))
        self.path_length = PathLengthPenalty()


def initialise(model: StyleHeatNetworks) -> None:
    """Set the weights that training starts from; parameters that nothing uses are never trained.

    Plain convolutions and linear layers of warper and calibrator have a deviation of 0.02 and no bias, as published.
    Layers that change the generator's features, or correct a guide, begin with next to no change.
    """
    for part in (model.video_warper, model.calibrator):
        for layer in part.modules():
            if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                nn.init.normal_(layer.weight, std=INIT_DEVIATION)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
    if model.video_warper.guided:
        _last_convolution(model.video_warper.warping_net).weight.data.mul_(INIT_DEVIATION)
    encoder, calibrator = model.generator.hfgi_encoder, model.calibrator
    for head in (encoder.condition_scale3, encoder.condition_shift3, *calibrator.last_heads()):
        _last_convolution(head).weight.data.mul_(INIT_DEVIATION)
    for unused in (*calibrator.unused(), *model.generator.stylegan.noise_strengths()):
        unused.requires_grad_(False)


def _last_convolution(head: nn.Module) -> nn.Conv2d | EqualConv2d:
    return [layer for layer in head.modules() if isinstance(layer, nn.Conv2d | EqualConv2d)][-1]


def _repeat(values: Tensor, count: int) -> Tensor:
    """Values (N, ...) unchanged, or the single one `count` times."""
    return values.expand(count, *values.shape[1:]) if len(values) == 1 else values
