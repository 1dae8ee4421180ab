"""How SadTalker is trained: losses and learning rates of its four stages. No torch here."""

from __future__ import annotations

from typing import Any

from pydantic import Field, PositiveFloat, PositiveInt, field_validator

from .render_config import Group


class ExpressionTrain(Group):
    """The expression network."""

    frames: PositiveInt = Field(5, description="Moments of an item, one after another, as in the paper.")
    learning_rate: PositiveFloat = 2e-4
    coefficients: float = Field(2, ge=0, description="Squared error of the coefficients.")
    mouth: float = Field(20, ge=0, description="Error of the points of the lips, in units of the face (space mesh).")
    eyes: float = Field(20, ge=0, description="Error of the lids' opening against the ratio that was asked for (mesh).")
    velocity: float = Field(5, ge=0, description="Squared error of the change from frame to frame.")
    following: float = Field(0, ge=0, description="1 less the correlation of the lips' opening (space mesh).")
    other_voices: bool = Field(False, description="Change voice, room and noise of each item at random.")
    pauses: float = Field(0, ge=0, le=1, description="Part of the items that get a pause, with closed lips (mesh).")


class PoseTrain(Group):
    """The pose network and its discriminator."""

    learning_rate: PositiveFloat = 2e-4
    learning_rate_discriminator: PositiveFloat = 1e-4
    reconstruction: float = Field(100, ge=0, description="Squared error of poses, in radians and units of the face.")
    kl: float = Field(0.01, ge=0, description="Distance of the latent's distribution from the normal one.")
    gan: float = Field(0.1, ge=0, description="0 trains without the discriminator.")


class Pictures(Group):
    """What pictures are compared by."""

    perceptual: list[float] = Field([10, 10, 10, 10, 10], description="One per VGG19 layer; [] trains without VGG19.")
    reconstruction: float = Field(10, ge=0, description="Absolute error, over a pyramid; not in the paper.")
    scales: list[PositiveFloat] = Field([1, 0.5, 0.25, 0.125], description="Scales of the perceptual loss.")

    @field_validator("perceptual", "feature_matching", mode="before", check_fields=False)
    @classmethod
    def _zero_is_none(cls, value: Any) -> Any:
        """`perceptual: 0` on the command line means no layer at all."""
        return [] if value == 0 else value


class MappingTrain(Pictures):
    """The mapping network, against a renderer that stays as it is."""

    learning_rate: PositiveFloat = 2e-4
    keypoints: float = Field(10, ge=0, description="Distance of keypoints from those that the picture itself gives.")


class DiscriminatorParams(Group):
    """The discriminator of pictures; only training uses it."""

    block_expansion: PositiveInt = Field(32, description="Half the channels of the first layer.")
    max_features: PositiveInt = Field(512, description="Most channels of any layer.")
    num_blocks: PositiveInt = Field(4, description="4 x 4 convolutions; all but the last halve their input.")
    scales: list[PositiveFloat] = Field([1, 0.5], description="One discriminator for each of these scales.")


class HeadEstimatorParams(Group):
    """The network that reads pose and expression off a picture; only training uses it."""

    block_expansion: PositiveInt = Field(64, description="Channels at half the size of the picture.")
    depths: list[PositiveInt] = Field([3, 3, 5, 2], min_length=4, max_length=4, description="Blocks of each size.")


class RenderTrain(Pictures):
    """The renderer: canonical keypoints, generator, and what reads motion off pictures."""

    learning_rate: PositiveFloat = 2e-4
    learning_rate_discriminator: PositiveFloat = 2e-4
    generator_gan: float = Field(1, ge=0, description="0 trains without discriminator and feature matching.")
    feature_matching: list[float] = Field([10, 10, 10, 10], description="One per discriminator block.")
    equivariance: float = Field(20, ge=0, description="Keypoints of a warped picture are the warped keypoints.")
    separation: float = Field(10, ge=0, description="Keypoints keep apart and at a mean depth.")
    head_pose: float = Field(20, ge=0, description="Error of the head's angles in radians, against the coefficients.")
    deformation: float = Field(5, ge=0, description="Expression moves keypoints no more than it has to.")
    sigma_affine: float = Field(0.05, ge=0, description="Random warp of the equivariance loss, its affine part.")
    sigma_tps: float = Field(0.005, ge=0, description="Its spline part.")
    points_tps: int = Field(5, ge=2, description="Its control points to a side.")
    discriminator_params: DiscriminatorParams = DiscriminatorParams()
    head_estimator_params: HeadEstimatorParams = HeadEstimatorParams()


class CompactTrain(Group):
    """The compact mapping network and generator."""

    learning_rate: PositiveFloat = 4e-4
    jacobians: float = Field(0.4, ge=0, description="Error of the keypoints' Jacobians, against that of their places.")
    lips: float = Field(5, ge=0, description="How much more of the error pixels at the lips count.")
    eyes: float = Field(4, ge=0, description="The same at the eyes.")
    smaller: float = Field(0.5, ge=0, description="Error at half, quarter and eighth size.")
    edges: float = Field(0.7, ge=0, description="Error of the differences between neighbouring pixels.")
    deformed: float = Field(0.3, ge=0, description="Error of the warped source outside the lips.")


class TrainParams(Group):
    """One group for each stage; the compact architecture has its own for pictures."""

    expression: ExpressionTrain = ExpressionTrain()
    pose: PoseTrain = PoseTrain()
    mapping: MappingTrain = MappingTrain()
    render: RenderTrain = RenderTrain()
    compact: CompactTrain = CompactTrain()
