"""The convolutions of VGG19 (Simonyan and Zisserman 2015), under torchvision's parameter names."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ..errors import WeightsError

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
