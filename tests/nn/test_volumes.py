"""Volumes: sampling, coordinates, exact rearrangements, SPADE."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import spectral_norm

from talkingface.errors import ShapeError
from talkingface.nn.blocks.conditional_norm import FastSpadeBlock, Spade, SpadeBlock, standardise
from talkingface.nn.blocks.conv import BatchNorm3d, UpBlock, double, halve
from talkingface.nn.blocks.folded import (
    add_to_bias,
    chain_1x1,
    fold_batch_norm,
    fold_doubling_planes,
    fold_enlarging,
    fold_spectral_norm,
)
from talkingface.nn.blocks.hourglass import Hourglass
from talkingface.nn.geometry.grids import coordinate_grid, mean_points
from talkingface.nn.geometry.volumes import (
    coordinate_grid_3d,
    gaussian_heatmaps_3d,
    grid_sample_3d,
    resize_field_3d,
    warp_3d,
)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def fields(count: int = 2) -> torch.Tensor:
    """Points inside, outside, on edges and on corners of a volume."""
    field = torch.randn(count, 3, 5, 4, 3)
    field[0, 0] = torch.randint(-1, 2, (5, 4, 3)).float()
    field[0, 1, 0, 0] = torch.tensor([1e30, -1e30, 0.0])
    return field


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [(3, 4, 5), (1, 1, 1), (16, 2, 8)])
def test_gathered_sampling_is_torchs_to_the_last_bit(dtype, size):
    volume, field = torch.randn(2, 3, *size, dtype=dtype), fields().to(dtype)
    assert torch.equal(grid_sample_3d(volume, field), F.grid_sample(volume, field, align_corners=False))


def test_gathered_sampling_has_torchs_gradients():
    gradients = []
    for sample in (grid_sample_3d, lambda v, f: F.grid_sample(v, f, align_corners=False)):
        torch.manual_seed(1)
        volume = torch.randn(2, 3, 4, 5, 6, dtype=torch.float64, requires_grad=True)
        field = torch.randn(2, 3, 5, 4, 3, dtype=torch.float64, requires_grad=True)
        out = sample(volume, field)
        gradients.append(torch.autograd.grad((out * torch.randn_like(out)).sum(), (volume, field)))
    for own, torchs in zip(*gradients, strict=True):
        assert torch.allclose(own, torchs, atol=1e-12)


def test_points_that_are_no_number_see_nothing():
    volume, field = torch.ones(1, 1, 2, 2, 2), torch.zeros(1, 1, 1, 2, 3)
    field[..., 0, 1] = float("nan")
    assert grid_sample_3d(volume, field).flatten().tolist() == [0, 1]


def test_points_of_a_volume_are_x_y_z():
    grid = coordinate_grid_3d(2, 3, 5, like=torch.zeros(1))
    assert grid.shape == (2, 3, 5, 3)
    assert grid[0, 0, 0].tolist() == [-1, -1, -1] and grid[1, 2, 4].tolist() == [1, 1, 1]
    assert grid[1, 0, 0].tolist() == [-1, -1, 1] and grid[0, 0, 4].tolist() == [1, -1, -1]


def test_heatmap_peaks_at_its_point():
    heatmap = gaussian_heatmaps_3d(torch.tensor([[0.5, -1.0, 1.0]]), (3, 5, 9), 0.01)[0]
    assert heatmap[2, 0, 6] == heatmap.max() == 1
    assert torch.isclose(heatmap[2, 0, 7], torch.tensor(-0.5 * 0.25**2 / 0.01).exp())


def test_a_shift_by_whole_cells_moves_a_volume():
    volume = torch.rand(1, 2, 3, 4, 5)
    middles = torch.stack(
        torch.meshgrid(*(((torch.arange(n) + 0.5) * 2 / n - 1) for n in (3, 4, 5)), indexing="ij")[::-1], dim=-1
    )
    moved = warp_3d(volume, (middles + torch.tensor([2 / 5, 0.0, 0.0]))[None])
    assert torch.allclose(moved[..., :4], volume[..., 1:], atol=1e-5)
    assert moved[..., 4].abs().max() < 1e-5


def test_resized_field_keeps_its_points():
    field = torch.zeros(1, 2, 4, 4, 3) + torch.tensor([0.25, -0.5, 0.75])
    assert torch.allclose(resize_field_3d(field, (4, 8, 2)), torch.tensor([0.25, -0.5, 0.75]).expand(1, 4, 8, 2, 3))
    assert resize_field_3d(field, (2, 4, 4)) is field


def test_slices_are_halved_and_doubled_one_by_one():
    volume = torch.rand(2, 3, 4, 6, 8)
    assert torch.allclose(halve(volume), F.avg_pool3d(volume, (1, 2, 2)))
    assert torch.equal(halve(double(volume)), volume)


def test_hourglass_refuses_what_it_cannot_halve():
    hourglass = Hourglass(2, 4, 8, 2, dims=3)
    assert hourglass(torch.rand(1, 2, 3, 8, 4)).shape == (1, 6, 3, 8, 4)
    with pytest.raises(ShapeError, match="multiples of 4"):
        hourglass(torch.rand(1, 2, 3, 8, 6))


def test_batch_counters_stay():
    norm = BatchNorm3d(2)
    norm(torch.rand(2, 2, 3, 4, 4))
    assert norm.num_batches_tracked == 0 and norm.running_mean.abs().max() > 0


@torch.no_grad()
@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (1, 5), (6, 4)])
def test_folded_enlarging_is_exact_up_to_the_border(factor, size):
    conv, x = nn.Conv2d(3, 4, 3, padding=1), torch.randn(2, 3, *size)
    expected = conv(F.interpolate(x, scale_factor=factor, mode="nearest"))
    assert torch.allclose(fold_enlarging(conv, factor)(x), expected, atol=1e-5)


@torch.no_grad()
def test_folded_block_of_a_volume_is_exact():
    block, x = UpBlock(3, 4, dims=3).eval(), torch.randn(2, 3, 4, 5, 6)
    nn.init.normal_(block.norm.running_mean)
    nn.init.uniform_(block.norm.running_var, 0.1, 2)
    conv = fold_batch_norm(block.conv, block.norm)
    assert torch.allclose(conv(double(x)).relu(), block(x), atol=1e-5)
    assert torch.allclose(fold_doubling_planes(conv)(x).relu(), block(x), atol=1e-5)


@torch.no_grad()
def test_folded_spectral_norm_takes_the_stored_vectors_as_they_are():
    conv = spectral_norm(nn.Conv2d(3, 4, 3, padding=1)).eval()
    conv.weight_u.copy_(torch.rand(4))
    conv.weight_v.copy_(torch.rand(27))
    x = torch.randn(1, 3, 5, 5)
    assert torch.allclose(fold_spectral_norm(conv)(x), conv(x), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_chained_and_raised_convolutions():
    one, two, x = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 2, 1, bias=False), torch.randn(1, 3, 5, 5)
    assert torch.allclose(chain_1x1(one, two)(x), two(one(x)), atol=1e-6)
    assert torch.allclose(add_to_bias(one, 1)(x), one(x) + 1, atol=1e-6)
    with pytest.raises(ValueError, match="1 x 1"):
        chain_1x1(one, nn.Conv2d(4, 2, 1))


@torch.no_grad()
def test_spade_scales_and_shifts_what_is_standardised():
    spade, x, maps = Spade(4, 3), torch.randn(2, 4, 8, 8) * 5 + 2, torch.rand(2, 3, 2, 2)
    nn.init.zeros_(spade.mlp_gamma.weight)
    nn.init.zeros_(spade.mlp_beta.weight)
    nn.init.constant_(spade.mlp_gamma.bias, 0.5)
    nn.init.constant_(spade.mlp_beta.bias, 3)
    assert torch.allclose(spade(x, maps), standardise(x) * 1.5 + 3, atol=1e-5)
    assert torch.allclose(standardise(x).mean((2, 3)), torch.zeros(2, 4), atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize(("outputs", "factor", "doubles"), [(6, 1, False), (3, 2, True), (6, 4, True), (3, 1, False)])
def test_fast_spade_blocks_give_the_same(outputs, factor, doubles):
    block, maps = SpadeBlock(6, outputs, 4).eval(), torch.rand(2, 4, 3, 5)
    size = [side * factor // (2 if doubles else 1) for side in maps.shape[-2:]]
    x = torch.randn(2, 6, *size)
    kept = x.clone()
    expected = block(double(x[:, :, None])[:, :, 0] if doubles else x, maps)
    found = FastSpadeBlock(block, factor, doubles=doubles)(x, maps)
    assert torch.allclose(found, expected, atol=1e-4)
    assert torch.equal(x, kept)


def test_exported_networks_get_gathers(monkeypatch):
    class Sampler(nn.Module):
        def forward(self, volume: torch.Tensor, field: torch.Tensor) -> torch.Tensor:
            return warp_3d(volume, field)

    example = torch.rand(1, 2, 3, 4, 5), torch.rand(1, 2, 2, 2, 3)
    plain = torch.export.export(Sampler(), example)
    monkeypatch.setattr(torch.onnx, "is_in_onnx_export", lambda: True)
    exported = torch.export.export(Sampler(), example)
    assert "grid_sampler" in str(plain.graph) and "grid_sampler" not in str(exported.graph)
    assert torch.equal(exported.module()(*example), warp_3d(*example))


@pytest.mark.parametrize("size", [(122, 126), (16, 128, 120)])
def test_means_of_many_cells_keep_their_digits_in_float32(size: tuple[int, ...]):
    """A matrix product with the grid is off by 4e-6 and 4e-5 here: pictures of 512 pixels moved by their rounding."""
    grid_of = coordinate_grid if len(size) == 2 else coordinate_grid_3d
    grid = grid_of(*size, like=torch.ones(())).flatten(0, -2)
    heatmaps = (3 * torch.randn(2, 3, len(grid)) + grid[:, 0]).softmax(dim=2)
    exact = heatmaps.double() @ grid.double()
    found = mean_points(heatmaps.unflatten(2, size))
    assert (found - exact).norm() < 5e-7 * exact.norm()
