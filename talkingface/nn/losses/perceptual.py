"""Perceptual loss on features of VGG19 at several scales (Johnson et al. 2016), with an optional style term.

The form is PIRenderer's and StyleHEAT's: means of absolute differences, all layers with weight 1, pictures halved
after their normalisation, and Gram matrices of the full scale only.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import WeightsError
from ..geometry.grids import resize_map

# Channels of the convolutions up to relu5_1, the last layer that perceptual losses look at; "M" halves the size.
PLAN = (64, 64, "M", 128, 128, "M", 256, 256, 256, 256, "M", 512, 512, 512, 512, "M", 512)
RELU_LAYERS = (1, 6, 11, 20, 29)


class VGG19(nn.Module):
    """Features of pictures after relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1.

    The layers are numbered as in torchvision's ``vgg19().features``, so its weight file fits. It is never trained.
    """

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for step in PLAN:
            if isinstance(step, str):
                layers.append(nn.MaxPool2d(2))
                continue
            layers += [nn.Conv2d(channels, step, 3, padding=1), nn.ReLU()]
            channels = step
        self.features = nn.Sequential(*layers)
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(False).eval()

    def load_torchvision(self, state: Mapping[str, Tensor]) -> None:
        """Take the weights of torchvision's VGG19; its classifier and deeper layers are left aside.

        Raises:
            WeightsError: if a layer is missing or has another shape.
        """
        wanted = self.state_dict()
        for name, tensor in wanted.items():
            if name not in state or state[name].shape != tensor.shape:
                raise WeightsError(f"'{name}' is missing or misshapen", where="VGG19 weights")
        self.load_state_dict({name: state[name] for name in wanted})

    def forward(self, image: Tensor) -> list[Tensor]:
        """The five feature maps of (N, 3, H, W) pictures in [0, 1]."""
        return self.features_of(self.normalize(image))

    def normalize(self, image: Tensor) -> Tensor:
        """Pictures in [0, 1] as the network knows them: less the mean of ImageNet, by its deviation."""
        return (image - self.mean) / self.std

    def features_of(self, normalized: Tensor) -> list[Tensor]:
        """The five feature maps of pictures that `normalize` gave."""
        out, maps = normalized, []
        for index, layer in enumerate(self.features):
            out = layer(out)
            if index in RELU_LAYERS:
                maps.append(out)
        return maps


SCALES = 4
STYLE_WEIGHT = 250.0  # what StyleHEAT gives the style term where it uses it


def perceptual_loss(
    vgg: VGG19, made: Tensor, real: Tensor, *, style: float = 0.0, mask: Tensor | None = None, scales: int = SCALES
) -> Tensor:
    """How much two pictures differ to VGG19.

    Args:
        made, real: (N, 3, H, W) in [-1, 1]; the real ones get no gradient. The sides must allow `scales` - 1 halvings
            and the four of the network, so be 128 at least with four scales.
        style: weight of the difference of Gram matrices.
        mask: (N, 1, H, W), multiplies the features of both.

    Returns:
        A scalar.
    """
    made, real = vgg.normalize((made + 1) / 2), vgg.normalize((real.detach() + 1) / 2)
    total = made.new_zeros(())
    for scale in range(scales):
        if scale:
            made, real = (
                F.interpolate(x, scale_factor=0.5, mode="bilinear", align_corners=False) for x in (made, real)
            )
        with torch.no_grad():
            wanted = [_masked(features, mask) for features in vgg.features_of(real)]
        got = [_masked(features, mask) for features in vgg.features_of(made)]
        pairs = list(zip(got, wanted, strict=True))
        total = total + sum(F.l1_loss(a, b) for a, b in pairs)
        if style and scale == 0:
            total = total + style * sum(F.l1_loss(gram(a), gram(b)) for a, b in pairs)
    return total


def gram(features: Tensor) -> Tensor:
    """Products of all pairs of channels: (N, C, H, W) -> (N, C, C), divided by C H W."""
    flat = features.flatten(2)
    return flat @ flat.transpose(1, 2) / (flat.shape[1] * flat.shape[2])


def _masked(features: Tensor, mask: Tensor | None) -> Tensor:
    if mask is None:
        return features
    return features * resize_map(mask, (features.shape[-2], features.shape[-1]))
