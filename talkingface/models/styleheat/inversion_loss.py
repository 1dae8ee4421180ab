"""Loss of an inversion by optimisation (Zhu et al. 2021, "Barbershop", section 3.3, on the P-norm of 2020)."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from ...nn.perceptual import STYLE_WEIGHT, perceptual_loss
from ...nn.vgg import VGG19
from .pictures import resized

LIKELY_WEIGHT, FEATURE_WEIGHT = 0.001, 0.1
UNDO_SLOPE = 5.0  # undoes the mapping network's last leaky ReLU, of slope 0.2
VGG_SIDE = 256


@dataclass(frozen=True)
class CodeStatistics:
    """Principal axes of a generator's codes before the last activation of its mapping network.

    The three arrays of the released ``ffhq_PCA.npz``: X_mean (D,), X_comp (D, D) with an axis in each row, and X_stdev
    (D,), the deviations along the axes.
    """

    mean: Tensor
    axes: Tensor
    deviations: Tensor

    def unlikeliness(self, codes: Tensor) -> Tensor:
        """Mean square of codes (N, L, D) in deviations along the axes; about 1 for codes of the mapping network."""
        before = F.leaky_relu(codes, UNDO_SLOPE)
        return ((before - self.mean) @ self.axes.T / self.deviations).square().mean()


@dataclass(frozen=True)
class Candidate:
    """What the optimisation has found so far.

    Attributes:
        picture: (N, 3, H, W) in [-1, 1], of the generator.
        codes: (N, L, D).
        features: (N, C, h, w), at the layer where motion warps them.
    """

    picture: Tensor
    codes: Tensor
    features: Tensor


def inversion_losses(
    candidate: Candidate, real: Tensor, first_features: Tensor, vgg: VGG19, statistics: CodeStatistics
) -> dict[str, Tensor]:
    """The weighted terms by name; their sum is the loss.

    Args:
        real: the picture to invert, (N, 3, H, W) in [-1, 1].
        first_features: with which the optimisation began; the features should stay near them.
    """
    small, small_real = resized(candidate.picture, VGG_SIDE), resized(real, VGG_SIDE)
    return {
        "l2": F.mse_loss(candidate.picture, real),
        "lpips": perceptual_loss(vgg, small, small_real, style=STYLE_WEIGHT),
        "p_norm": LIKELY_WEIGHT * statistics.unlikeliness(candidate.codes),
        "l_F": FEATURE_WEIGHT * F.mse_loss(candidate.features, first_features),
    }
