"""Weights for inference, written from a training."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch

from ..models.base import ModelPlugin
from .state import States

FORMAT = "talkingface/1"


def export(path: Path, plugin: ModelPlugin, states: States, dtype: str, facts: Mapping[str, str]) -> Path:
    """Write weights as a file that ``--checkpoint`` takes.

    Args:
        path: of the safetensors file.
        plugin: names the model and holds its config.
        states: weights by network.
        dtype: ``"float32"``, ``"float16"`` or ``"bfloat16"``.
        facts: further metadata.
    """
    from ..weights.load import save_networks

    metadata = {"format": FORMAT, "model": plugin.name, "config": _config(plugin), **facts}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_networks(path, states, metadata, dtype=getattr(torch, dtype))
    return path


def _config(plugin: ModelPlugin) -> str:
    """The model's config as JSON, so that the file alone is enough to build it."""
    return json.dumps(plugin.config.model_dump(mode="json"))
