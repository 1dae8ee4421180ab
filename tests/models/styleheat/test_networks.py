"""Encoders, calibrator, and all networks together, in small structures of real parts."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from talkingface.errors import ShapeError, WeightsError
from talkingface.models.styleheat.networks.build import StyleHeatNetworks
from talkingface.models.styleheat.networks.calibrator import CalibrationNet
from talkingface.models.styleheat.networks.inversion import E4eEncoder, Inverter
from talkingface.models.styleheat.networks.residual import ResidualAligner, ResidualEncoder
from talkingface.models.styleheat.structure import CalibratorStructure, StyleHeatStructure
from talkingface.nn.geometry.grids import flow_to_field
from talkingface.nn.stylegan2.conditions import Conditions
from talkingface.weights.load import load_strict

from .small import SMALL, STRUCTURE, loads_its_own, pictures, seeded, windows, without_gradient


@pytest.fixture(scope="module")
def networks() -> StyleHeatNetworks:
    return seeded(StyleHeatNetworks(STRUCTURE)).requires_grad_(False)


def test_e4e_gives_a_code_for_each_layer():
    network = seeded(E4eEncoder(STRUCTURE.encoder))
    for block in network.encoder.body:  # their attention has one hidden unit: see that it is awake
        nn.init.constant_(block.res_layer[-1].fc1.weight, 1.0)
        nn.init.constant_(block.res_layer[-2].bias, 1.0)
    codes = network(pictures(2, 64))
    assert codes.shape == (2, 8, 8)
    assert without_gradient(network, codes) == []
    assert loads_its_own(network, E4eEncoder(STRUCTURE.encoder))


@pytest.mark.parametrize("shape", [(8, 8), (8,)])
def test_e4e_adds_the_mean_code(shape: tuple[int, ...]):
    network = seeded(E4eEncoder(STRUCTURE.encoder))
    network.latent_avg.zero_()
    before, mean = network(pictures(1, 64)), torch.randn(shape)
    network.load_mean(mean)
    assert torch.allclose(network(pictures(1, 64)), before + mean)
    assert torch.equal(network.state_dict()["latent_avg"], mean.expand(8, 8))


def test_e4e_refuses_a_mean_and_a_picture_of_another_size():
    network = E4eEncoder(STRUCTURE.encoder)
    with pytest.raises(WeightsError, match="latent_avg"):
        network.load_mean(torch.zeros(18, 8))
    with pytest.raises(ShapeError, match="64 x 64"):
        network(pictures(1, 32))


def test_residual_becomes_a_change_of_the_features():
    aligner, encoder = (seeded(kind(STRUCTURE.residual)) for kind in (ResidualAligner, ResidualEncoder))
    aligned = aligner(pictures(2, 64), pictures(2, 64, seed=4))
    details = encoder(aligned)
    assert aligned.shape == (2, 3, 64, 64)
    assert details.scale.shape == details.shift.shape == (2, 10, 16, 16)
    missing = without_gradient(aligner, *details)
    assert missing == []
    assert [name for name, values in encoder.named_parameters() if values.grad is None] == []
    assert loads_its_own(aligner, ResidualAligner(STRUCTURE.residual))
    assert loads_its_own(encoder, ResidualEncoder(STRUCTURE.residual))


def test_calibrator_has_a_head_at_each_size():
    network = seeded(CalibrationNet(STRUCTURE.calibrator))
    features, descriptor = torch.randn(2, 10, 16, 16), torch.randn(2, 16)
    maps = network.maps(features, descriptor)
    assert [tuple(pair.scale.shape) for pair in maps] == [(2, 10, 8, 8), (2, 10, 16, 16)]
    last = network(features, descriptor)
    assert torch.equal(last.scale, maps[-1].scale)
    assert torch.equal(last.shift, maps[-1].shift)
    missing = without_gradient(network, *(values for pair in maps for values in pair))
    assert all("inject_3dmm" in name and name.endswith((".conv1.bias", ".conv2.bias")) for name in missing)
    assert loads_its_own(network, CalibrationNet(STRUCTURE.calibrator))


def test_generating_skips_the_heads_that_are_not_used():
    network = seeded(CalibrationNet(STRUCTURE.calibrator))
    missing = without_gradient(network, *network(torch.randn(1, 10, 16, 16), torch.randn(1, 16)))
    unused = {name for name in missing if name.startswith("condition_")}
    of_first_head = ("condition_scale.0.", "condition_shift.0.")
    assert unused == {name for name, _ in network.named_parameters() if name.startswith(of_first_head)}


@torch.no_grad()
def test_inversion_agrees_with_the_generator_run_from_the_start(networks: StyleHeatNetworks):
    inverter, picture = networks.generator, pictures(1, 64)
    rough = inverter.encode(picture)
    found = inverter.detail(rough, rough.residual)
    whole = inverter.stylegan(rough.codes, Conditions(found.details))
    assert torch.allclose(found.full, whole.picture, atol=1e-6)
    assert torch.allclose(found.features, whole.features, atol=1e-6)
    assert torch.allclose(rough.residual, picture - rough.picture)
    assert found.picture.shape == (1, 3, 64, 64)
    assert found.picture.abs().max() <= 1


@torch.no_grad()
def test_frames_agree_with_the_generator_run_from_the_start(networks: StyleHeatNetworks):
    inversion, motion = networks.generator(pictures(1, 64)), windows(3)
    moved = networks.move(inversion, motion)
    frames = networks(inversion, motion)
    assert frames.shape == (3, 3, 32, 32)
    codes, features = inversion.codes.expand(3, -1, -1), inversion.features.expand(3, -1, -1, -1)
    field = flow_to_field(moved.warp.flow)
    changes = Conditions(replacement=features, warps=[field], refine=moved.refine)
    assert torch.allclose(frames, networks.generator.stylegan(codes, changes).picture, atol=1e-5)
    assert not torch.allclose(frames[0], frames[1])


@torch.no_grad()
def test_frames_do_not_depend_on_what_is_drawn_with_them(networks: StyleHeatNetworks):
    inversion, motion = networks.generator(pictures(1, 64)), windows(3)
    together = networks(inversion, motion)
    alone = torch.cat([networks(inversion, window[None]) for window in motion])
    assert torch.allclose(together, alone, atol=1e-5)


@torch.no_grad()
def test_sources_of_any_size_are_inverted_at_the_size_of_the_encoder(networks: StyleHeatNetworks):
    assert networks.generator(pictures(1, 96)).picture.shape == (1, 3, 64, 64)


def test_names_are_the_published_ones(networks: StyleHeatNetworks):
    parts = {".".join(name.split(".")[: 2 if name.startswith("generator") else 1]) for name in networks.state_dict()}
    inside = {f"generator.{part}" for part in ("e4e_encoder", "hfgi_aligner", "hfgi_encoder", "stylegan")}
    assert parts == {"video_warper", "calibrator", *inside}
    assert loads_its_own(networks, StyleHeatNetworks(STRUCTURE))


def test_a_missing_and_a_foreign_key_are_reported():
    network = Inverter(STRUCTURE)
    state = dict(network.state_dict())
    state["hfgi_alinger.conv_layer1.0.weight"] = state.pop("hfgi_aligner.conv_layer1.0.weight")
    with pytest.raises(WeightsError, match=r"missing \(hfgi_aligner.*left over \(hfgi_alinger"):
        load_strict(network, state, where="a test")


@pytest.mark.parametrize(
    ("group", "change", "complaint"),
    [
        ("encoder", {"codes": 10}, "encoder.codes is 10, not 8"),
        ("calibrator", {"channels": 12}, "calibrator.channels is 12, not 10"),
        ("residual", {"size": 8}, "residual.size is 8, not 16"),
        ("warper", {"features": 32}, "calibrator.features is 16, not 32"),
    ],
)
def test_sizes_that_do_not_fit_are_an_error(group: str, change: dict[str, int], complaint: str):
    with pytest.raises(ValidationError, match=complaint):
        StyleHeatStructure.model_validate({**SMALL, group: {**SMALL[group], **change}})


def test_calibrator_needs_a_power_of_two():
    with pytest.raises(ValidationError, match="48 is not a power of two"):
        CalibratorStructure(size=48)
