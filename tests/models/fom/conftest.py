"""A small FOM of real parts, with batch statistics that make a wrong fold visible."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from talkingface.models.fom.config import FOMConfig
from talkingface.models.fom.plugin import FOM

SMALL = {
    "image_size": 64,
    "common_params": {"num_kp": 4},
    "kp_detector_params": {"block_expansion": 8, "max_features": 32, "num_blocks": 3, "scale_factor": 0.5},
    "generator_params": {
        "block_expansion": 8,
        "max_features": 32,
        "num_bottleneck_blocks": 2,
        "dense_motion_params": {"block_expansion": 8, "max_features": 32, "num_blocks": 3, "scale_factor": 0.5},
    },
    "discriminator_params": {
        "scales": [1, 0.5],
        "block_expansion": 8,
        "max_features": 32,
        "num_blocks": 2,
        "use_kp": True,
    },
    "train_params": {"loss_weights": {"perceptual": 0}},
}


def build_small(**changes) -> FOM:
    """A small plugin with drawn weights; `changes` replace whole groups of its settings."""
    torch.manual_seed(0)
    plugin = FOM(FOMConfig.model_validate({**SMALL, **changes}))
    for module in plugin.networks.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.3)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
    nn.init.normal_(plugin.networks["generator"].final.weight, std=0.2)  # else all pictures are nearly grey
    head = plugin.networks["kp_detector"].jacobian
    if head is not None:
        nn.init.normal_(head.weight, std=0.02)
    return plugin


@pytest.fixture
def plugin() -> FOM:
    return build_small()


@pytest.fixture
def video() -> torch.Tensor:
    return torch.rand(5, 3, 64, 64, generator=torch.Generator().manual_seed(1))
