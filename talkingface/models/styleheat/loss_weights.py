"""Weights of the losses of each stage of training; those of the two published stages are from its files. No torch."""

from __future__ import annotations

from pydantic import Field, NonNegativeFloat, PositiveInt

from .structure import Structure


class WarperWeights(Structure):
    """Stage 1, the video warper."""

    perceptual: NonNegativeFloat = Field(1.0, description="Between the warped source and the target.")
    reconstruction: NonNegativeFloat = Field(0.0, description="Mean absolute error of the two, over three sizes.")
    focus: NonNegativeFloat = Field(0.0, description="How much more the middle of the picture counts in it.")


class CalibrationWeights(Structure):
    """Stage 2, the calibrator."""

    local_loss: NonNegativeFloat = Field(2.0, description="Mean absolute difference of mouth and eyes.")
    perceptual_warp: NonNegativeFloat = Field(0.02, description="Between what the warper alone gives and the target.")
    perceptual_final: NonNegativeFloat = Field(0.2, description="Between the result and the target, masked.")
    perceptual_regular: NonNegativeFloat = Field(
        0.01, description="Between the result and what the warper alone gives, where the mask does not look."
    )
    gan_loss: NonNegativeFloat = Field(1.0, description="Of a tenth of the adversarial loss.")
    reconstruction: NonNegativeFloat = Field(0.0, description="Mean absolute error of the result, over three sizes.")
    reconstruction_warp: NonNegativeFloat = Field(0.0, description="The same of what the warper alone gives.")
    focus: NonNegativeFloat = Field(0.0, description="How much more the middle of the picture counts in these two.")
    style: NonNegativeFloat = Field(250.0, description="Gram matrices within the two perceptual losses of the result.")
    outside: tuple[tuple[PositiveInt, NonNegativeFloat], ...] = Field(
        ((500, 0.2), (2000, 0.05)),
        description="Until which iteration the mask has which weight outside the face's parts.",
    )
    outside_at_last: NonNegativeFloat = Field(0.005, description="That weight afterwards.")

    @property
    def looks_at_parts(self) -> bool:
        """Whether landmarks are needed."""
        return bool(self.local_loss or self.perceptual_final or self.perceptual_regular)

    @property
    def looks_at_warp(self) -> bool:
        """Whether the generator has to draw what the warper alone gives."""
        return bool(self.perceptual_warp or self.perceptual_regular or self.reconstruction_warp)

    @property
    def perceptual(self) -> float:
        """Whether VGG19 is needed, as a number that is not zero."""
        return self.perceptual_warp + self.perceptual_final + self.perceptual_regular

    def outside_at(self, iteration: int) -> float:
        """Weight outside the parts of the face."""
        return next((weight for end, weight in self.outside if iteration < end), self.outside_at_last)


class InversionWeights(Structure):
    """The inversion stage. A loss with weight zero is not computed."""

    reconstruction: NonNegativeFloat = Field(1.0, description="Mean absolute error, over three sizes.")
    rough: NonNegativeFloat = Field(0.5, description="The same for what the codes alone make.")
    focus: NonNegativeFloat = Field(0.0, description="How much more the middle of the picture counts.")
    perceptual: NonNegativeFloat = Field(0.0, description="Of VGG19.")
    identity: NonNegativeFloat = Field(0.0, description="Of IR-SE50.")
    offsets: NonNegativeFloat = Field(2e-4, description="Length of the codes' offsets from the first one (e4e).")
    adversarial: NonNegativeFloat = Field(0.0, description="Of a discriminator that learns along.")


class JointWeights(Structure):
    """The joint stage. A loss with weight zero is not computed."""

    reconstruction: NonNegativeFloat = Field(1.0, description="Mean absolute error of the result, over three sizes.")
    own: NonNegativeFloat = Field(0.5, description="The same for the source, given back without motion.")
    rough: NonNegativeFloat = Field(0.2, description="The same for what the codes alone make of the source.")
    focus: NonNegativeFloat = Field(3.0, description="How much more the middle of the picture counts in these.")
    lips: NonNegativeFloat = Field(4.0, description="How much more lips and what is around them count in the result.")
    eyes: NonNegativeFloat = Field(3.0, description="The same for the eyes.")
    flow: NonNegativeFloat = Field(20.0, description="Distance of the warp from the movement of the mesh's points.")
    offsets: NonNegativeFloat = Field(2e-4, description="Length of the codes' offsets from the first one (e4e).")
    adversarial: NonNegativeFloat = Field(0.0, description="Of a discriminator that learns along.")


class GeneratorWeights(Structure):
    """StyleGAN2; the values of the paper."""

    adversarial: NonNegativeFloat = Field(1.0, description="Non-saturating.")
    r1: NonNegativeFloat = Field(10.0, description="Gamma of the penalty on the discriminator's gradient.")
    r1_every: PositiveInt = Field(16, description="Steps from one such penalty to the next.")
    path: NonNegativeFloat = Field(2.0, description="Of the penalty on path lengths.")
    path_every: PositiveInt = Field(4, description="Steps from one such penalty to the next.")
