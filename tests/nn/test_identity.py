"""The identity network and LPIPS."""

from __future__ import annotations

import pytest
import torch

from talkingface.errors import ShapeError
from talkingface.nn.blocks.ir_se import Stage
from talkingface.nn.losses.identity import ALIGNED_SIZE, FACE_COLUMNS, FACE_ROWS, IdentityNetwork, identity_loss
from talkingface.nn.losses.perceptual import LPIPS
from talkingface.weights.load import load_strict

STAGES = (Stage(16, 1), Stage(32, 2))


@pytest.fixture
def network() -> IdentityNetwork:
    torch.manual_seed(0)
    return IdentityNetwork(STAGES, features=12, size=16).eval()


def aligned(seed: int) -> torch.Tensor:
    return torch.rand(2, 3, ALIGNED_SIZE, ALIGNED_SIZE, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_vectors_have_length_one(network: IdentityNetwork):
    vectors = network(torch.rand(3, 3, 16, 16))
    assert vectors.shape == (3, 12)
    assert torch.allclose(vectors.norm(dim=1), torch.ones(3))


def test_only_the_face_counts(network: IdentityNetwork):
    one = aligned(0)
    other = torch.zeros_like(one)
    other[:, :, FACE_ROWS, FACE_COLUMNS] = one[:, :, FACE_ROWS, FACE_COLUMNS]
    assert torch.equal(network.of_aligned(one), network.of_aligned(other))


def test_loss_is_zero_for_the_same_and_its_gradient_goes_to_what_is_made(network: IdentityNetwork):
    made, real = aligned(0).requires_grad_(), aligned(1).requires_grad_()
    assert identity_loss(network, real, real).item() == pytest.approx(0, abs=1e-6)
    loss = identity_loss(network, made, real)
    loss.backward()
    assert loss > 0
    assert made.grad is not None
    assert made.grad.any()
    assert real.grad is None


def test_gradients_reach_every_layer(network: IdentityNetwork):
    (network(torch.rand(4, 3, 16, 16)) * torch.randn(4, 12)).sum().backward()
    assert all(values.grad is not None for values in network.parameters())
    load_strict(IdentityNetwork(STAGES, features=12, size=16), network.state_dict(), where="a test")


def test_other_sizes_are_an_error(network: IdentityNetwork):
    with pytest.raises(ShapeError, match="256 x 256"):
        network.of_aligned(torch.zeros(1, 3, 128, 128))


def test_lpips_is_zero_for_the_same_and_has_the_published_names():
    torch.manual_seed(0)
    network = LPIPS().train()
    one, other = torch.rand(2, 3, 64, 64), torch.rand(2, 3, 64, 64)
    assert not network(one, one).any()
    assert torch.equal(network(one, other), network(one, other))  # no dropout is left
    assert network(one, other).shape == (2,)
    assert {f"lin{index}.model.1.weight" for index in range(5)} <= network.state_dict().keys()


def test_lpips_has_a_gradient_where_features_are_all_zero():
    network = LPIPS()
    for layer in network.features:
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.constant_(layer.bias, -100.0)
    picture = torch.rand(1, 3, 64, 64).requires_grad_()
    network(picture, torch.zeros(1, 3, 64, 64)).sum().backward()
    assert picture.grad is not None
    assert picture.grad.isfinite().all()
