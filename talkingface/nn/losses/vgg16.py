"""The convolutions of VGG16 (Simonyan and Zisserman 2015), and the distance of two pictures in its features."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import WeightsError

BLOCKS = (2, 2, 3, 3, 3)
WIDTHS = (64, 128, 256, 512, 512)
_TINY = 1e-6


class VGG16(nn.Module):
    """Features of pictures after the last activation of each block: relu1_2, relu2_2, relu3_3, relu4_3, relu5_3.

    It is never trained. The weights are those that take blue, green and red less their means, 0 to 255.

    Args:
        blocks: how many of the five there are.
    """

    mean: Tensor

    def __init__(self, blocks: int = 3) -> None:
        super().__init__()
        inputs = [3, *WIDTHS]
        self.blocks = nn.ModuleList(
            nn.ModuleList(
                nn.Conv2d(inputs[block] if index == 0 else WIDTHS[block], WIDTHS[block], 3, padding=1)
                for index in range(BLOCKS[block])
            )
            for block in range(blocks)
        )
        self.register_buffer("mean", torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(False).eval()

    def take(self, state: Mapping[str, Tensor]) -> None:
        """Load the weights; deeper blocks than this network has are left aside.

        Raises:
            WeightsError: if a layer is missing or has another shape.
        """
        wanted = self.state_dict()
        for name, tensor in wanted.items():
            if name not in state or state[name].shape != tensor.shape:
                raise WeightsError(f"'{name}' is missing or misshapen", where="VGG16 weights")
        self.load_state_dict({name: state[name] for name in wanted})

    def forward(self, image: Tensor) -> list[Tensor]:
        """The feature maps of (N, 3, H, W) pictures, RGB in [0, 1]."""
        out, maps = image.flip(1) * 255 - self.mean, []
        for number, block in enumerate(self.blocks):
            out = F.max_pool2d(out, 2) if number else out
            for layer in block.children():
                out = F.relu(layer(out))
            maps.append(out)
        return maps


def perceptual_distance(vgg: VGG16, made: Tensor, real: Tensor) -> Tensor:
    """Distance (N,) of pictures (N, 3, H, W) in features of VGG16.

    Features are brought to length one at each place (Zhang et al. 2018); squared differences are averaged over places
    and summed over channels and layers. The real pictures get no gradient.
    """
    with torch.no_grad():
        wanted = vgg(real)
    distances = [
        (_unit(a) - _unit(b)).square().sum(dim=1).mean(dim=(1, 2)) for a, b in zip(vgg(made), wanted, strict=True)
    ]
    return torch.stack(distances).sum(dim=0)


def _unit(features: Tensor) -> Tensor:
    features = features.float()
    return features * (features.square().sum(dim=1, keepdim=True) + _TINY).rsqrt()
