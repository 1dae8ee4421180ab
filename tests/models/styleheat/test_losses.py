"""Losses, the parts of the face they look at, windows of sound, and bytes."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from talkingface.models.styleheat.config import CalibrationWeights
from talkingface.models.styleheat.edits.optimize import Candidate, CodeStatistics, inversion_losses
from talkingface.models.styleheat.networks.pictures import to_bytes
from talkingface.models.styleheat.training.losses import (
    PARTS,
    CalibrationStep,
    calibration_losses,
    cut_out,
    part_boxes,
    part_mask,
)
from talkingface.nn.losses.perceptual import VGG19, perceptual_loss

from .small import pictures

SIDE = 128


@pytest.fixture(scope="module")
def vgg() -> VGG19:
    torch.manual_seed(0)
    return VGG19()


@pytest.fixture
def boxes() -> Tensor:
    landmarks = torch.rand(1, 68, 2, generator=torch.Generator().manual_seed(0)) * 60 + 30
    return part_boxes(landmarks, 1.0)


def test_boxes_are_drawn_around_the_parts():
    landmarks = torch.zeros(1, 68, 2)
    landmarks[0, 48:68] = torch.tensor([20.6, 40.2])
    landmarks[0, 36:42] = torch.tensor([50.0, 10.0])
    boxes = part_boxes(landmarks, 2.0)
    assert boxes.shape == (len(PARTS), 1, 4)
    assert boxes[0, 0].tolist() == [33, 72, 49, 88]
    assert boxes[1, 0].tolist() == [85, 5, 115, 35]


def test_mask_leaves_out_what_is_outside_of_the_picture():
    mask = part_mask(torch.tensor([[[-3, 1, 2, 3]], [[6, 6, 99, 99]]]), torch.zeros(1, 3, 8, 8), 0.25)
    assert mask.shape == (1, 1, 8, 8)
    assert torch.equal(mask[0, 0, 1:3, :2], torch.ones(2, 2))
    assert torch.equal(mask[0, 0, 6:, 6:], torch.ones(2, 2))
    assert mask.sum() == 8 + 0.25 * 56


def test_weight_outside_falls_in_steps():
    weights = CalibrationWeights()
    assert [weights.outside_at(step) for step in (0, 499, 500, 1999, 2000, 10**6)] == [
        0.2,
        0.2,
        0.05,
        0.05,
        0.005,
        0.005,
    ]


def test_cutting_out_a_whole_ramp_gives_means_of_its_cells():
    ramp = torch.arange(8.0).expand(1, 1, 8, 8)
    found = cut_out(ramp, torch.tensor([[0, 0, 6, 6]]), 3)
    assert torch.allclose(found[0, 0, 0], torch.tensor([1.0, 3.0, 5.0]))
    assert torch.allclose(found[0, 0, 0], found[0, 0, 2])


def test_cutting_out_agrees_with_sampling_where_cells_are_small():
    picture, box, side = pictures(1, 20), torch.tensor([[3, 5, 11, 15]]), 16
    places = [start + (torch.arange(side) + 0.5) * extent / side for start, extent in ((3, 8), (5, 10))]
    x, y = (2 * place / 19 - 1 for place in places)
    grid = torch.stack([x.expand(side, side), y[:, None].expand(side, side)], dim=-1)[None]
    assert torch.allclose(cut_out(picture, box, side), F.grid_sample(picture, grid, align_corners=True), atol=1e-5)


def test_cutting_out_far_outside_gives_black():
    assert not cut_out(torch.ones(1, 1, 8, 8), torch.tensor([[-20, -20, -10, -10]]), 4).any()


def test_terms_of_weight_zero_are_left_out(vgg: VGG19, boxes: Tensor):
    step = CalibrationStep(pictures(1, SIDE), pictures(1, SIDE, 2), pictures(1, SIDE, 3), boxes, 0)
    off = {"perceptual_warp": 0, "perceptual_final": 0, "perceptual_regular": 0}
    only = calibration_losses(step, CalibrationWeights(**off), vgg)
    assert list(only) == ["local_loss"]
    doubled = calibration_losses(step, CalibrationWeights(**off, local_loss=4), vgg)
    assert doubled["local_loss"] == 2 * only["local_loss"]


def test_each_term_reaches_what_it_is_about(vgg: VGG19, boxes: Tensor):
    made, warped = (pictures(1, SIDE, seed).requires_grad_() for seed in (1, 2))
    step = CalibrationStep(made, warped, pictures(1, SIDE, 3), boxes, 0)
    terms = calibration_losses(step, CalibrationWeights(), vgg, lambda fake: fake.mean())
    assert list(terms) == ["local_loss", "perceptual_warp", "perceptual_final", "perceptual_regular", "gan_loss"]
    for name, term in terms.items():
        of_made, of_warped = torch.autograd.grad(term, [made, warped], retain_graph=True, allow_unused=True)
        assert (of_made is None) == (name == "perceptual_warp")
        assert (of_warped is None) == (name != "perceptual_warp")


def test_perceptual_loss_halves_odd_pictures_as_a_whole(vgg: VGG19):
    """The published training does it so; a fixed factor of 0.5 would leave their last row and column aside."""
    one, other = pictures(2, 131).split(1)
    halves = [F.interpolate(x, (65, 65), mode="bilinear", align_corners=False) for x in (one, other)]
    wanted = perceptual_loss(vgg, one, other, scales=1) + perceptual_loss(vgg, *halves, scales=1)
    assert perceptual_loss(vgg, one, other, scales=2).item() == pytest.approx(wanted.item(), rel=1e-5)


def test_perceptual_loss_is_zero_for_the_same_and_behind_a_mask(vgg: VGG19):
    one, other = pictures(1, SIDE), pictures(1, SIDE, 2)
    assert perceptual_loss(vgg, one, one, style=250.0) == 0
    assert perceptual_loss(vgg, one, other) > 0
    assert perceptual_loss(vgg, one, other, mask=torch.zeros(1, 1, SIDE, SIDE)) == 0
    assert perceptual_loss(vgg, one, other, style=250.0) > perceptual_loss(vgg, one, other)


def test_likely_codes_cost_about_one():
    random = torch.Generator().manual_seed(0)
    axes = torch.linalg.qr(torch.randn(8, 8, generator=random))[0]
    mean, deviations = torch.randn(8, generator=random), torch.rand(8, generator=random) + 0.5
    before = mean + (torch.randn(2000, 1, 8, generator=random) * deviations) @ axes
    codes = F.leaky_relu(before, 0.2)
    assert CodeStatistics(mean, axes, deviations).unlikeliness(codes).item() == pytest.approx(1, abs=0.05)


def test_inversion_that_is_perfect_costs_only_what_its_codes_cost(vgg: VGG19):
    picture, features = pictures(1, 64), torch.randn(1, 4, 8, 8)
    statistics = CodeStatistics(torch.zeros(8), torch.eye(8), torch.ones(8))
    terms = inversion_losses(Candidate(picture, torch.ones(1, 3, 8), features), picture, features, vgg, statistics)
    assert {name for name, term in terms.items() if term} == {"p_norm"}
    assert terms["p_norm"].item() == pytest.approx(0.001)


def test_bytes_are_rounded_or_cut_off():
    values = torch.tensor([-2.0, -1.0, 1.6 / 255 - 1, 1.0, 2.0]).expand(1, 3, 1, 5)
    assert to_bytes(values)[0, 0, :, 0].tolist() == [0, 0, 1, 255, 255]
    values = torch.tensor([2 * 100.7 / 255 - 1]).expand(1, 3, 1, 1)
    assert to_bytes(values).flatten().tolist() == [101] * 3
    assert to_bytes(values, truncate=True).flatten().tolist() == [100] * 3
