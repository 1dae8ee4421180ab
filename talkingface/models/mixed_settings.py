"""Weights of the losses of the generator with mixed keypoints. No torch here."""

from __future__ import annotations

from pydantic import Field

from ..nn.compact.config import Group


class MixedLosses(Group):
    """Weight of each loss; a loss with weight zero is not computed."""

    without_points: float = Field(0.25, ge=0, le=1, description="Share of items that are drawn from keypoints alone.")
    lips: float = Field(5, ge=0, description="How much more errors around the lips count.")
    eyes: float = Field(4, ge=0, description="The same around the eyes.")
    smaller: float = Field(0.5, ge=0, description="Absolute error at half, quarter and eighth size.")
    edges: float = Field(0.7, ge=0, description="Error of the differences of neighbouring pixels.")
    deformed: float = Field(0.3, ge=0, description="Absolute error of the warped source, lips left out.")
    perceptual: float = Field(0.05, ge=0, description="Distance of VGG16 features.")
    regions: dict[str, float] = Field(
        {"mouth": 0.45, "eyes": 0.25, "patch": 0.3}, description="How often each region's features are compared."
    )
    painted: float = Field(0.01, ge=0, description="Share of the picture that is painted instead of warped.")
    adversarial: float = Field(0, ge=0, description="Windows should pass for real ones; 0 trains no discriminator.")
    matching: float = Field(0, ge=0, description="Distance of the discriminators' features.")
