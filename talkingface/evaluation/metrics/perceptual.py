"""Distances of pictures in the features of trained networks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ...nn.losses.perceptual import LPIPS, VGG16
from ...weights import load_catalogue
from ...weights.exact import published_bytes
from ...weights.files.read import read_keras_vgg16
from ...weights.load import load_networks, load_strict
from ..metric import ClipFacts, FrameMetric, MetricTools, Observer

TINY = 1e-10
SIDE = 128  # pixels, height at which VGG16 looks: costs a quarter of 256, and ranks blur, shift and noise alike
SMALLEST = 64  # side that AlexNet needs


def vgg16(tools: MetricTools) -> VGG16:
    """VGG16 with all five blocks, from the catalogue."""
    network = VGG16(blocks=5)
    network.take(read_keras_vgg16(published_bytes("vgg16", tools.root), "vgg16"))
    return network.to(tools.device)


def vgg_features(tools: MetricTools, frames: Tensor) -> list[Tensor]:
    """Five maps (N, C, h, w) of frames (N, 3, H, W), RGB, [0, 1]."""
    return list(tools.once(vgg16)(scaled(frames, SIDE)))


class VGGObserver(Observer):
    """Features of the last frames that were taken.

    Attributes:
        made, real: five maps (N, C, h, w) each.
    """

    made: list[Tensor]
    real: list[Tensor]

    def begin(self, clip: ClipFacts) -> None:
        self.made, self.real = [], []

    def update(self, predicted: Tensor, real: Tensor) -> None:
        self.made, self.real = vgg_features(self.tools, predicted), self.tools.of_real(vgg_features, real)


class VGGDistance(FrameMetric):
    """Distance in the features of VGG16, all layers alike; a stand-in where LPIPS has no weights.

    Frames are scaled to a height of 128 pixels. Features after the last activation of each block are brought to length
    1 at each place; their squared distances are averaged over places and summed over blocks, as LPIPS does with learned
    weights (Zhang et al. 2018, eq. 1).
    """

    heading, digits, better = "VGG distance", 3, "lower"
    weights, packages, observes = "vgg16", ("h5py",), (VGGObserver,)

    def measure(self, predicted: Tensor, real: Tensor) -> Tensor:
        maps = self.observed(VGGObserver)
        pairs = zip(maps.made, maps.real, strict=True)
        return torch.stack([(_unit(a) - _unit(b)).square().sum(dim=1).mean(dim=(1, 2)) for a, b in pairs]).sum(dim=0)


def scaled(frames: Tensor, side: int) -> Tensor:
    """Frames (N, 3, H, W) at a height of `side` pixels, with their shape kept."""
    size = (side, max(1, round(side * frames.shape[-1] / frames.shape[-2])))
    return F.interpolate(frames, size, mode="bilinear", antialias=True, align_corners=False)


def _unit(features: Tensor) -> Tensor:
    return features / (features.square().sum(dim=1, keepdim=True) + TINY).sqrt()


def lpips(tools: MetricTools) -> LPIPS:
    """LPIPS on AlexNet with its official weights."""
    network, state = LPIPS(), dict[str, Tensor]()
    files = [entry.path(tools.root) for entry in load_catalogue().entries_for(OfficialLPIPS.weights)]
    for file in files:
        state |= load_networks(file).states.get("lpips", {})
    wanted = network.state_dict()
    load_strict(network, {name: value for name, value in state.items() if name in wanted}, where=files[0])
    return network.to(tools.device)


class OfficialLPIPS(FrameMetric):
    """Learned perceptual distance on AlexNet, with the official weights; small frames are enlarged to 64 pixels.

    Source: Zhang et al. 2018, eq. 1, version 0.1.
    """

    heading, better, weights = "LPIPS", "lower", "lpips"

    def measure(self, predicted: Tensor, real: Tensor) -> Tensor:
        network = self.tools.once(lpips)
        if min(real.shape[-2:]) < SMALLEST:
            predicted, real = (scaled(frames, SMALLEST) for frames in (predicted, real))
        return network(predicted * 2 - 1, real * 2 - 1)  # type: ignore[no-any-return]
