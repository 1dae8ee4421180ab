"""Perceptual distances of pictures: a loss on VGG19 (Johnson et al. 2016), and LPIPS on AlexNet (Zhang et al. 2018).

The form of the loss is PIRenderer's and StyleHEAT's: means of absolute differences at several scales, all layers with
weight 1, pictures halved after their normalisation, and optional Gram matrices (style) of the full scale only.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import WeightsError
from ..geometry.grids import resize_map

# Channels of the convolutions up to relu5_1, the last layer that perceptual losses compare; "M" halves the size.
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
        """Pictures (N, 3, H, W) in [0, 1] less the mean of ImageNet, over its deviation."""
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
STYLE_WEIGHT = 250.0  # of the style term in StyleHEAT, where it uses it


def perceptual_loss(
    vgg: VGG19, made: Tensor, real: Tensor, *, style: float = 0.0, mask: Tensor | None = None, scales: int = SCALES
) -> Tensor:
    """Distance of pictures in the features of VGG19.

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
            # To a size, not by a factor: then the last row of an odd picture counts, as in the published training.
            made, real = (resize_map(x, (x.shape[-2] // 2, x.shape[-1] // 2)) for x in (made, real))
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
        """Maps of the distance, five (N, 1, h, w) from fine to coarse; their means add up to `forward`."""
        pairs = zip(self._directions(one), self._directions(other), strict=True)
        weights = (self.lin0, self.lin1, self.lin2, self.lin3, self.lin4)
        return [weigh((a - b).square()) for weigh, (a, b) in zip(weights, pairs, strict=True)]

    def _directions(self, pictures: Tensor) -> list[Tensor]:
        """Features after each ReLU, as vectors of length 1 at each place."""
        directions, out = [], (pictures - self.shift) / self.scale
        for layer in self.features:
            out = layer(out)
            if isinstance(layer, nn.ReLU):
                directions.append(out / (torch.linalg.vector_norm(out, dim=1, keepdim=True) + SMALLEST))
        return directions


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
