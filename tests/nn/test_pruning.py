"""Separable convolutions, channels found by following a run, their removal, and the fit of what is left."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from talkingface.nn.blocks.conv import ResidualBlock, SameBlock, UpBlock
from talkingface.nn.blocks.folded import fold_blocks
from talkingface.nn.blocks.separable import SeparableConv2d, separate_blocks, separated
from talkingface.nn.geometry.grids import coordinate_grid, warp
from talkingface.nn.pruning.channels import follow
from talkingface.nn.pruning.refit import fit_convolutions
from talkingface.nn.pruning.remove import (
    choose,
    first_channels,
    importance,
    parameter_count,
    remove,
    sparsity_penalty,
)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


class Branches(nn.Module):
    """Channels that are laid beside others, added, warped, dimmed and read by several layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.other = SameBlock(3, 16), SameBlock(3, 16)
        self.stream = nn.Sequential(ResidualBlock(16), ResidualBlock(16))
        self.joined = UpBlock(16 + 16 + 3, 16)
        self.mask = nn.Conv2d(16, 1, 1)
        self.final = nn.Conv2d(16, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        left = self.stream(self.first(x)) * 0.5
        field = coordinate_grid(x.shape[-2], x.shape[-1], x).expand(len(x), -1, -1, -1) * 0.9
        right = warp(self.other(x), field, align_corners=True) * torch.sigmoid(self.mask(left))
        return self.final(self.joined(torch.cat([left, x, right], dim=1)))


def network() -> Branches:
    made = separate_blocks(Branches())
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return made.eval()


@torch.no_grad()
def test_a_filter_times_a_sum_is_separated_exactly() -> None:
    conv = nn.Conv2d(16, 8, 3, stride=2, padding=1)
    conv.weight.copy_(torch.randn(8, 16, 1, 1) * torch.randn(1, 16, 3, 3))
    x = torch.randn(2, 16, 8, 8)
    assert torch.allclose(separated(conv)(x), conv(x), atol=1e-5)


def test_only_blocks_of_many_channels_are_separated() -> None:
    made = network()
    assert isinstance(made.first.conv, nn.Conv2d)
    assert isinstance(made.joined.conv, SeparableConv2d)
    assert isinstance(made.final, nn.Conv2d)


@torch.no_grad()
def test_folded_separable_blocks_are_exact() -> None:
    made, x = network(), torch.rand(2, 3, 8, 8)
    assert torch.allclose(fold_blocks(copy.deepcopy(made))(x), made(x), atol=1e-5)


@torch.no_grad()
def test_channels_that_do_nothing_are_removed_without_a_trace() -> None:
    made, x = network(), torch.rand(2, 3, 8, 8)
    channels = follow(made, lambda: made(x))
    assert channels.counts == {
        "first.conv": 16,
        "other.conv": 16,
        "stream.0.conv1.point": 16,
        "stream.1.conv1.point": 16,
        "joined.conv.point": 16,
    }
    for norm in (made.stream[0].norm2, made.stream[1].norm2, made.joined.norm, made.other.norm):
        norm.weight[4:] = 0
        norm.bias[4:] = -0.1
    for block in (made.first, *made.stream):  # the stream is first.conv's: nothing may be added to it later
        norm = block.norm if isinstance(block, SameBlock) else block.norm1
        norm.weight[4:] = 0
        norm.bias[4:] = -0.1
    for block in made.stream:
        block.conv2.point.weight[4:] = 0
        block.conv2.point.bias[4:] = 0
    whole = made(x)
    before = parameter_count([made])
    channels = follow(made, lambda: made(x))
    remove(made, channels, choose(importance(made, channels), channels, 0.75))
    assert made.first.conv.out_channels == made.stream[1].conv2.point.out_channels == 4
    assert made.joined.conv.depth.groups == 4 + 4 + 3
    assert parameter_count([made]) < before / 4
    assert torch.allclose(made(x), whole, atol=1e-5)


@torch.no_grad()
def test_what_a_constant_channel_gave_goes_into_the_bias() -> None:
    made, x = nn.Sequential(SameBlock(3, 8), nn.Conv2d(8, 4, 1)).eval(), torch.rand(2, 3, 8, 8)
    made[0].norm.weight[5] = 0
    made[0].norm.bias[5] = 2
    whole = made(x)
    channels = follow(made, lambda: made(x))
    kept = {"0.conv": channels.layers["0.conv"][[0, 1, 2, 3, 4, 6, 7]]}
    assert remove(made, channels, kept)["0.conv"].tolist() == [0, 1, 2, 3, 4, 6, 7]
    assert torch.allclose(made(x), whole, atol=1e-5)


def test_channels_that_meet_an_unknown_operation_stay() -> None:
    made, x = nn.Sequential(SameBlock(3, 8), SameBlock(8, 8)), torch.rand(1, 3, 4, 4)
    assert list(follow(made, lambda: made(x)).layers) == ["0.conv"]
    assert not follow(made, lambda: made[1](made[0](x).flip(1))).layers


def test_a_mode_and_random_numbers_are_left_alone() -> None:
    made, x = network().train(), torch.rand(1, 3, 8, 8)
    follow(made, lambda: made(x))
    assert all(module.training for module in made.modules())


def test_the_least_important_go_and_a_part_of_each_layer_stays() -> None:
    made, x = network(), torch.rand(1, 3, 8, 8)
    channels = follow(made, lambda: made(x))
    ranks = {name: torch.arange(16.0) for name in channels.layers}
    ranks["other.conv"] = torch.zeros(16)
    kept = choose(ranks, channels, 0.65)
    assert kept["first.conv"].tolist() == channels.layers["first.conv"][8:].tolist()
    assert len(kept["other.conv"]) == 4


def test_the_penalty_is_the_mean_scale() -> None:
    made = nn.Sequential(SameBlock(3, 2), SameBlock(2, 2))
    with torch.no_grad():
        made[0].norm.weight.copy_(torch.tensor([-3.0, 1.0]))
    penalty = sparsity_penalty(made)
    penalty.backward()
    assert penalty.item() == pytest.approx(1.5)
    assert made[0].norm.weight.grad.tolist() == [-0.25, 0.25]


def test_counts_of_other_networks_are_refused() -> None:
    made, x = network(), torch.rand(1, 3, 8, 8)
    channels = follow(made, lambda: made(x))
    assert len(first_channels(channels, {"other.conv": 5})["other.conv"]) == 5
    with pytest.raises(ValueError, match=r"layer 'other\.conv' cannot have 17 channels; it has 16"):
        first_channels(channels, {"other.conv": 17})
    with pytest.raises(ValueError, match="layer 'another' cannot have 1 channels"):
        first_channels(channels, {"another": 1})


@torch.no_grad()
def test_the_fit_makes_up_for_what_is_lost() -> None:
    whole, x, unseen = Branches().eval(), torch.rand(8, 3, 16, 16), torch.rand(4, 3, 16, 16)
    made = separate_blocks(copy.deepcopy(whole))
    before = (made(unseen) - whole(unseen)).square().mean()
    fit_convolutions(made, whole, lambda some: some(x))
    fitted = copy.deepcopy(made)
    assert (made(unseen) - whole(unseen)).square().mean() < before / 2
    channels = follow(made, lambda: made(x))
    left = remove(made, channels, choose(importance(made, channels), channels, 0.3))
    before = (made(unseen) - fitted(unseen)).square().mean()
    fit_convolutions(made, fitted, lambda some: some(x), left)
    assert (made(unseen) - fitted(unseen)).square().mean() < before / 2
