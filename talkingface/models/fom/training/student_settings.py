"""Weights of the losses of students. No torch here."""

from __future__ import annotations

from pydantic import Field

from ....nn.compact.config import Group


class StudentLosses(Group):
    """Weight of each loss; a loss with weight zero is not computed."""

    keypoints: float = Field(10, ge=0, description="Distance of keypoints from the teacher's.")
    jacobians: float = Field(1, ge=0, description="Distance of their Jacobians.")
    equivariance: float = Field(1, ge=0, description="Keypoints move with a warped picture; a fifth for Jacobians.")
    taught: float = Field(1, ge=0, description="Absolute error against the teacher's picture, over a pyramid.")
    reconstruction: float = Field(1, ge=0, description="The same against the driving frame.")
    edges: float = Field(0.7, ge=0, description="Error of the differences of neighbouring pixels, driving frame.")
    face: float = Field(4, ge=0, description="How much more errors around lips and eyes count.")
    motion: float = Field(0.5, ge=0, description="Distance of the warped source and of the maps from the teacher's.")
    attention: float = Field(0.1, ge=0, description="Distance of where features are strong, see `attention`.")
    perceptual: float = Field(0.05, ge=0, description="Distance of VGG16 features of the prediction, if given.")
    without_points: float = Field(0.25, ge=0, le=1, description="Share of items that are drawn from keypoints alone.")
    sparsity: float = Field(0, ge=0, description="Mean scale of batch norms; makes channels dispensable.")
