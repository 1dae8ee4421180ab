"""Weights drawn from a seed, for what does not depend on what a model has learnt: time and memory."""

from __future__ import annotations

from pathlib import Path

import torch

from talkingface import registry
from talkingface.config import variant_params
from talkingface.train.checkpoints import export


def drawn_weights(model: str, variant: str, path: Path) -> Path:
    """A weight file of a model that has not been trained.

    Args:
        variant: a configuration of the model, such as ``compact``.
        path: of the safetensors file.
    """
    config = registry.config_class(model).model_validate(variant_params(model, variant))
    torch.manual_seed(0)
    plugin = registry.model(model)(config)
    states = {name: plugin.networks[name].state_dict() for name in plugin.inference_networks}
    return export(path, plugin, states, "float32", {})
