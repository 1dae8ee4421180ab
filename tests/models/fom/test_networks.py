"""Published names and sizes, and options."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml
from pydantic import ValidationError

from talkingface.errors import ShapeError
from talkingface.models.fom.config import FOMConfig, LossWeights
from talkingface.models.fom.networks.build import build_networks

from .conftest import build_small

YAMLS = Path(__file__).parents[3] / "properties" / "model" / "FOM"
PUBLISHED = ("vox", "vox-adv", "taichi", "taichi-adv", "fashion", "mgif", "bair", "nemo")

# Entries of the released state dicts and parameters (buffers not counted), from the weights' own documentation.
DETECTOR = {"mgif": 14_153_592}
DISCRIMINATOR = {
    **dict.fromkeys(("vox", "mgif", "bair", "nemo"), (26, 2_758_849)),
    **dict.fromkeys(("taichi", "fashion"), (16, 2_758_849)),
    **dict.fromkeys(("vox-adv", "taichi-adv"), (16, 2_769_089)),
}


def published_config(name: str) -> FOMConfig:
    document = yaml.safe_load((YAMLS / f"{name}-256.yaml").read_text())
    return FOMConfig.model_validate(document["model_params"])


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_config_builds_the_released_state_dicts(name: str):
    with torch.device("meta"):
        networks = build_networks(published_config(name))
    sizes = {
        key: (len(network.state_dict()), sum(p.numel() for p in network.parameters()))
        for key, network in networks.items()
    }
    assert sizes == {
        "kp_detector": (75, DETECTOR.get(name, 14_215_368)),
        "generator": (196, 45_575_391),
        "discriminator": DISCRIMINATOR[name],
    }
    assert "down.weight" in networks["kp_detector"].state_dict()
    assert "dense_motion_network.down.weight" in networks["generator"].state_dict()


def test_released_document_reads_without_translation():
    document = {
        "dataset_params": {"root_dir": "data/vox-png"},
        "model_params": {"common_params": {"num_kp": 5}, "discriminator_params": {"sn": True}},
        "train_params": {"num_epochs": 3, "lr_kp_detector": 0, "transform_params": {"sigma_affine": 0.1}},
        "visualizer_params": {"kp_size": 5},
    }
    config = FOMConfig.from_released(document, align_corners=False)
    assert config.common_params.num_kp == 5
    assert config.discriminator_params.sn and not config.align_corners
    assert config.train_params.num_epochs == 3
    assert config.train_params.transform_params.sigma_tps is None


def test_unknown_setting_is_refused():
    with pytest.raises(ValidationError):
        FOMConfig.model_validate({"common_params": {"num_keypoint": 4}})


def test_zero_perceptual_weight_means_no_layer():
    assert LossWeights.model_validate({"perceptual": 0}).perceptual == []


def test_wrong_size_is_told_before_it_fails_deep_inside(plugin):
    with pytest.raises(ShapeError, match="multiples of 8"):
        plugin.networks["kp_detector"](torch.rand(1, 3, 60, 64))


def test_fresh_detector_has_identity_jacobians():
    networks = build_networks(build_small().config)
    jacobian = networks["kp_detector"].eval()(torch.rand(1, 3, 64, 64))["jacobian"]
    assert torch.allclose(jacobian, torch.eye(2).expand(1, 4, 2, 2), atol=1e-6)


def test_batch_statistics_are_counted_as_in_released_weights():
    networks = build_small().networks.train()
    networks["kp_detector"](torch.rand(2, 3, 64, 64))
    state = networks["kp_detector"].state_dict()
    assert state["predictor.encoder.down_blocks.0.norm.num_batches_tracked"] == 0


@torch.no_grad()
@pytest.mark.parametrize("align_corners", [True, False])
def test_no_motion_is_the_identity_only_with_aligned_corners(align_corners: bool):
    """Without motion every warp field is the identity, whatever the mask says."""
    generator = build_small(align_corners=align_corners).networks["generator"].eval()
    network = generator.dense_motion_network
    small = torch.rand(1, 3, 32, 32)
    keypoints = {"value": torch.rand(1, 4, 2) - 0.5, "jacobian": torch.eye(2).expand(1, 4, 2, 2)}
    heatmaps = network.heatmaps(keypoints["value"], (32, 32))
    warped = network(small, heatmaps, keypoints, keypoints)["sparse_deformed"]
    assert torch.allclose(warped, small[:, None].expand_as(warped), atol=1e-4) is align_corners
