"""Metrics against closed forms, and SSIM against kornia, and scikit-image where it is installed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from talkingface.errors import ShapeError
from talkingface.evaluation.metrics.frames import l1, psnr, ssim


def pictures(seed: int, count: int = 2, size: int = 24) -> Tensor:
    return torch.rand(count, 3, size, size + 4, generator=torch.Generator().manual_seed(seed))


def test_l1_and_psnr_of_a_constant_difference() -> None:
    real = torch.full((2, 3, 16, 16), 0.5)
    other = real + torch.tensor([0.1, -0.01])[:, None, None, None]
    assert l1(other, real).tolist() == pytest.approx([0.1, 0.01], abs=1e-6)
    assert psnr(other, real).tolist() == pytest.approx([20.0, 40.0], abs=1e-3)


def test_equal_pictures() -> None:
    real = pictures(0)
    assert l1(real, real).tolist() == [0, 0]
    assert psnr(real, real).tolist() == [100, 100]
    assert ssim(real, real).tolist() == pytest.approx([1, 1], abs=1e-5)


def test_ssim_of_flat_pictures_has_a_closed_form() -> None:
    dark, bright = torch.full((1, 3, 16, 16), 0.2), torch.full((1, 3, 16, 16), 0.6)
    expected = (2 * 0.2 * 0.6 + 1e-4) / (0.04 + 0.36 + 1e-4)
    assert ssim(dark, bright).item() == pytest.approx(expected, abs=1e-4)


def test_ssim_agrees_with_scikit_image() -> None:
    structural_similarity = pytest.importorskip("skimage.metrics").structural_similarity
    real = pictures(1)
    other = (real + 0.2 * pictures(2) - 0.1).clamp(0, 1)
    for index, value in enumerate(ssim(other, real).tolist()):
        one, two = (values[index].permute(1, 2, 0).numpy().astype(np.float64) for values in (other, real))
        expected = structural_similarity(
            one, two, data_range=1, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        assert value == pytest.approx(expected, abs=1e-5)


def test_ssim_agrees_with_kornia() -> None:
    from kornia.metrics import ssim as ssim_map

    real = pictures(1, size=64)
    other = (real + 0.2 * pictures(2, size=64) - 0.1).clamp(0, 1)
    expected = ssim_map(other, real, 11, eps=0.0, padding="valid").mean(dim=(1, 2, 3))
    torch.testing.assert_close(ssim(other, real), expected, rtol=0, atol=1e-5)


def test_shapes_are_checked() -> None:
    with pytest.raises(ShapeError):
        l1(pictures(0), pictures(0)[:1])
    with pytest.raises(ShapeError, match="at least 11"):
        ssim(torch.zeros(1, 3, 10, 32), torch.zeros(1, 3, 10, 32))
