"""Losses of StyleGAN2, and training steps with derivatives of derivatives."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from talkingface.nn.stylegan2 import losses
from talkingface.nn.stylegan2.discriminator import Discriminator
from talkingface.nn.stylegan2.generator import Generator
from talkingface.nn.stylegan2.structure import StyleGAN2Structure

TINY = StyleGAN2Structure(size=16, splice=16, width=1 / 256, max_channels=6, code_length=5, mapping_layers=2)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def test_the_losses_pull_towards_what_they_say():
    low, high = torch.full((4, 1), -5.0), torch.full((4, 1), 5.0)
    assert losses.generator_loss(high) < 0.01 < 4 < losses.generator_loss(low)
    assert losses.generator_loss(low, inverted=True) < 0.01
    assert losses.discriminator_loss(high, low) < 0.02 < 9 < losses.discriminator_loss(low, high)
    assert losses.generator_loss(torch.zeros(1)) == pytest.approx(math.log(2))


def test_gradient_penalty_of_a_linear_score_is_its_length():
    weight, real = torch.randn(1, 12), torch.randn(3, 3, 2, 2, requires_grad=True)
    penalty = losses.gradient_penalty(real.flatten(1) @ weight.T, real)
    assert penalty == pytest.approx(float(weight.square().sum()), rel=1e-5)


def test_path_lengths_of_a_linear_picture():
    codes, noise = torch.randn(2, 3, 4, requires_grad=True), torch.randn(2, 1, 2, 2)
    weight = torch.randn(4, 3, 4)
    pictures = torch.einsum("plc,nlc->np", weight, codes).view(2, 1, 2, 2)
    moved = torch.einsum("plc,np->nlc", weight, noise.flatten(1)) / 2
    expected = moved.square().sum(dim=2).mean(dim=1).sqrt()
    assert torch.allclose(losses.path_lengths(pictures, codes, noise), expected, atol=1e-5)


def test_path_penalty_is_zero_at_its_mean_and_follows_it():
    penalise = losses.PathLengthPenalty(speed=0.5)
    penalise(torch.full((2,), 3.0))
    assert penalise.mean == 1.5 and "mean" in penalise.state_dict()
    penalise(torch.full((2,), 1.5))
    assert penalise(torch.full((2,), 1.5)) == 0


def test_path_penalty_differentiates_every_weight_of_the_synthesis():
    generator = Generator(TINY)
    codes = torch.randn(2, TINY.codes, TINY.code_length, requires_grad=True)
    picture = generator(codes, noise=generator.draw_noise(2)).picture
    losses.PathLengthPenalty()(losses.path_lengths(picture, codes, torch.randn_like(picture))).backward()
    # The last layer's bias moves no picture, and drawn codes know nothing of the mapping.
    unmoved = {name for name, value in generator.named_parameters() if value.grad is None or not value.grad.any()}
    assert unmoved == {
        *(name for name, _ in generator.named_parameters() if name.startswith("style.")),
        *("to_rgb1.bias", "to_rgbs.0.bias", "to_rgbs.1.bias"),
    }


def test_gradient_penalty_differentiates_every_weight():
    discriminator, real = Discriminator(TINY), torch.randn(4, 3, 16, 16, requires_grad=True)
    losses.gradient_penalty(discriminator(real), real).backward()
    weights = {name: value for name, value in discriminator.named_parameters() if name.endswith("weight")}
    assert [name for name, value in weights.items() if value.grad is None or not value.grad.any()] == []


def test_second_derivatives_are_right():
    """Against differences, in float64: the gradient of the penalty on gradients."""
    discriminator = Discriminator(TINY).double()
    pictures = torch.randn(2, 3, 16, 16, dtype=torch.float64, requires_grad=True)
    weight = discriminator.convs.get_parameter("1.conv2.1.weight")
    direction = torch.randn_like(weight)

    def penalty(step: float) -> torch.Tensor:
        moved = {"convs.1.conv2.1.weight": weight + step * direction}
        return losses.gradient_penalty(torch.func.functional_call(discriminator, moved, (pictures,)), pictures)

    (gradient,) = torch.autograd.grad(penalty(0.0), weight)
    difference = (penalty(1e-6) - penalty(-1e-6)) / 2e-6
    assert float((gradient * direction).sum()) == pytest.approx(difference.item(), rel=1e-5)


def test_lazy_penalties_weigh_as_much_as_constant_ones():
    lazy = losses.Lazy(every=4, weight=2.0)
    assert sum(lazy.factor for step in range(16) if lazy.due(step)) == 16 * 2.0
    rate, betas = lazy.adam(0.002, (0.0, 0.99))
    assert rate == pytest.approx(0.002 * 0.8) and betas == (0.0, pytest.approx(0.99**0.8))


def test_both_networks_learn_together():
    """A few steps with both penalties: everything stays finite, and the discriminator learns to tell."""
    generator, discriminator, penalise = Generator(TINY), Discriminator(TINY), losses.PathLengthPenalty()
    real = torch.rand(4, 3, 16, 16) * 0.2
    adams = [torch.optim.Adam(network.parameters(), 0.01, (0.0, 0.99)) for network in (generator, discriminator)]
    seen = []
    for step in range(12):
        codes = generator.codes_of(torch.randn(4, TINY.code_length))
        made = generator(codes, noise=generator.draw_noise(4)).picture
        pictures = real.clone().requires_grad_()
        scores = discriminator(pictures)
        judged = losses.discriminator_loss(scores, discriminator(made.detach()))
        seen.append(float(judged.detach()))
        if losses.R1.due(step):
            judged = judged + losses.R1.factor * losses.gradient_penalty(scores, pictures)
        _step(adams[1], judged)
        drawn = losses.generator_loss(discriminator(made))
        if losses.PATH.due(step):
            lengths = losses.path_lengths(made, codes, torch.randn_like(made))
            drawn = drawn + losses.PATH.factor * penalise(lengths)
        _step(adams[0], drawn)
    assert all(value.isfinite().all() for network in (generator, discriminator) for value in _values(network))
    assert min(seen[6:]) < seen[0]


def _step(adam: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    adam.zero_grad()
    loss.backward()
    adam.step()


def _values(network: nn.Module) -> list[torch.Tensor]:
    return list(network.state_dict().values())
