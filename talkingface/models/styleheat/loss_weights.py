"""Weights of the losses of the two stages of training, as published (released configuration files). No torch here."""

from __future__ import annotations

from pydantic import Field, NonNegativeFloat, PositiveInt

from .structure import Structure


class WarperWeights(Structure):
    """Stage 1, the video warper."""

    perceptual: NonNegativeFloat = Field(1.0, description="Between the warped source and the target.")


class CalibrationWeights(Structure):
    """Stage 2, the calibrator."""

    local_loss: NonNegativeFloat = Field(2.0, description="Mean absolute difference of mouth and eyes.")
    perceptual_warp: NonNegativeFloat = Field(0.02, description="Between what the warper alone gives and the target.")
    perceptual_final: NonNegativeFloat = Field(0.2, description="Between the result and the target, masked.")
    perceptual_regular: NonNegativeFloat = Field(
        0.01, description="Between the result and what the warper alone gives, where the mask does not look."
    )
    gan_loss: NonNegativeFloat = Field(1.0, description="Of the adversarial loss.")
    style: NonNegativeFloat = Field(250.0, description="Gram matrices within the two perceptual losses of the result.")
    outside: tuple[tuple[PositiveInt, NonNegativeFloat], ...] = Field(
        ((500, 0.2), (2000, 0.05)),
        description="Until which iteration the mask has which weight outside the face's parts.",
    )
    outside_at_last: NonNegativeFloat = Field(0.005, description="That weight afterwards.")

    def outside_at(self, iteration: int) -> float:
        """Weight outside the parts of the face."""
        return next((weight for end, weight in self.outside if iteration < end), self.outside_at_last)
