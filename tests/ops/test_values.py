"""Native, plain and by definition: the same numbers."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from talkingface.errors import ShapeError
from talkingface.ops import fused_leaky_relu, native, upfirdn2d
from talkingface.ops import operations as reference
from talkingface.ops.resampling import Resampling, taps_of

from .settings import BLUR, USUAL, odd_settings


@pytest.mark.parametrize("name", USUAL)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_usual_settings(either: str, name: str, dtype: torch.dtype) -> None:
    up, down, pad = USUAL[name]
    x = torch.randn(2, 5, 33, 46, dtype=dtype)
    wanted = reference.dense(x, BLUR, Resampling(up, down, *pad, *pad))
    torch.testing.assert_close(upfirdn2d(x, BLUR, up, down, pad), wanted)


def test_odd_settings_agree_with_the_definition(library: native.Library) -> None:
    for x, kernel, how in odd_settings(120, torch.float64):
        wanted, taps = reference.dense(x, kernel, how), taps_of(kernel)
        torch.testing.assert_close(reference.separable(x, taps, how), wanted, msg=f"{how} {kernel.shape}")
        torch.testing.assert_close(library.upfirdn2d(x, taps, how), wanted, msg=f"{how} {kernel.shape}")


def test_the_definition_itself() -> None:
    """One row by hand: [1, 2] becomes 1 0 2 0, padded 0 1 0 2 0; the flipped filter is [5, 3]."""
    x, kernel = torch.tensor([[[[1.0, 2.0]]]]), torch.tensor([[3.0, 5.0]])
    out = reference.dense(x, kernel, Resampling(2, 1, 0, -1, 1, 0))
    assert out.tolist() == [[[[3.0, 5.0, 6.0, 10.0]]]]


def test_large_pictures_are_shared_by_threads(either: str) -> None:
    x = torch.randn(1, 3, 301, 203).transpose(2, 3)  # not contiguous
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        blurred = upfirdn2d(x, BLUR, pad=(1, 1))
        activated = fused_leaky_relu(x, torch.ones(3))
    finally:
        torch.set_num_threads(before)
    torch.testing.assert_close(blurred, reference.dense(x, BLUR, Resampling(1, 1, 1, 1, 1, 1)))
    torch.testing.assert_close(activated, F.leaky_relu(x + 1, 0.2) * 2**0.5)


@pytest.mark.parametrize("shape", [(4, 6), (2, 6, 7), (2, 6, 5, 3), (0, 6, 4, 4)])
@pytest.mark.parametrize("with_bias", [True, False])
def test_activation(either: str, shape: tuple[int, ...], with_bias: bool) -> None:
    x, bias = torch.randn(shape), torch.randn(6) if with_bias else None
    shifted = x if bias is None else x + bias.view(-1, *[1] * (len(shape) - 2))
    torch.testing.assert_close(fused_leaky_relu(x, bias, 0.1, 1.5), F.leaky_relu(shifted, 0.1) * 1.5)


def test_input_stays(either: str) -> None:
    x = torch.randn(2, 3, 8, 8)
    before = x.clone()
    with torch.no_grad():
        fused_leaky_relu(x, torch.ones(3))
        fused_leaky_relu(x, None)
        upfirdn2d(x, BLUR, pad=(1, 1))
    assert torch.equal(x, before)


def test_no_samples(either: str) -> None:
    assert upfirdn2d(torch.zeros(0, 3, 8, 8), BLUR, pad=(2, 1)).shape == (0, 3, 8, 8)


def test_a_changed_filter_is_noticed(either: str) -> None:
    x, kernel = torch.randn(1, 1, 8, 8), BLUR.clone()
    first = upfirdn2d(x, kernel, pad=(2, 1))
    kernel.mul_(4)
    torch.testing.assert_close(upfirdn2d(x, kernel, pad=(2, 1)), 4 * first)


def test_the_filter_is_factored_exactly_as_far_as_it_can_be() -> None:
    assert len(taps_of(BLUR).factors[0]) == 1
    assert len(taps_of(torch.eye(3)).factors[0]) == 3
    assert len(taps_of(torch.zeros(2, 2)).factors[0]) == 1


def test_wrong_shapes_are_typed_errors() -> None:
    x = torch.zeros(1, 3, 4, 4)
    for call in (
        lambda: upfirdn2d(x[0], BLUR),
        lambda: upfirdn2d(x, BLUR[0]),
        lambda: upfirdn2d(x, BLUR, pad=(-1, 0)),
        lambda: upfirdn2d(x, BLUR, up=0),
        lambda: fused_leaky_relu(x, torch.zeros(4)),
        lambda: fused_leaky_relu(x, None, scale=0),
    ):
        with pytest.raises(ShapeError):
            call()


class Both(torch.nn.Module):
    """The two operations in a row."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return fused_leaky_relu(upfirdn2d(x, BLUR, 2, 1, (2, 1)), torch.ones(3))


def test_exported_without_the_native_operations(library: native.Library) -> None:
    """An exported program holds operations of PyTorch only."""
    x = torch.randn(1, 3, 8, 8)
    exported = torch.export.export(Both(), (x,), strict=False)
    names = {str(node.target) for node in exported.graph.nodes if node.op == "call_function"}
    assert names and all(name.startswith("aten.") for name in names)
    torch.testing.assert_close(exported.module()(x + 1), Both()(x + 1))
