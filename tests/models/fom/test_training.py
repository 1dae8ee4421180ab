"""Losses and phases."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from talkingface.errors import ConfigError, WeightsError
from talkingface.models.fom.config import LossWeights
from talkingface.models.fom.training.losses import near_keypoints, pyramid_error, separation
from talkingface.models.fom.training.objective import Objective
from talkingface.nn.geometry.thin_plate import ThinPlateTransform
from talkingface.nn.losses.perceptual import VGG19

from .conftest import build_small


def settings(**values) -> SimpleNamespace:
    return SimpleNamespace(**{"loss_weights": {}, "transform": {}, **values})


@pytest.fixture
def batch(video):
    return {"source": video[:2], "driving": video[2:4]}


def run_phase(plugin, phase, batch) -> dict[str, float]:
    """Gradients of one phase; everything else is frozen, as the trainer does it."""
    for name, network in plugin.networks.items():
        network.requires_grad_(name in phase.networks).train()
        network.zero_grad()
    losses = phase.loss(batch)
    torch.stack(list(losses.values())).sum().backward()
    return {name: value.item() for name, value in losses.items()}


def test_phases_give_the_published_terms_and_reach_every_parameter(plugin, batch):
    generator, discriminator = plugin.phases(settings())
    assert set(run_phase(plugin, generator, batch)) == {
        "gen_gan",
        "feature_matching",
        "equivariance_value",
        "equivariance_jacobian",
    }
    reached(plugin, generator)
    assert set(run_phase(plugin, discriminator, batch)) == {"disc_gan"}
    reached(plugin, discriminator)


def reached(plugin, phase) -> None:
    without = [
        f"{name}.{key}"
        for name in phase.networks
        for key, parameter in plugin.networks[name].named_parameters()
        if parameter.grad is None or not parameter.grad.isfinite().all()
    ]
    assert without == []


def test_a_step_lowers_the_loss(plugin, batch):
    (phase,) = plugin.phases(settings(loss_weights={"generator_gan": 0}))
    optimizer = phase.optimizer([p for name in phase.networks for p in plugin.networks[name].parameters()])
    history = []
    for _ in range(10):
        torch.manual_seed(0)  # the same random transform in each step
        history.append(sum(run_phase(plugin, phase, batch).values()))
        optimizer.step()
    assert history[-1] < 0.9 * history[0]


def test_without_adversary_there_is_no_discriminator_phase(plugin):
    assert [phase.name for phase in plugin.phases(settings(loss_weights={"generator_gan": 0}))] == ["generator"]


def test_learning_rates_are_those_of_the_networks():
    train = {"lr_generator": 1e-3, "lr_kp_detector": 5e-4, "loss_weights": {"perceptual": 0}}
    plugin = build_small(train_params=train)
    phase = plugin.phases(settings())[0]
    optimizer = phase.optimizer([p for name in phase.networks for p in plugin.networks[name].parameters()])
    sizes = {group["lr"]: len(group["params"]) for group in optimizer.param_groups}
    assert sizes == {
        1e-3: len(list(plugin.networks["generator"].parameters())),
        5e-4: len(list(plugin.networks["kp_detector"].parameters())),
    }


def test_frozen_detector_keeps_its_batch_statistics(batch):
    plugin = build_small(train_params={"lr_kp_detector": 0, "loss_weights": {"perceptual": 0}})
    before = {key: value.clone() for key, value in plugin.networks["kp_detector"].state_dict().items()}
    phase = plugin.phases(settings())[0]
    assert phase.networks == ["generator"]
    run_phase(plugin, phase, batch)
    after = plugin.networks["kp_detector"].state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_missing_vgg_says_how_to_go_on(plugin):
    wanted = settings(loss_weights={"perceptual": [10, 10, 10, 10, 10]})
    assert set(plugin.auxiliary(wanted)) == {"vgg19"}
    with pytest.raises(WeightsError, match=r"--train\.loss_weights\.perceptual=0"):
        plugin.phases(wanted)
    assert plugin.auxiliary(settings()) == {}


def test_vgg_takes_torchvisions_file_and_gives_the_perceptual_term(plugin, batch):
    torch.manual_seed(0)
    wanted = settings(loss_weights={"perceptual": [1] * 5}, scales=[1, 0.5], model_fields_set={"scales"})
    state = VGG19().state_dict()
    take = plugin.auxiliary(wanted)["vgg19"]
    take({**state, "classifier.0.weight": torch.zeros(1), "features.34.weight": torch.zeros(1)})
    losses = run_phase(plugin, plugin.phases(wanted)[0], batch)
    assert losses["perceptual"] > 0
    with pytest.raises(WeightsError, match=r"features\.28\.bias"):
        take({name: value for name, value in state.items() if name != "features.28.bias"})


def test_wrong_loss_name_is_told(plugin):
    with pytest.raises(ConfigError, match=r"loss_weights\.perceptul"):
        plugin.phases(settings(loss_weights={"perceptul": 1}))


def test_jacobian_of_the_transform_is_its_derivative():
    torch.manual_seed(3)
    bent = ThinPlateTransform.random(2, torch.zeros(1).double(), sigma_affine=0.05, sigma_tps=0.1, points=5)
    points = (torch.rand(2, 6, 2, dtype=torch.float64) - 0.5).requires_grad_()
    columns = torch.stack(
        [torch.autograd.grad(bent.warp_points(points)[..., axis].sum(), points)[0] for axis in range(2)], dim=-2
    )
    assert torch.allclose(bent.jacobian(points), columns, atol=1e-10)


def test_transform_without_noise_is_the_identity():
    bent = ThinPlateTransform.random(1, torch.zeros(1), sigma_affine=0, sigma_tps=0, points=5)
    frames = torch.rand(1, 3, 20, 24)
    assert torch.allclose(bent.warp_frames(frames, align_corners=True), frames, atol=1e-5)


def test_validation_scores_the_driving_frame(plugin, batch):
    plugin.networks.eval()
    scores, pictures = plugin.validate(batch)
    expected = (pictures["prediction"] - batch["driving"]).abs().mean()
    assert scores["l1"] == pytest.approx(expected.item())
    assert all(picture.shape == batch["source"].shape for picture in pictures.values())


def test_both_directions_train_each_pair_twice(batch):
    """The terms of the doubled batch are the mean of those of both directions (batch statistics apart)."""
    plugin = build_small(train_params={"loss_weights": TERMS, "both_directions": True})
    exchanged = {"source": batch["driving"], "driving": batch["source"]}
    both = losses_of(plugin, batch)
    one_way = build_small(train_params={"loss_weights": TERMS})
    there, back = losses_of(one_way, batch), losses_of(one_way, exchanged)
    for name in ("reconstruction", "deformed", "separation"):
        assert both[name] == pytest.approx((there[name] + back[name]) / 2, rel=1e-4)


TERMS = {"perceptual": 0, "generator_gan": 0, "reconstruction": 1, "deformed": 1, "separation": 1}


def losses_of(plugin, batch) -> dict[str, float]:
    objective = Objective(plugin.networks, plugin.config, plugin.config.train_params)
    for network in plugin.networks.values():
        network.eval()
    with torch.no_grad():
        return {name: value.item() for name, value in objective.generator_losses(batch).items()}


def test_pyramid_error_is_the_mean_absolute_error_at_each_size():
    real = torch.zeros(1, 3, 8, 8)
    made = real + 0.25
    assert pyramid_error(made, real).item() == pytest.approx(0.25)
    made[..., ::2] = -0.25  # cancels out at half size
    assert pyramid_error(made, real).item() == pytest.approx(0.25 / 3)


def test_focus_counts_pixels_near_keypoints_more():
    real = torch.zeros(1, 3, 32, 32)
    importance = 1 + 4 * near_keypoints(torch.tensor([[[-0.5, -0.5]]]), real)
    near, far = real.clone(), real.clone()
    near[..., 7:9, 7:9] = 1
    far[..., 23:25, 23:25] = 1
    ratio = pyramid_error(near, real, importance) / pyramid_error(far, real, importance)
    assert 3 < ratio.item() <= 5  # 5 at full size; the halved sizes mix near and far


def test_keypoints_that_gather_are_pushed_apart():
    points = torch.tensor([[[0.0, 0.0], [0.05, 0.0], [0.8, 0.8]]], requires_grad=True)
    step = SimpleNamespace(kp_driving={"value": points})
    separation(step, LossWeights(separation=1)).backward()
    assert points.grad[0, 0, 0] > 0 > points.grad[0, 1, 0]  # descending moves them away from each other
    assert points.grad[0, 2].abs().sum() == 0
