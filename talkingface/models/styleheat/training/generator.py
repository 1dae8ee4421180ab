"""Losses of a StyleGAN2 that is trained from scratch (Karras et al. 2020; appendix B for the lazy penalties)."""

from __future__ import annotations

import torch
from torch import Tensor

from ....nn.stylegan2.discriminator import Discriminator
from ....nn.stylegan2.generator import Generator
from ....nn.stylegan2.losses import (
    PathLengthPenalty,
    discriminator_loss,
    generator_loss,
    gradient_penalty,
    path_lengths,
)
from ...base import Batch, Losses
from ..config import GeneratorStage
from ..networks.pictures import resized


class GeneratorObjective:
    """Losses of generator and discriminator, weighted scalars by name. There is no noise, as in inference.

    Args:
        generator, discriminator: the two sides.
        path_length: keeps the mean of path lengths.
        stage: weights and shares.
    """

    def __init__(
        self, generator: Generator, discriminator: Discriminator, path_length: PathLengthPenalty, stage: GeneratorStage
    ) -> None:
        self.generator, self.discriminator, self.path_length, self.stage = generator, discriminator, path_length, stage

    def generator_losses(self, batch: Batch) -> Losses:
        """Loss of the generator: low where made pictures pass for real."""
        made = self.generator(self.draw_codes(_count(batch))).picture
        return {"adversarial": self.stage.loss_weights.adversarial * generator_loss(self._scores(made))}

    def path_losses(self, batch: Batch) -> Losses:
        """Penalty on path lengths, weighted for the steps without it too."""
        weights = self.stage.loss_weights
        codes = self.draw_codes(max(1, round(_count(batch) * self.stage.path_batch)))
        pictures = self.generator(codes).picture
        lengths = path_lengths(pictures, codes, torch.randn_like(pictures))
        penalty: Tensor = self.path_length(lengths)
        return {"path": weights.path * weights.path_every * penalty}

    def discriminator_losses(self, batch: Batch) -> Losses:
        """Loss of the discriminator: low where it tells real pictures from made ones."""
        real = self._real(batch)
        with torch.no_grad():
            made = self.generator(self.draw_codes(len(real))).picture
        return {"logistic": discriminator_loss(self._scores(real), self._scores(made))}

    def penalty_losses(self, batch: Batch) -> Losses:
        """R1 on real pictures, weighted for the steps without it too."""
        weights = self.stage.loss_weights
        real = self._real(batch).requires_grad_()
        penalty = gradient_penalty(self._scores(real), real)
        return {"r1": weights.r1 / 2 * weights.r1_every * penalty}

    def draw_codes(self, count: int) -> Tensor:
        """Codes (count, codes, length) of one draw, or of two from a random code on (Karras et al. 2019, mixing)."""
        generator = self.generator
        like = generator.input.input
        drawn = torch.randn(2, count, generator.structure.code_length, device=like.device, dtype=like.dtype)
        first, second = generator.codes_of(drawn[0]), generator.codes_of(drawn[1])
        codes = generator.structure.codes
        start = torch.randint(1, codes, (count, 1, 1), device=like.device)
        mixed = torch.rand(count, 1, 1, device=like.device) < self.stage.mixing
        behind = torch.arange(codes, device=like.device)[None, :, None] >= start
        return torch.where(mixed & behind, second, first)

    def _real(self, batch: Batch) -> Tensor:
        return resized(torch.cat([batch["source"], batch["driving"]]) * 2 - 1, self.discriminator.structure.size)

    def _scores(self, pictures: Tensor) -> Tensor:
        scores: Tensor = self.discriminator(resized(pictures, self.discriminator.structure.size))
        return scores


def _count(batch: Batch) -> int:
    """Pictures in a batch of pairs."""
    return 2 * len(batch["source"])
