"""Exact rearrangements, coordinates and warps."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from talkingface.nn.antialias import AntiAliasDownsample, ImagePyramid
from talkingface.nn.blocks.folded import fold_batch_norm, fold_enlarging, merge_outputs
from talkingface.nn.geometry.grids import coordinate_grid, gaussian_heatmaps, inverse_2x2, resize_field, warp
from talkingface.nn.losses.gan import discriminator_loss, feature_distance, generator_loss


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@torch.no_grad()
def test_folded_batch_norm_is_exact():
    conv, norm = nn.Conv2d(3, 5, 3, padding=1), nn.BatchNorm2d(5).eval()
    nn.init.normal_(norm.running_mean)
    nn.init.uniform_(norm.running_var, 0.1, 2)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    x = torch.randn(2, 3, 7, 9)
    assert torch.allclose(fold_batch_norm(conv, norm)(x), norm(conv(x)), atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("size", [(1, 1), (1, 5), (6, 4)])
def test_folded_doubling_is_exact_up_to_the_border(size):
    conv = nn.Conv2d(3, 4, 3, padding=1)
    x = torch.randn(2, 3, *size)
    expected = conv(F.interpolate(x, scale_factor=2, mode="nearest"))
    assert torch.allclose(fold_enlarging(conv)(x), expected, atol=1e-5)


@torch.no_grad()
def test_merged_outputs_are_those_of_both():
    one, two = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 2, 3)
    x = torch.randn(1, 3, 8, 8)
    assert torch.allclose(merge_outputs(one, two)(x), torch.cat([one(x), two(x)], dim=1), atol=1e-6)


def test_grid_points_are_pixel_centres_x_first():
    grid = coordinate_grid(2, 3, like=torch.zeros(1))
    assert grid.tolist() == [[[-1, -1], [0, -1], [1, -1]], [[-1, 1], [0, 1], [1, 1]]]


def test_heatmap_peaks_at_its_point():
    heatmap = gaussian_heatmaps(torch.tensor([[0.5, -1.0]]), (5, 9), 0.01)[0]
    assert heatmap.max() == 1
    assert divmod(int(heatmap.argmax()), 9) == (0, 6)


def test_warp_is_backward():
    image = torch.arange(12.0).view(1, 1, 3, 4)
    shift = coordinate_grid(3, 4, like=image) + torch.tensor([2 / 3, 0.0])  # one pixel of four to the right
    assert torch.allclose(warp(image, shift[None], align_corners=True)[..., :3], image[..., 1:], atol=1e-5)


def test_resized_field_keeps_its_points():
    field = torch.zeros(1, 4, 4, 2) + torch.tensor([0.25, -0.5])
    assert torch.allclose(resize_field(field, (8, 12)), torch.tensor([0.25, -0.5]).expand(1, 8, 12, 2))


def test_inverse_is_guarded():
    matrices = torch.tensor([[[2.0, 1.0], [1.0, 3.0]], [[1.0, 2.0], [2.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]]])
    inverse = inverse_2x2(matrices)
    assert torch.allclose(inverse[0] @ matrices[0], torch.eye(2), atol=1e-6)
    assert inverse.isfinite().all()


def test_downsampling_keeps_constants_and_odd_sizes():
    down = AntiAliasDownsample(3, 0.25)
    out = down(torch.ones(1, 3, 65, 40))
    assert out.shape == (1, 3, 17, 10)
    assert out[..., 4:-4, 4:-4].allclose(torch.ones(1), atol=1e-6)
    assert "weight" not in AntiAliasDownsample(3, 1).state_dict()


def test_pyramid_is_keyed_by_scale():
    pyramid = ImagePyramid([1, 0.5])(torch.rand(1, 3, 16, 16))
    assert {scale: tuple(image.shape[-2:]) for scale, image in pyramid.items()} == {1: (16, 16), 0.5: (8, 8)}


def test_gan_losses_are_zero_for_the_scores_they_ask_for():
    ones, zeros = torch.ones(2, 1, 3, 3), torch.zeros(2, 1, 3, 3)
    assert generator_loss(ones) == 0 and generator_loss(zeros) == 1
    assert discriminator_loss(ones, zeros) == 0 and discriminator_loss(zeros, ones) == 2


def test_feature_distance_weighs_layers_and_spares_the_real_side():
    real, fake = torch.ones(2, requires_grad=True), torch.zeros(2, requires_grad=True)
    distance = feature_distance([real, real], [fake, fake], [3, 0])
    distance.backward()
    assert distance == 3 and real.grad is None and fake.grad is not None
