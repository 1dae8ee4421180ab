"""Losses of least-squares GANs (Mao et al. 2017), hinge losses, and feature matching (Wang et al. 2018)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import Tensor


def generator_loss(fake_scores: Tensor) -> Tensor:
    """How far the scores of made pictures are from 1, squared; a scalar."""
    return (1 - fake_scores).square().mean()


def discriminator_loss(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """How far the scores of real pictures are from 1 and those of made ones from 0, squared; a scalar."""
    return (1 - real_scores).square().mean() + fake_scores.square().mean()


def feature_distance(real: Iterable[Tensor], fake: Iterable[Tensor], weights: Sequence[float]) -> Tensor | float:
    """Weighted sum, over layers, of the mean absolute difference of features; the real ones get no gradient."""
    return sum(
        weight * (a.detach() - b).abs().mean() for a, b, weight in zip(real, fake, weights, strict=False) if weight
    )


def hinge_generator_loss(fake_scores: Tensor) -> Tensor:
    """How low the scores of made pictures are; a scalar (Lim and Ye 2017)."""
    return -fake_scores.mean()


def hinge_discriminator_loss(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """How far the scores of real pictures are below 1 and those of made ones above -1; a scalar."""
    return (1 - real_scores).relu().mean() + (1 + fake_scores).relu().mean()
