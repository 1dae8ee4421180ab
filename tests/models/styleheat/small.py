"""Small structures of real parts, and what several tests ask of a network."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import torch
from torch import Tensor, nn

from talkingface.models.styleheat.config import StyleHeatConfig
from talkingface.models.styleheat.plugin import StyleHeat
from talkingface.models.styleheat.structure import StyleHeatStructure
from talkingface.types import Motion
from talkingface.weights.load import load_strict

SMALL = {
    "generator": {"size": 32, "code_length": 8, "mapping_layers": 1, "width": 0.01, "max_channels": 12, "splice": 16},
    "encoder": {"stages": ((4, 1), (8, 1), (12, 1), (16, 1)), "codes": 8, "features": 8, "size": 64},
    "residual": {"aligner": (4, 6, 8, 10), "encoder": (4, 6, 8), "channels": 10, "size": 16},
    "warper": {"numbers": 5, "features": 16, "width": 4, "max_width": 16},
    "calibrator": {"size": 16, "channels": 10, "width": 8, "features": 16},
}
STRUCTURE = StyleHeatStructure.model_validate(SMALL)
WINDOW = 27


def seeded(network: nn.Module) -> nn.Module:
    """The network with weights that follow from nothing but their order, and batch norms that have seen something."""
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, values in [*network.named_parameters(), *network.named_buffers()]:
            if name.endswith("running_var"):
                values.uniform_(0.5, 1.5, generator=random)
            elif values.is_floating_point() and not name.endswith("kernel"):
                scale = 0.1 if values.ndim < 2 else 1 / values[0].numel() ** 0.5
                values.normal_(0.5 if values.ndim == 1 else 0, scale, generator=random)
    return network.eval()


def pictures(count: int, side: int, seed: int = 1) -> Tensor:
    """Noise in [-1, 1]."""
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def windows(count: int, frames: int = WINDOW, seed: int = 2) -> Tensor:
    return torch.randn(count, SMALL["warper"]["numbers"], frames, generator=torch.Generator().manual_seed(seed))


def without_gradient(network: nn.Module, *outputs: Tensor) -> list[str]:
    """Parameters that the outputs do not depend on."""
    loss = sum((out * torch.randn(out.shape, generator=torch.Generator().manual_seed(3))).sum() for out in outputs)
    loss.backward()
    return [name for name, values in network.named_parameters() if values.grad is None or not values.grad.any()]


def loads_its_own(network: nn.Module, other: nn.Module) -> bool:
    """True if another network of the same structure takes all numbers, strictly."""
    state = {name: values.clone() for name, values in network.state_dict().items()}
    load_strict(other, state, where="a test")
    return all(torch.equal(values, other.state_dict()[name]) for name, values in state.items())


TINY: dict[str, Any] = {
    **SMALL,
    "warper": {**SMALL["warper"], "numbers": 73},
    "space": "mesh",
    "framing": "face",
    "discriminator": {"size": 32, "width": 0.01, "max_channels": 8, "splice": 8},
}
"""Settings of the smallest StyleHEAT."""

WITHOUT_VGG: dict[str, Any] = {
    "video_warper": {"loss_weights": {"perceptual": 0, "reconstruction": 1}},
    "calibrator": {
        "loss_weights": {
            **dict.fromkeys(["local_loss", "perceptual_warp", "perceptual_final", "perceptual_regular", "gan_loss"], 0),
            "reconstruction": 1,
            "reconstruction_warp": 0.5,
        }
    },
}
"""Training settings whose losses need no other network."""


def plugin(**params: Any) -> StyleHeat:
    """The smallest StyleHEAT with weights that make every part count, in eval mode."""
    torch.manual_seed(0)
    made = StyleHeat(StyleHeatConfig.model_validate({**TINY, **params}))
    seeded(made.model)
    return made


def motion(frames: int, seed: int = 5, **values: Tensor) -> Motion:
    """Coefficients drawn from a seed."""
    rows = torch.randn(frames, 73, generator=torch.Generator().manual_seed(seed))
    return Motion("3dmm.73", Fraction(25), {"coefficients": rows, **values}, "mesh")
