"""Settings of SadTalker. Those of the render networks read as in its released configs. No torch here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)

from ...errors import ConfigError
from ...nn.compact.config import CompactParams
from ..settings import TrainedConfig, refused_values, unknown_phases, unknown_stage, untrained


class Group(BaseModel):
    """A group of settings; an unknown name is an error."""

    model_config = ConfigDict(extra="forbid", validate_default=True)


class CommonParams(Group):
    """Sizes that all render networks agree on."""

    num_kp: PositiveInt = Field(15, description="Keypoints of a face.")
    image_channel: PositiveInt = Field(3, description="Channels of a picture; 3 is RGB.")
    feature_channel: PositiveInt = Field(32, description="Channels of the feature volume that is warped.")
    estimate_jacobian: bool = Field(False, description="Read for the sake of released files; no network uses it.")


class KPDetectorParams(Group):
    """The canonical keypoint detector."""

    temperature: PositiveFloat = Field(0.1, description="Divides the heatmap before its softmax; small is peaked.")
    block_expansion: PositiveInt = Field(32, description="Channels of the hourglass at its full size.")
    max_features: PositiveInt = Field(1024, description="Most channels of any layer.")
    scale_factor: PositiveFloat = Field(0.25, le=1, description="The detector sees the picture scaled by this.")
    num_blocks: PositiveInt = Field(5, description="Times the hourglass halves its input.")
    reshape_channel: PositiveInt = Field(16384, description="Channels that are read as slices of a volume.")
    reshape_depth: PositiveInt = Field(16, description="Slices of that volume.")


class DenseMotionParams(Group):
    """The dense motion network inside the generator."""

    block_expansion: PositiveInt = Field(32, description="Channels of the hourglass at its full size.")
    max_features: PositiveInt = Field(1024, description="Most channels of any layer.")
    num_blocks: PositiveInt = Field(5, description="Times the hourglass halves its input.")
    reshape_depth: PositiveInt = Field(16, description="Slices of the feature volume.")
    compress: PositiveInt = Field(4, description="Channels that the feature volume is brought to.")


class GeneratorParams(Group):
    """The generator."""

    block_expansion: PositiveInt = Field(64, description="Channels at the picture's full size.")
    max_features: PositiveInt = Field(512, description="Most channels of any layer.")
    num_down_blocks: PositiveInt = Field(2, description="Times the picture is halved before its features are warped.")
    reshape_channel: PositiveInt = Field(32, description="Channels of the feature volume.")
    reshape_depth: PositiveInt = Field(16, description="Slices of the feature volume.")
    num_resblocks: PositiveInt = Field(6, description="Residual blocks over the volume.")
    estimate_occlusion_map: bool = Field(True, description="Mask out what the source picture cannot show.")
    dense_motion_params: DenseMotionParams = DenseMotionParams()

    @model_validator(mode="after")
    def _volume_fits(self) -> GeneratorParams:
        if self.max_features != self.reshape_channel * self.reshape_depth:
            raise ValueError("max_features must be reshape_channel x reshape_depth: its channels are read as a volume")
        if self.dense_motion_params.reshape_depth != self.reshape_depth:
            raise ValueError("reshape_depth must be the same in dense_motion_params")
        return self


class MappingParams(Group):
    """The mapping network."""

    coeff_nc: PositiveInt = Field(70, description="Coefficients of a frame: 70 (crop), or 73 (full).")
    descriptor_nc: PositiveInt = Field(1024, description="Channels of its layers.")
    layer: PositiveInt = Field(3, description="Dilated convolutions, each of which shortens the window by 6.")
    num_kp: PositiveInt = Field(15, description="Keypoints that it moves.")
    num_bins: PositiveInt = Field(66, description="Classes that stand for an angle.")


class RenderConfig(Group):
    """Everything that shapes the render networks."""

    common_params: CommonParams = CommonParams()
    kp_detector_params: KPDetectorParams = KPDetectorParams()
    generator_params: GeneratorParams = GeneratorParams()
    mapping_params: MappingParams = MappingParams()

    @model_validator(mode="after")
    def _networks_agree(self) -> RenderConfig:
        if self.common_params.feature_channel != self.generator_params.reshape_channel:
            raise ValueError("common_params.feature_channel must be generator_params.reshape_channel")
        if self.common_params.num_kp != self.mapping_params.num_kp:
            raise ValueError("num_kp must be the same in common_params and mapping_params")
        return self


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
    """Losses that compare pictures."""

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
    """The renderer: canonical keypoints, generator, and the estimator that reads motion off pictures."""

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


class CompactVoiceParams(Group):
    """Widths of the compact networks around the generator; unused by the published ones."""

    expression_width: PositiveInt = Field(96, description="Channels of the expression network.")
    pose_width: PositiveInt = Field(64, description="Channels of the head pose network.")
    mapping_width: PositiveInt = Field(256, description="Channels of the mapping network.")


@dataclass(frozen=True)
class ArchitectureFacts:
    """Facts about an architecture that settings are checked by.

    Attributes:
        space: of the coefficients that its own weights were trained in.
        halves: true if the side must divide by two as often as the published networks halve it.
        groups: stage of training -> its group in `TrainParams`.
    """

    space: str
    halves: bool
    groups: Mapping[str, str]


_STAGES = {"expression": "expression", "pose": "pose"}
FACTS = {
    "published": ArchitectureFacts("bfm", True, _STAGES | {"render": "render", "mapping": "mapping"}),
    "compact": ArchitectureFacts("mesh", False, _STAGES | {"render": "compact", "mapping": "compact"}),
    "mixed": ArchitectureFacts("mesh", False, _STAGES | {"mapping": "compact"}),
}


class SadTalkerConfig(TrainedConfig, RenderConfig):
    """Everything that shapes SadTalker; its audio networks have one size."""

    architecture: Literal["published", "compact", "mixed"] = Field(
        "published",
        description="The networks of the paper, this project's small ones, or these with painters of mouth and eyes.",
    )
    image_size: PositiveInt = Field(256, description="Side of the pictures in pixels.")
    compact_params: CompactParams = CompactParams()
    compact_voice: CompactVoiceParams = CompactVoiceParams()
    trained_in: Literal["auto", "bfm", "mesh"] = Field(
        "auto",
        description="Space of the coefficients; auto: bfm for the published networks, mesh for the compact ones.",
    )
    train_params: TrainParams = TrainParams()

    @property
    def space(self) -> str:
        """Space of the coefficients of these networks: ``"bfm"`` or ``"mesh"``."""
        return FACTS[self.architecture].space if self.trained_in == "auto" else self.trained_in

    def group_of(self, stage: str) -> Any:
        """Group of training settings of a stage."""
        return getattr(self.train_params, FACTS[self.architecture].groups[stage])

    def trained(self, stage: str, train: Any) -> Any:
        """Group of training settings of a stage, overridden by the trainer's settings.

        Raises:
            ConfigError: for names and values in them that do not fit.
        """
        own, group = self.train_params.model_dump(), FACTS[self.architecture].groups[stage]
        own[group].update(getattr(train, "loss_weights", None) or {})
        if "scales" in getattr(train, "model_fields_set", ()) and "scales" in own[group]:
            own[group]["scales"] = train.scales
        try:
            return getattr(TrainParams.model_validate(own), group)
        except ValidationError as error:
            raise refused_values(error, own, "train") from None

    def training_problems(self, stage: str, train: Any) -> Iterator[ConfigError]:
        """A stage, terms, values and phases that a training of SadTalker does not have."""
        stages = FACTS[self.architecture].groups
        if self.architecture == "mixed" and stage == "render":
            yield untrained("SadTalker")
            return
        if stage and stage not in stages:
            yield unknown_stage("SadTalker", stage, stages)
            return
        chosen = stage or next(iter(stages))
        try:
            self.trained(chosen, train)
        except ConfigError as error:
            yield error
        yield from unknown_phases(train, (chosen, "discriminator"))

    def loss_files(self, stage: str, train: Any) -> tuple[str, ...]:
        """VGG19, where the stage's perceptual loss has a weight."""
        params = self.trained(stage or next(iter(FACTS[self.architecture].groups)), train)
        return ("vgg19",) if any(getattr(params, "perceptual", ())) else ()

    @property
    def coefficients(self) -> int:
        """Coefficients of a frame that the renderer takes: 70, or 73 with the crop, which whole pictures need."""
        return self.mapping_params.coeff_nc

    @model_validator(mode="after")
    def _takes_rows(self) -> SadTalkerConfig:
        if self.coefficients not in (70, 73):
            raise ValueError("mapping_params.coeff_nc must be 70, or 73 with the crop")
        return self

    @model_validator(mode="after")
    def _size_can_be_halved(self) -> SadTalkerConfig:
        generator, detector = self.generator_params, self.kp_detector_params
        halvings = generator.num_down_blocks + generator.dense_motion_params.num_blocks
        wrong = self.image_size % 2**halvings or self.image_size * detector.scale_factor % 2**detector.num_blocks
        if FACTS[self.architecture].halves and wrong:
            raise ValueError(f"image_size {self.image_size} cannot be halved as often as the networks do")
        return self
