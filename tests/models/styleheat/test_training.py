"""Every stage: its terms, whom they reach, what switches do, and runs that are resumed bit for bit."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from talkingface.data import open_store
from talkingface.errors import ConfigError, WeightsError
from talkingface.models.base import Batch, Phase
from talkingface.models.styleheat.compact.joint import FacePairs, flow_error
from talkingface.models.styleheat.config import STAGES, JointWeights
from talkingface.models.styleheat.networks.warper import Warp
from talkingface.models.styleheat.plugin import StyleHeat
from talkingface.nn.losses.perceptual import VGG19
from talkingface.paths import shipped
from talkingface.train import Trainer, TrainSettings
from talkingface.train.step import freeze_others

from .small import TINY, WITHOUT_VGG, pictures, plugin

SAMPLE = shipped("dataset", "sample") / "lmdb"
TRAIN = SimpleNamespace(loss_weights={})
RIGHTWARDS = 254  # column of a row of 260 coefficients: where the head is


def model(stage: str, **changes: Any) -> StyleHeat:
    made = plugin(train_params={**WITHOUT_VGG, **changes})
    made.choose_stage(stage)
    made.networks.train()
    return made


def batch(count: int = 2, side: int = 32) -> Batch:
    random = torch.Generator().manual_seed(4)
    rows = {f"{name}_rows": torch.randn(count, 27, 73, generator=random) for name in ("source", "driving")}
    points = torch.rand(count, 1, 136, generator=random) * 100 + 60
    frames = {"source": pictures(count, side, 1), "driving": pictures(count, side, 2)}
    found = {name: (frame + 1) / 2 for name, frame in frames.items()}
    return {**found, **rows, "source_keypoints": points, "driving_keypoints": points + 3}


def run_phase(made: StyleHeat, phase: Phase, given: Batch | None = None) -> dict[str, Tensor]:
    """Gradients of a phase, as the trainer takes them."""
    freeze_others(made.networks, phase, {id(p) for p in made.networks.parameters() if p.requires_grad})
    made.networks.zero_grad()
    torch.manual_seed(0)
    losses = phase.loss(given if given is not None else batch())
    torch.stack(list(losses.values())).sum().backward()
    return losses


def reached(made: StyleHeat) -> set[str]:
    """Networks with some gradient that is not zero."""
    return {
        name
        for name, network in made.networks.items()
        if any(p.grad is not None and bool(p.grad.any()) for p in network.parameters())
    }


def test_every_stage_has_phases_with_finite_terms_that_reach_their_networks():
    terms = {}
    for stage in STAGES:
        judged = {"loss_weights": {"adversarial": 0.1}}
        made = model(stage, inversion={"tune": ["stylegan"], **judged}, joint=judged)
        trainable = {id(p) for p in made.networks.parameters() if p.requires_grad}
        given = batch()
        for phase in made.phases(TRAIN):
            for parameter in made.networks.parameters():
                parameter.requires_grad_(id(parameter) in trainable)
            losses = run_phase(made, phase, given)
            assert all(value.ndim == 0 and value.isfinite() for value in losses.values()), losses
            assert reached(made) == {name.split(".")[0] for name in phase.networks}, phase.name
            terms[stage, phase.name] = set(losses)
    assert terms == {
        ("video_warper", "video_warper"): {"reconstruction"},
        ("calibrator", "calibrator"): {"reconstruction", "reconstruction_warp"},
        ("inversion", "inversion"): {"reconstruction", "rough", "offsets", "adversarial"},
        ("inversion", "discriminator"): {"discriminator"},
        ("joint", "joint"): {"reconstruction", "own", "rough", "flow", "offsets", "adversarial"},
        ("joint", "discriminator"): {"discriminator"},
        ("generator", "generator"): {"adversarial"},
        ("generator", "path"): {"path"},
        ("generator", "discriminator"): {"logistic"},
        ("generator", "r1"): {"r1"},
    }


def test_what_nothing_looks_at_is_never_trained():
    made = model("calibrator")
    frozen = {name for name, p in made.networks.named_parameters() if not p.requires_grad}
    assert any(name.startswith("calibrator.condition_scale.0") for name in frozen)
    assert not any(name.startswith("calibrator.condition_scale.1") for name in frozen)
    assert {name for name in frozen if name.startswith("stylegan")} == {
        name for name, _ in made.networks.named_parameters() if name.startswith("stylegan") and "noise" in name
    }


def test_the_published_losses_of_both_stages_need_vgg_and_say_where_it_is():
    made = StyleHeat(type(plugin().config).model_validate({**plugin().config.model_dump(), "train_params": {}}))
    for stage in ("video_warper", "calibrator"):
        made.choose_stage(stage)
        assert list(made.auxiliary(TRAIN)) == ["vgg19"]
        with pytest.raises(WeightsError, match="vgg19"):
            made.phases(TRAIN)
    free = {"perceptual_warp": 0, "perceptual_final": 0, "perceptual_regular": 0}
    assert made.auxiliary(SimpleNamespace(loss_weights=free)) == {}
    with pytest.raises(ConfigError, match="perceptul"):
        made.phases(SimpleNamespace(loss_weights={"perceptul": 1}))


@pytest.fixture(scope="module")
def vgg() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return VGG19().state_dict()


def test_stage_two_has_the_published_terms_and_both_signs(vgg: dict[str, Tensor]):
    weights = {"perceptual_final": 0.2, "perceptual_warp": 0, "perceptual_regular": 0}
    signs = []
    for inverted in (False, True):
        made = model("calibrator", calibrator={"loss_weights": weights, "inverted_adversary": inverted})
        made.auxiliary(TRAIN)["vgg19"](vgg)
        (phase,) = made.phases(TRAIN)
        assert set(phase.networks) == {"calibrator"}
        assert set(phase.through) == {"stylegan", "e4e_encoder", "hfgi_aligner", "hfgi_encoder", "video_warper"}
        losses = run_phase(made, phase, batch(side=128))
        assert set(losses) == {"local_loss", "perceptual_final", "gan_loss"}
        signs.append(losses["gan_loss"].item())
    assert signs[0] != pytest.approx(signs[1])


def test_the_joint_stage_knows_where_faces_have_moved():
    random = torch.Generator().manual_seed(0)
    source, driving = torch.zeros(2, 27, 260), torch.zeros(2, 27, 260)
    driving[:, :, RIGHTWARDS] = 0.2
    frames = torch.rand(2, 3, 64, 64, generator=random)
    faces = FacePairs.of({"source": frames, "source_rows": source, "driving_rows": driving})
    shift = (faces.target - faces.source).mean(dim=1)
    assert shift[:2, 0].min() > 0.02 and shift[2:, 0].max() < -0.02 and shift[:, 1].abs().max() < 1e-3
    flow = -shift[:, :, None, None].expand(-1, -1, 32, 32) * 31 / 2
    guide = faces.guide(32)
    still, right = (flow_error(Warp(values, torch.zeros(4, 1)), guide) for values in (torch.zeros_like(flow), flow))
    assert right < 0.3 * still
    counts = faces.counts(JointWeights(lips=4, eyes=3), torch.cat([frames, frames]))
    assert counts.shape == (4, 1, 64, 64) and counts.min() == 0 and 3.9 < counts.max() < 7.1


@pytest.mark.parametrize("stage", ["video_warper", "calibrator", "joint"])
def test_guided_warpers_train(stage: str):
    both = {name: {**TINY[name], "guided": True} for name in ("warper", "calibrator")}
    made = plugin(**both, train_params=WITHOUT_VGG)
    made.choose_stage(stage)
    (phase,) = made.phases(TRAIN)
    losses = run_phase(made, phase)
    assert all(value.isfinite() for value in losses.values())
    assert reached(made) == {name.split(".")[0] for name in phase.networks}
    made.networks.eval()
    assert "warp" in made.validate(batch())[1]


def test_the_joint_stage_is_of_the_mesh_space_alone():
    made = plugin(space="bfm")
    made.choose_stage("joint")
    with pytest.raises(ConfigError, match="mesh"):
        made.phases(TRAIN)


def test_the_calibrator_counts_its_steps_and_saves_the_number():
    made = model("calibrator")
    (phase,) = made.phases(TRAIN)
    for _ in range(3):
        run_phase(made, phase)
    made.networks.eval()
    made.validate(batch())
    assert int(made.networks.state_dict()["progress.iteration"]) == 3


def test_frozen_encoders_keep_their_statistics():
    made = model("calibrator")
    before = {k: v.clone() for k, v in made.networks["e4e_encoder"].state_dict().items()}
    run_phase(made, made.phases(TRAIN)[0])
    assert all(torch.equal(v, before[k]) for k, v in made.networks["e4e_encoder"].state_dict().items())


def test_an_encoder_without_a_mean_code_takes_the_generators():
    made = model("inversion")
    made.model.generator.e4e_encoder.latent_avg.zero_()
    run_phase(made, made.phases(TRAIN)[0])
    mean = made.model.generator.e4e_encoder.latent_avg
    assert mean.any() and torch.equal(mean[0], mean[-1])


def test_weights_that_are_scaled_when_used_take_larger_steps():
    made = model("joint", joint={"equalised": 4})
    (phase,) = made.phases(TRAIN)
    generator, warper = made.networks["stylegan"].conv1.conv, made.networks["video_warper"].mapping_net.first[0]
    optimizer = phase.optimizer([generator.weight, generator.modulation.bias, warper.weight])
    rates = {id(one): group["lr"] for group in optimizer.param_groups for one in group["params"]}
    assert rates[id(generator.weight)] == 4 * rates[id(warper.weight)] == 4 * rates[id(generator.modulation.bias)]


def test_a_penalty_shares_the_optimizer_of_its_side():
    made = model("generator")
    phases = {phase.name: phase for phase in made.phases(TRAIN)}
    own = list(made.networks["stylegan"].parameters())
    generator, path = (phases[name].optimizer(own) for name in ("generator", "path"))
    assert generator is path
    assert generator.param_groups[0]["lr"] == pytest.approx(0.002 * 4 / 5)
    others = phases["r1"].optimizer(list(made.networks["discriminator"].parameters()))
    assert others is not generator and others.param_groups[0]["betas"][1] == pytest.approx(0.99 ** (16 / 17))
    assert [phase.every for phase in phases.values()] == [1, 4, 1, 16]


@pytest.mark.parametrize("stage", STAGES)
def test_validation_shows_pictures(stage: str):
    made = model(stage)
    made.networks.eval()
    scores, shown = made.validate(batch())
    assert all(value >= 0 for value in scores.values())
    assert {"calibrator": {"warp", "result"}, "joint": {"warp", "result"}, "video_warper": {"warp"}}.get(
        stage, set(shown)
    ) == set(shown)
    assert all(picture.shape == (2, 3, 32, 32) for picture in shown.values())


def trained(folder: Path, stage: str, steps: int, **changes: Any) -> StyleHeat:
    made = model(stage, inversion={"tune": ["stylegan"]}, calibrator={**WITHOUT_VGG["calibrator"], "tune": []})
    settings = {"stage": stage, "max_steps": steps, "image_size": 32, "batch_size": 2, "workers": 0}
    settings |= {"tensorboard": False, "validate_every": 100, "ema_decay": 0.9, "augment": {"horizontal_flip": False}}
    held = list(made.networks)
    store = open_store(SAMPLE, "train", size=32)
    Trainer(made, store, TrainSettings.model_validate({**settings, **changes}), folder, held=held).run()
    return made


@pytest.mark.parametrize("stage", STAGES)
def test_a_resumed_run_gives_the_same_bits(tmp_path: Path, stage: str):
    whole = trained(tmp_path / "whole", stage, 5)
    trained(tmp_path / "parts", stage, 2)
    parts = trained(tmp_path / "parts", stage, 5, resume="auto")
    fresh = model(stage).networks.state_dict()
    states = whole.networks.state_dict(), parts.networks.state_dict()
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())
    assert any(not torch.equal(value, fresh[key]) for key, value in states[0].items())
