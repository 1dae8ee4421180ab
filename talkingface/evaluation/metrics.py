"""Distances between pictures, one number per picture."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import ShapeError

# Wang et al. 2004, section III.B: window of 11 x 11 with a standard deviation of 1.5, K1 and K2.
_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2
# A picture without any error, as the first frame is for the baselines, would make every mean infinite.
_LARGEST_PSNR = 100.0


def l1(predicted: Tensor, real: Tensor) -> Tensor:
    """Mean absolute difference.

    Args:
        predicted, real: (N, 3, H, W) in [0, 1].

    Returns:
        (N,), 0 for equal pictures, 1 at most.
    """
    _check(predicted, real)
    return (predicted - real).abs().mean(dim=(1, 2, 3))


def psnr(predicted: Tensor, real: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB for a peak of 1; at most 100.

    Args:
        predicted, real: (N, 3, H, W) in [0, 1].

    Returns:
        (N,).
    """
    _check(predicted, real)
    error = (predicted - real).square().mean(dim=(1, 2, 3))
    return (-10 * torch.log10(error)).clamp(max=_LARGEST_PSNR)


def ssim(predicted: Tensor, real: Tensor) -> Tensor:
    """Structural similarity, the mean over channels and over the windows that lie inside the picture.

    Args:
        predicted, real: (N, 3, H, W) in [0, 1], sides of at least 11 pixels.

    Returns:
        (N,), 1 for equal pictures.

    Source: Wang et al. 2004, eq. 13, Gaussian window, on each colour channel.
    """
    _check(predicted, real)
    if min(real.shape[-2:]) < _WINDOW:
        raise ShapeError(f"SSIM needs sides of at least {_WINDOW} pixels, got {tuple(real.shape)}")
    mean_p, mean_r = _blur(predicted), _blur(real)
    squares, product = mean_p.square() + mean_r.square(), mean_p * mean_r
    # The index holds the two variances only as a sum, so that one blur serves both.
    variances = _blur(predicted.square() + real.square()) - squares
    covariance = _blur(predicted * real) - product
    index = (2 * product + _C1) * (2 * covariance + _C2) / ((squares + _C1) * (variances + _C2))
    return index.mean(dim=(1, 2, 3))


def _check(predicted: Tensor, real: Tensor) -> None:
    if predicted.shape != real.shape or real.ndim != 4:
        raise ShapeError(f"expected two (N, 3, H, W), got {tuple(predicted.shape)} and {tuple(real.shape)}")


def _blur(values: Tensor) -> Tensor:
    """Gaussian mean over all windows inside the picture, (N, C, H, W) -> (N, C, H - 10, W - 10)."""
    return _slide(_slide(values, -1), -2)


def _slide(values: Tensor, dim: int) -> Tensor:
    """Gaussian mean along one axis. Sums of shifted views: on the CPU six times faster than a convolution."""
    half = _WINDOW // 2
    weights = torch.exp(-torch.arange(-half, half + 1, dtype=torch.float64).square() / (2 * _SIGMA**2))
    shares: list[float] = (weights / weights.sum()).tolist()
    length = values.shape[dim] - _WINDOW + 1
    total = values.narrow(dim, half, length) * shares[half]
    for offset in range(half):
        pair = values.narrow(dim, offset, length) + values.narrow(dim, _WINDOW - 1 - offset, length)
        total.add_(pair, alpha=shares[offset])
    return total
