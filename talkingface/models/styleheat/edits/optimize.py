"""Inversion by optimisation: codes and features of one picture, improved step by step (as in Barbershop)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ....errors import WeightsError
from ....nn.losses.perceptual import STYLE_WEIGHT, VGG19, perceptual_loss
from ....nn.stylegan2.generator import Halfway
from ..networks.inversion import Inverter
from ..networks.pictures import resized

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

    def to(self, like: Tensor) -> CodeStatistics:
        """Statistics in another number type and on another device."""
        return CodeStatistics(self.mean.to(like), self.axes.to(like), self.deviations.to(like))

    def unlikeliness(self, codes: Tensor) -> Tensor:
        """Mean square of codes (N, L, D) in deviations along the axes; about 1 for codes of the mapping network."""
        before = F.leaky_relu(codes, UNDO_SLOPE)
        return ((before - self.mean) @ self.axes.T / self.deviations).square().mean()


@dataclass(frozen=True)
class Candidate:
    """Result of the optimisation so far.

    Attributes:
        picture: (N, 3, H, W) in [-1, 1], of the generator.
        codes: (N, L, D).
        features: (N, C, h, w), at the layer where motion warps them.
    """

    picture: Tensor
    codes: Tensor
    features: Tensor


def statistics_of(state: Mapping[str, Tensor], length: int) -> CodeStatistics:
    """Statistics of a file with the arrays of ``ffhq_PCA.npz``, of codes (N, L, length).

    Raises:
        WeightsError: if one is missing or of another length.
    """
    if set(state) != {"X_mean", "X_comp", "X_stdev"} or state["X_comp"].shape != (length, length):
        raise WeightsError(f"no statistics of {length} numbers, but {sorted(state)}", where="styleheat_statistics")
    mean, deviations = (state[name].float().reshape(-1) for name in ("X_mean", "X_stdev"))
    return CodeStatistics(mean, state["X_comp"].float(), deviations)


def inversion_losses(
    candidate: Candidate,
    real: Tensor,
    first_features: Tensor,
    vgg: VGG19 | None,
    statistics: CodeStatistics | None,
) -> dict[str, Tensor]:
    """The weighted terms by name; their sum is the loss.

    Args:
        real: the picture to invert, (N, 3, H, W) in [-1, 1].
        first_features: (N, C, h, w), at the start of the optimisation; the features should stay near them.
        vgg, statistics: None leaves their terms out.
    """
    terms = {"l2": F.mse_loss(candidate.picture, real)}
    if vgg is not None:
        small, small_real = resized(candidate.picture, VGG_SIDE), resized(real, VGG_SIDE)
        terms["lpips"] = perceptual_loss(vgg, small, small_real, style=STYLE_WEIGHT)
    if statistics is not None:
        terms["p_norm"] = LIKELY_WEIGHT * statistics.unlikeliness(candidate.codes)
    terms["l_F"] = FEATURE_WEIGHT * F.mse_loss(candidate.features, first_features)
    return terms


RATE = 0.01
PUBLISHED_STEPS = 250


@dataclass(frozen=True)
class Priors:
    """Networks and statistics that the loss needs; a term without its own is left out.

    Attributes:
        vgg: for the perceptual distance.
        statistics: for codes that a generator's mapping network could have made.
    """

    vgg: VGG19 | None = None
    statistics: CodeStatistics | None = None

    def to(self, like: Tensor) -> Priors:
        """Priors on the device of `like` (...)."""
        vgg = None if self.vgg is None else self.vgg.to(like.device)
        return Priors(vgg, None if self.statistics is None else self.statistics.to(like))


def first_tuned(inverter: Inverter) -> int:
    """Index of the first code that is tuned: the second one behind the place where features change, as published."""
    return 2 * inverter.stylegan.structure.splice_doubling + 3


def optimize(
    inverter: Inverter, picture: Tensor, codes: Tensor, features: Tensor, priors: Priors, steps: int = PUBLISHED_STEPS
) -> tuple[Tensor, Tensor]:
    """Codes and features whose picture is nearer to a given one.

    Args:
        inverter: frozen; no gradient goes to it.
        picture: (1, 3, H, W) in [-1, 1]; compared at the generator's size.
        codes: (1, codes, length), to begin with; those of coarse layers stay.
        features: (1, C, f, f), to begin with.

    Returns:
        Both, of the same shapes.
    """
    generator, start = inverter.stylegan, first_tuned(inverter)
    real = resized(picture, generator.structure.size)
    fixed, first = codes[:, :start].clone(), features.clone()
    tuned, moved = codes[:, start:].clone().requires_grad_(), features.clone().requires_grad_()
    with torch.no_grad():
        skip = generator.begin(codes).picture  # depends on codes that stay
    adam = torch.optim.Adam([tuned, moved], lr=RATE)
    for _ in range(steps):
        every = torch.cat([fixed, tuned], dim=1)
        made = generator.finish(Halfway(moved, skip), every)
        terms = inversion_losses(Candidate(made, every, moved), real, first, priors.vgg, priors.statistics)
        adam.zero_grad(set_to_none=True)
        torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
        adam.step()
    return torch.cat([fixed, tuned.detach()], dim=1), moved.detach()
