"""Losses of generator and discriminator, with the penalties on derivatives."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def generator_loss(fake_scores: Tensor, *, inverted: bool = False) -> Tensor:
    """Non-saturating loss (Goodfellow et al. 2014, section 3): low where made pictures pass for real; a scalar.

    Args:
        inverted: reward pictures that look made, as StyleHEAT's released trainer does.
    """
    return F.softplus(fake_scores if inverted else -fake_scores).mean()


def discriminator_loss(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """Logistic loss; a scalar."""
    return F.softplus(-real_scores).mean() + F.softplus(fake_scores).mean()


def gradient_penalty(scores: Tensor, real: Tensor) -> Tensor:
    """R1 (Mescheder et al. 2018): squared length of the scores' gradient, mean over the pictures; a scalar.

    Args:
        scores: (N, 1) of `real`.
        real: (N, 3, H, W), which must have required gradients when it was scored.
    """
    (gradient,) = torch.autograd.grad(scores.sum(), real, create_graph=True)
    return gradient.square().flatten(1).sum(dim=1).mean()


def path_lengths(pictures: Tensor, codes: Tensor, noise: Tensor) -> Tensor:
    """Change of a picture, in a random direction, per small step of its codes (section 3.2 of the paper).

    Args:
        pictures: (N, 3, H, W), made of `codes`.
        codes: (N, codes, code_length), which must have required gradients.
        noise: normal, as the pictures.

    Returns:
        (N,).
    """
    directed = (pictures * noise).sum() / math.sqrt(pictures.shape[2] * pictures.shape[3])
    (gradient,) = torch.autograd.grad(directed, codes, create_graph=True)
    return gradient.square().sum(dim=2).mean(dim=1).sqrt()


class PathLengthPenalty(nn.Module):
    """Keeps path lengths near their running mean, which is saved with the weights."""

    mean: Tensor

    def __init__(self, speed: float = 0.01) -> None:
        """
        Args:
            speed: share of each batch in the mean.
        """
        super().__init__()
        self.speed = speed
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, lengths: Tensor) -> Tensor:
        """Penalty, a scalar, of lengths (N,); moves the mean.

        The mean moves before it is used, and is differentiated too, as in the public training code.
        """
        mean = torch.lerp(self.mean, lengths.mean(), self.speed)
        self.mean = mean.detach()
        return (lengths - mean).square().mean()


@dataclass(frozen=True)
class Lazy:
    """A penalty that is computed only now and then (appendix B of the paper).

    Attributes:
        every: steps from one to the next.
        weight: as if it were in each step.
    """

    every: int
    weight: float

    def due(self, step: int) -> bool:
        """Return True for steps, counted from 0, that compute it."""
        return step % self.every == 0

    @property
    def factor(self) -> float:
        """Factor of the penalty at the steps that compute it."""
        return self.weight * self.every

    def adam(self, rate: float, betas: tuple[float, float]) -> tuple[float, tuple[float, float]]:
        """Learning rate and momenta that make up for the step that each penalty adds."""
        share = self.every / (self.every + 1)
        return rate * share, (betas[0] ** share, betas[1] ** share)


R1 = Lazy(every=16, weight=5.0)  # half of the published gamma of 10
PATH = Lazy(every=4, weight=2.0)
