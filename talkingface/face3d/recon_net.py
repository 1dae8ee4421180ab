"""The network that reads 257 coefficients off a picture of a face (Deng et al. 2019; names as in ``epoch_20.pth``)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..errors import ConfigError, did_you_mean
from ..nn.resnet import resnet18, resnet50
from .coefficients import LAYOUT_257

BACKBONES = {"resnet18": resnet18, "resnet50": resnet50}
# id, exp, tex, angle, gamma, x and y of trans, z of trans: the depth has a layer of its own.
HEADS = (80, 64, 80, 3, 27, 2, 1)


class ReconNet(nn.Module):
    """A residual network and seven linear heads.

    Args:
        backbone: ``"resnet50"`` (published) or ``"resnet18"``.
        use_last_fc: one linear layer ``backbone.fc`` in place of the heads, as an option of the published code has it.

    Raises:
        ConfigError: if there is no such backbone.
    """

    def __init__(self, backbone: str = "resnet50", *, use_last_fc: bool = False) -> None:
        super().__init__()
        if backbone not in BACKBONES:
            raise ConfigError(f"no backbone {backbone!r}", where="net_recon", cure=did_you_mean(backbone, BACKBONES))
        self.backbone = BACKBONES[backbone](LAYOUT_257.width if use_last_fc else None)
        if use_last_fc:
            self.final_layers = None
            return
        self.final_layers = nn.ModuleList(nn.Conv2d(self.backbone.features, width, 1) for width in HEADS)
        # An untrained network shows the mean face from the front, which is where training starts.
        for parameter in self.final_layers.parameters():
            nn.init.zeros_(parameter)

    def forward(self, pictures: Tensor) -> Tensor:
        """Coefficients of faces.

        Args:
            pictures: (N, 3, 224, 224), RGB, [0, 1], cut as `five_points.align` says.

        Returns:
            (N, 257), laid out as `coefficients.LAYOUT_257`.
        """
        features: Tensor = self.backbone(pictures)
        if self.final_layers is None:
            return features
        return torch.cat([head(features) for head in self.final_layers], dim=1).flatten(1)
