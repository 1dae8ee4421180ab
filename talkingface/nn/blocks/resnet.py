"""Residual networks under torchvision's names, which published networks for faces carry.

He et al. 2016, with the stride of a bottleneck in its 3x3 convolution ("ResNet v1.5").
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module | None:
    """Shortcut of an input that does not have the shape of the output."""
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(_conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))


class Basic(nn.Module):
    """Two 3x3 convolutions."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = _conv(inputs, width, 3, stride), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = _conv(width, width, 3), nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(inputs, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, width, H / stride, W / stride)."""
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out: Tensor = self.relu(y + (x if self.downsample is None else self.downsample(x)))
        return out


class Bottleneck(nn.Module):
    """A 3x3 convolution between two of 1x1."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = width * self.expansion
        self.conv1, self.bn1 = _conv(inputs, width, 1), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = _conv(width, width, 3, stride), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = _conv(width, outputs, 1), nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, 4 * width, H / stride, W / stride)."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn3(self.conv3(self.relu(self.bn2(self.conv2(y)))))
        out: Tensor = self.relu(y + (x if self.downsample is None else self.downsample(x)))
        return out


class ResNet(nn.Module):
    """The whole network up to the average over the picture, and one linear layer behind it where ``classes`` is given.

    Args:
        block: `Basic` or `Bottleneck`.
        depths: blocks of the four stages.
        classes: outputs of the linear layer ``fc``; None leaves it out.
    """

    def __init__(self, block: type[Basic] | type[Bottleneck], depths: Sequence[int], classes: int | None = None):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        self.relu, self.maxpool = nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
        self.features = 64
        self.layer1 = self._stage(block, 64, depths[0], 1)
        self.layer2, self.layer3, self.layer4 = (self._stage(block, 64 << i, depths[i], 2) for i in (1, 2, 3))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = None if classes is None else nn.Linear(self.features, classes)

    def _stage(self, block: type[Basic] | type[Bottleneck], width: int, depth: int, stride: int) -> nn.Sequential:
        blocks = []
        for index in range(depth):
            blocks.append(block(self.features, width, stride if index == 0 else 1))
            self.features = width * block.expansion
        return nn.Sequential(*blocks)

    def stages(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Features after the four stages of pictures (N, 3, H, W), at 1/4, 1/8, 1/16 and 1/32 of their size."""
        first = self.layer1(self.maxpool(self.relu(self.bn1(self.conv1(x)))))
        second = self.layer2(first)
        third = self.layer3(second)
        return first, second, third, self.layer4(third)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, features, 1, 1), or (N, classes)."""
        x = self.avgpool(self.stages(x)[-1])
        out: Tensor = x if self.fc is None else self.fc(x.flatten(1))
        return out


def resnet18(classes: int | None = None) -> ResNet:
    """11 M parameters, 512 features."""
    return ResNet(Basic, (2, 2, 2, 2), classes)


def resnet50(classes: int | None = None) -> ResNet:
    """24 M parameters, 2048 features."""
    return ResNet(Bottleneck, (3, 4, 6, 3), classes)
