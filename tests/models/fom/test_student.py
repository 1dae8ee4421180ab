"""Students of FOM: their structure, and the losses of their three stages."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from talkingface.errors import ConfigError
from talkingface.models.fom.config import FOMConfig
from talkingface.models.fom.networks.build import build_networks
from talkingface.models.fom.networks.student import NETWORKS
from talkingface.models.fom.training.student import STAGES, StudentTraining, edge_error
from talkingface.models.fom.training.student_settings import StudentLosses

from .conftest import build_small
from .test_animation import animate
from .test_mixed import PARAMS, faces

PRUNED: dict[str, Any] = {
    "separable": True,
    "pruned": {
        "kp_detector": {"predictor.encoder.down_blocks.1.conv.point": 24},
        "generator": {"first.conv": 4, "bottleneck.r1.conv1.point": 20, "dense_motion_network.hourglass."
                      "decoder.up_blocks.0.conv.point": 8},
    },
}  # fmt: skip


def batch() -> dict[str, Tensor]:
    torch.manual_seed(1)
    points = {f"points_{name}": faces(2) for name in ("source", "driving")}
    return {"source": torch.rand(2, 3, 64, 64), "driving": torch.rand(2, 3, 64, 64), **points}


def training(stage: str, **losses: float) -> StudentTraining:
    """A student of mixed keypoints and its teacher, whose networks differ."""
    torch.manual_seed(0)
    config = FOMConfig.model_validate(PARAMS)
    teacher = nn.ModuleDict({name: build_networks(config)[name] for name in NETWORKS})
    student = StudentTraining(config.model_copy(update={"separable": True}), teacher, StudentLosses(**losses), 1e-3)
    student.choose_stage(stage)
    return student


@torch.no_grad()
def test_a_pruned_student_is_smaller_and_its_fast_frames_equal_the_plain_networks(video: Tensor) -> None:
    plugin, whole = build_small(**PRUNED), build_small()
    assert plugin.networks["generator"].first.conv.out_channels == 4
    for name in NETWORKS:
        sizes = [sum(value.numel() for value in some.networks[name].parameters()) for some in (plugin, whole)]
        assert sizes[0] < sizes[1] / 2
    detector, generator = plugin.networks["kp_detector"].eval(), plugin.networks["generator"].eval()
    still, driving = detector(video[:1]), detector(video)
    plain = generator(video[:1].expand_as(video), {k: v.expand(5, *v.shape[1:]) for k, v in still.items()}, driving)
    assert (animate(plugin, video, relative=False) - plain["prediction"]).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("pruned", "message"),
    [
        ({"discriminator": {"a": 1}}, "no network 'discriminator' to prune"),
        ({"generator": {"first.conv": 9}}, "layer 'first.conv' cannot have 9 channels; it has 8"),
        ({"generator": {"final": 1}}, "layer 'final' cannot have 1 channels"),
    ],
)
def test_counts_that_do_not_fit_are_refused(pruned: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_small(pruned=pruned)


@pytest.mark.parametrize("stage", STAGES)
def test_losses_reach_the_networks_of_the_stage_and_no_others(stage: str) -> None:
    plugin = training(stage, sparsity=0.1)
    before = copy.deepcopy(plugin.teacher.state_dict())
    (phase,) = plugin.phases(None)
    torch.stack(list(phase.loss(batch()).values())).sum().backward()
    for name, network in plugin.networks.items():
        reached = any(value.grad is not None and value.grad.abs().sum() > 0 for value in network.parameters())
        assert reached == (name in STAGES[stage])
    assert all(torch.equal(value, before[name]) for name, value in plugin.teacher.state_dict().items())


def test_a_student_that_is_its_teacher_has_no_distance_from_it() -> None:
    plugin = training("both")
    plugin.networks = copy.deepcopy(plugin.teacher).requires_grad_(True)
    (phase,) = plugin.phases(None)
    losses = {name: float(value.detach()) for name, value in phase.loss(batch()).items()}
    assert all(losses[name] == pytest.approx(0, abs=1e-6) for name in ("values", "jacobians", "taught", "motion"))
    assert losses["attention"] == pytest.approx(0, abs=1e-6) and losses["reconstruction"] > 0.01
    scores, pictures = plugin.validate(batch())
    assert scores["taught"] == pytest.approx(0, abs=1e-6) and scores["l1"] == pytest.approx(scores["teacher"])
    assert pictures["prediction"].shape == (2, 3, 64, 64)


def test_validation_takes_the_teachers_network_where_the_stage_trains_none() -> None:
    plugin = training("keypoints")
    nn.init.constant_(plugin.networks["generator"].final.bias, 9)
    plugin.networks["kp_detector"] = copy.deepcopy(plugin.teacher["kp_detector"])
    assert plugin.validate(batch())[0]["taught"] == pytest.approx(0, abs=1e-6)


def test_edges_are_compared_by_their_differences() -> None:
    flat, step = torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)
    step[..., 2:] = 1
    ones = torch.ones(1, 1, 4, 4)
    assert float(edge_error(flat + 0.5, flat, ones)) == 0
    assert float(edge_error(step, flat, ones)) == pytest.approx(1 / 3)
