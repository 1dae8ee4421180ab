"""Networks of published metrics: sizes of the released files, shapes, and distances by a plain loop."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from talkingface.nn.features.i3d import I3D, Unit, _same
from talkingface.nn.features.inception import FIDInception
from talkingface.nn.features.syncnet import SyncNet, distances


def numbers(network: nn.Module) -> int:
    """Numbers in a released file: parameters and statistics of the norms."""
    return sum(value.numel() for name, value in network.state_dict().items() if not name.endswith("tracked"))


def test_sizes_are_those_of_the_released_files() -> None:
    """fid: 95 628 359 bytes; i3d: 49 MiB; syncnet: 52 MiB. Names and headers take less than 0.3 %."""
    assert 0 < 95_628_359 - 4 * numbers(FIDInception()) < 120_000
    assert 4 * numbers(I3D()) / 2**20 == pytest.approx(49, abs=0.6)
    assert 4 * numbers(SyncNet()) / 2**20 == pytest.approx(52, abs=0.6)


def test_names_are_those_of_the_released_files() -> None:
    inception, i3d, sync = (set(network().state_dict()) for network in (FIDInception, I3D, SyncNet))
    assert {"Conv2d_1a_3x3.conv.weight", "Mixed_5b.branch_pool.bn.running_var", "fc.bias"} <= inception
    assert {"Mixed_6e.branch7x7dbl_5.conv.weight", "Mixed_7c.branch3x3dbl_3b.bn.bias"} <= inception
    assert {"Conv3d_1a_7x7.conv3d.weight", "Mixed_5c.b3b.bn.running_mean", "logits.conv3d.bias"} <= i3d
    assert {"netcnnaud.18.weight", "netfcaud.3.bias", "netcnnlip.19.running_var", "netfclip.0.weight"} <= sync


def test_shapes() -> None:
    random = torch.Generator().manual_seed(0)
    assert FIDInception()(torch.rand(1, 3, 40, 60, generator=random)).shape == (1, 2048)
    assert I3D()(torch.rand(1, 3, 16, 32, 32, generator=random)).shape == (1, 400)
    sync = SyncNet()
    assert sync.of_lips(torch.rand(2, 3, 5, 224, 224, generator=random)).shape == (2, 1024)
    assert sync.of_sound(torch.rand(2, 1, 13, 20, generator=random)).shape == (2, 1024)


def test_padding_is_tensorflows() -> None:
    """With a stride of 2 an even side gets one row less in front; the sizes are halves, rounded up."""
    x = torch.ones(1, 1, 16, 7, 8)
    padded = _same(x, (7, 7, 7), (2, 2, 2))
    assert padded.shape[-3:] == (21, 13, 13)
    assert padded[0, 0, :, 6, 6].nonzero()[0].item() == 2 and padded[0, 0, 8, :, 6].nonzero()[0].item() == 3
    assert Unit(1, 2, 7, 2)(x).shape == (1, 2, 8, 4, 4)


def test_distances_agree_with_a_loop() -> None:
    random = torch.Generator().manual_seed(1)
    lips, sound = (torch.rand(20, 8, generator=random) for _ in range(2))
    found = distances(lips, sound)
    for frame in (0, 7, 19):
        for shift in (-15, -3, 0, 8):
            there = 0 <= frame + shift < 20
            other = sound[frame + shift] if there else torch.zeros(8)
            expected = F.pairwise_distance(lips[frame], other, eps=1e-6)
            assert found[frame, shift + 15].item() == pytest.approx(expected.item(), abs=1e-5)
