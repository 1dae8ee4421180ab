"""LPIPS, a learned distance between pictures (Zhang et al. 2018), version 0.1 on AlexNet.

Two published files belong to it: torchvision's AlexNet (``features.*``) and ``alex.pth`` (``lin0..4.model.1.weight``);
a state dict of this module is the two together.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

CHANNELS = (64, 192, 384, 256, 256)  # after each of AlexNet's five ReLUs
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # mean and deviation of ImageNet in [-1, 1]
SMALLEST = 1e-10


def alexnet_features() -> nn.Sequential:
    """The convolutions of AlexNet (Krizhevsky 2014, "One weird trick"), numbered as torchvision numbers them."""
    one, two, three, four, five = CHANNELS
    return nn.Sequential(
        nn.Conv2d(3, one, 11, stride=4, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(one, two, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(two, three, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(three, four, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(four, five, 3, padding=1),
        nn.ReLU(),
    )


class _Weights(nn.Module):
    """One weight for each channel. In training a dropout stood before the convolution, hence its number."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.model = nn.Sequential(nn.Identity(), nn.Conv2d(channels, 1, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.model(x)
        return out


class LPIPS(nn.Module):
    """Distance of two pictures: 0 is the same, 1 is far. It is never trained."""

    shift: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.features = alexnet_features()
        self.lin0, self.lin1, self.lin2, self.lin3, self.lin4 = (_Weights(channels) for channels in CHANNELS)
        self.register_buffer("shift", torch.tensor(SHIFT).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor(SCALE).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(False).eval()

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        """Distances (N,) of pictures (N, 3, H, W) in [-1, 1]; sides of 63 at least."""
        return torch.stack([distance.mean(dim=(1, 2, 3)) for distance in self.maps(one, other)]).sum(dim=0)

    def maps(self, one: Tensor, other: Tensor) -> list[Tensor]:
        """Where the pictures differ: five (N, 1, h, w), from fine to coarse."""
        pairs = zip(self._directions(one), self._directions(other), strict=True)
        weights = (self.lin0, self.lin1, self.lin2, self.lin3, self.lin4)
        return [weigh((a - b).square()) for weigh, (a, b) in zip(weights, pairs, strict=True)]

    def _directions(self, pictures: Tensor) -> list[Tensor]:
        """Features after each ReLU, as vectors of length 1 at each place."""
        found, out = [], (pictures - self.shift) / self.scale
        for layer in self.features:
            out = layer(out)
            if isinstance(layer, nn.ReLU):
                found.append(out / (torch.linalg.vector_norm(out, dim=1, keepdim=True) + SMALLEST))
        return found
