"""First and second derivatives against finite differences, in double precision."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from talkingface.ops import fused_leaky_relu, upfirdn2d
from talkingface.ops import operations as reference
from talkingface.ops.resampling import Resampling

from .settings import USUAL


def drawn(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize(
    "setting",
    [*USUAL.values(), (2, 1, (-1, 3)), (2, 2, (3, 2)), (1, 3, (0, 5)), (3, 2, (2, 4))],
    ids=str,
)
def test_resampling(either: str, setting: tuple[int, int, tuple[int, int]]) -> None:
    torch.manual_seed(0)
    kernel = torch.randn(4, 3, dtype=torch.float64)

    def resample(x: Tensor) -> Tensor:
        return upfirdn2d(x, kernel, *setting)

    x = drawn(1, 2, 5, 6)
    assert gradcheck(resample, x)
    assert gradgradcheck(resample, x)


def test_resampling_in_the_filter() -> None:
    x, kernel = drawn(1, 2, 5, 6), drawn(3, 2)
    assert gradcheck(lambda x, kernel: upfirdn2d(x, kernel, 2, 1, (1, 0)), (x, kernel))


@pytest.mark.parametrize("shape", [(3, 4), (2, 4, 3, 2)], ids=str)
def test_activation(either: str, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    x, bias = drawn(*shape), drawn(4)
    assert gradcheck(fused_leaky_relu, (x, bias))
    assert gradgradcheck(fused_leaky_relu, (x, bias))
    assert gradcheck(lambda x: fused_leaky_relu(x, None, 0.1, 3.0), x)


def test_the_gradient_goes_by_the_sign_of_the_output(either: str) -> None:
    """A sum that is positive but vanishes in the output belongs to the lower slope."""
    x = torch.tensor([[1e-30, 1.0, 0.0, -1.0]], requires_grad=True)
    out = fused_leaky_relu(x, None, 0.25, 1e-20)
    (gradient,) = torch.autograd.grad(out.sum() * 1e20, x)
    assert out[0, 0] == 0
    torch.testing.assert_close(gradient, torch.tensor([[0.25, 1.0, 0.25, 0.25]]))


def test_penalty_of_the_path_length_kind(either: str) -> None:
    """A loss of a gradient, as regularisation has it, is the same in both ways."""
    torch.manual_seed(0)
    x, bias, kernel = drawn(2, 3, 6, 6), drawn(3), torch.randn(4, 4, dtype=torch.float64)

    def penalty(resample: Callable[[Tensor], Tensor], activate: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        picture = activate(resample(x).square(), bias)
        (gradient,) = torch.autograd.grad(picture.sum(), x, create_graph=True)
        return gradient.square().sum()

    own = penalty(lambda x: upfirdn2d(x, kernel, 2, 1, (2, 1)), fused_leaky_relu)
    plain = penalty(
        lambda x: reference.dense(x, kernel, Resampling(2, 1, 2, 1, 2, 1)),
        lambda x, bias: F.leaky_relu(x + bias.view(-1, 1, 1), 0.2) * 2**0.5,
    )
    for mine, wanted in zip(
        torch.autograd.grad(own, (x, bias)), torch.autograd.grad(plain, (x, bias), allow_unused=True), strict=True
    ):
        torch.testing.assert_close(mine, torch.zeros_like(mine) if wanted is None else wanted)
