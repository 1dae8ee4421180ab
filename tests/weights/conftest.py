"""Small weight files with the names and ranks of the published ones."""

from __future__ import annotations

import os
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from torch import Tensor

States = dict[str, dict[str, Tensor]]


@pytest.fixture
def states() -> States:
    """Three networks named like FOM's, a few numbers wide; a counter and a strided view among them."""
    made = torch.Generator().manual_seed(7)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=made)

    return {
        "kp_detector": {
            "predictor.encoder.down_blocks.0.conv.weight": draw(4, 3, 3, 3),
            "predictor.encoder.down_blocks.0.norm.running_mean": draw(4),
            "predictor.encoder.down_blocks.0.norm.num_batches_tracked": torch.tensor(0),
            "kp.weight": draw(10, 7, 7, 4).permute(0, 3, 1, 2),
        },
        "generator": {
            "dense_motion_network.mask.weight": draw(11, 4, 7, 7),
            "first.conv.weight": draw(4, 3, 7, 7),
            "first.norm.running_var": draw(4).abs(),
        },
        "discriminator": {"discs.1.conv.weight": draw(1, 4, 1, 1)},
    }


@pytest.fixture
def published(states: States) -> dict[str, object]:
    """Content of a published file: state dicts, an optimizer state and an epoch."""
    moments = {key: torch.ones_like(value) for key, value in enumerate(states["generator"].values())}
    optimizer = {
        "state": {140_000_000_000_001: {"step": 9, "exp_avg": moments[0]}},
        "param_groups": [{"lr": 2e-4, "betas": (0.5, 0.999), "amsgrad": False, "params": [140_000_000_000_001]}],
    }
    return {
        **{name: OrderedDict(state) for name, state in states.items()},
        "optimizer_generator": optimizer,
        "epoch": 99,
    }


def assert_equal_states(found: States, wanted: States) -> None:
    """Same networks, keys, number types and bits."""
    assert found.keys() == wanted.keys()
    for name, state in wanted.items():
        assert found[name].keys() == state.keys()
        for key, value in state.items():
            assert found[name][key].dtype == value.dtype
            assert torch.equal(found[name][key], value), (name, key)


def shared_folder() -> Path:
    """The folder of shared material, or a skip with its reason."""
    folder = Path(os.environ.get("TALKINGFACE_SHARED", Path(__file__).resolve().parents[3] / "shared"))
    if not (folder / "parity").is_dir():
        pytest.skip(f"no shared material in {folder} (set TALKINGFACE_SHARED)")
    return folder
