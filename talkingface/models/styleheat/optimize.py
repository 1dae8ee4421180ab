"""Inversion by optimisation: codes and features of one picture, improved step by step (Barbershop's way)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...nn.losses.perceptual import VGG19
from ...nn.stylegan2.generator import Halfway
from .inversion import Inverter
from .inversion_loss import Candidate, CodeStatistics, inversion_losses
from .pictures import resized

RATE = 0.01
PUBLISHED_STEPS = 250


@dataclass(frozen=True)
class Tools:
    """What the loss looks through; a term without its tool is left out.

    Attributes:
        vgg: for likeness to the eye.
        statistics: for codes that a generator's mapping network could have made.
    """

    vgg: VGG19 | None = None
    statistics: CodeStatistics | None = None

    def to(self, like: Tensor) -> Tools:
        """The same on another device."""
        vgg = None if self.vgg is None else self.vgg.to(like.device)
        return Tools(vgg, None if self.statistics is None else self.statistics.to(like))


def first_tuned(inverter: Inverter) -> int:
    """Index of the first code that is tuned: the second one behind the place where features change, as published."""
    return 2 * inverter.stylegan.structure.splice_doubling + 3


def optimize(
    inverter: Inverter, picture: Tensor, codes: Tensor, features: Tensor, tools: Tools, steps: int = PUBLISHED_STEPS
) -> tuple[Tensor, Tensor]:
    """Codes and features whose picture is nearer to the one given.

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
        terms = inversion_losses(Candidate(made, every, moved), real, first, tools.vgg, tools.statistics)
        adam.zero_grad(set_to_none=True)
        torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
        adam.step()
    return torch.cat([fixed, tuned.detach()], dim=1), moved.detach()
