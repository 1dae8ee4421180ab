"""Differences of frames: L1, PSNR, SSIM, MS-SSIM."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import ShapeError
from ..metric import FrameMetric

# Wang et al. 2004, section III.B: window of 11 x 11 with a standard deviation of 1.5, K1 and K2.
_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2
# A picture without any error, as the first frame is for the baselines, would make every mean infinite.
_LARGEST_PSNR = 100.0
# Wang, Simoncelli and Bovik 2003, below eq. 7, from the finest scale to the coarsest.
_EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


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
    return _similarity(predicted, real)[0]


def ms_ssim(predicted: Tensor, real: Tensor) -> Tensor:
    """Structural similarity over five scales, each of half the size before.

    Contrast and structure of all scales count, the luminance of the coarsest alone; negative values count as 0.

    Args:
        predicted, real: (N, 3, H, W) in [0, 1], sides of at least 176 pixels.

    Returns:
        (N,), 1 for equal pictures; NaN for smaller ones.

    Source: Wang, Simoncelli and Bovik 2003, eq. 7 and the exponents below it.
    """
    _check(predicted, real)
    product = predicted.new_ones(len(predicted))
    if min(real.shape[-2:]) < _WINDOW * 2 ** (len(_EXPONENTS) - 1):
        return product * torch.nan
    for scale, exponent in enumerate(_EXPONENTS):
        if scale:
            predicted, real = F.avg_pool2d(predicted, 2), F.avg_pool2d(real, 2)
        index, structure = _similarity(predicted, real)
        chosen = index if scale == len(_EXPONENTS) - 1 else structure
        product = product * chosen.clamp(min=0) ** exponent
    return product


def _similarity(predicted: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
    """(index, its part of contrast and structure), each (N,), means over channels and windows."""
    _check(predicted, real)
    if min(real.shape[-2:]) < _WINDOW:
        raise ShapeError(f"SSIM needs sides of at least {_WINDOW} pixels, got {tuple(real.shape)}")
    mean_p, mean_r = _blur(predicted), _blur(real)
    squares, product = mean_p.square() + mean_r.square(), mean_p * mean_r
    # The index holds the two variances only as a sum, so that one blur serves both.
    variances = _blur(predicted.square() + real.square()) - squares
    covariance = _blur(predicted * real) - product
    structure = (2 * covariance + _C2) / (variances + _C2)
    index = (2 * product + _C1) / (squares + _C1) * structure
    return index.mean(dim=(1, 2, 3)), structure.mean(dim=(1, 2, 3))


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


class L1(FrameMetric):
    """Mean absolute difference."""

    heading, better = "L1", "lower"
    measure = staticmethod(l1)


class PSNR(FrameMetric):
    """Peak signal-to-noise ratio in dB."""

    heading, digits, better = "PSNR", 2, "higher"
    measure = staticmethod(psnr)


class SSIM(FrameMetric):
    """Structural similarity."""

    heading, better = "SSIM", "higher"
    measure = staticmethod(ssim)


class MSSSIM(FrameMetric):
    """Structural similarity over five scales."""

    heading, better = "MS-SSIM", "higher"
    measure = staticmethod(ms_ssim)
