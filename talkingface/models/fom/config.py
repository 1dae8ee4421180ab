"""Settings of the First Order Motion Model, named as in its released configs (`config/vox-256.yaml` and the others).

The `model_params` of a released config read as they are; its `train_params` belong under the field of that name.
No torch here: settings are checked before anything heavy is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, ValidationError, model_validator

from ...errors import ConfigError
from ...nn.compact.config import CommonParams, CompactParams, Group
from ..settings import TrainedConfig, refused_values, unknown_phases, unknown_stage, untrained


class KPDetectorParams(Group):
    """The keypoint detector."""

    block_expansion: PositiveInt = Field(32, description="Channels of the hourglass at its full size.")
    max_features: PositiveInt = Field(1024, description="Most channels of any layer.")
    num_blocks: PositiveInt = Field(5, description="Times the hourglass halves its input.")
    temperature: PositiveFloat = Field(0.1, description="Divides the heatmap before its softmax; small is peaked.")
    scale_factor: PositiveFloat = Field(0.25, le=1, description="The detector sees the picture scaled by this.")
    single_jacobian_map: bool = Field(False, description="One map of Jacobians that all keypoints share.")
    pad: int = Field(0, ge=0, description="Zero padding of the 7 x 7 head; 0 trims three pixels from each side.")


class DenseMotionParams(Group):
    """The dense motion network inside the generator."""

    block_expansion: PositiveInt = Field(64, description="Channels of the hourglass at its full size.")
    max_features: PositiveInt = Field(1024, description="Most channels of any layer.")
    num_blocks: PositiveInt = Field(5, description="Times the hourglass halves its input.")
    scale_factor: PositiveFloat = Field(0.25, le=1, description="Motion is estimated on the picture scaled by this.")
    kp_variance: PositiveFloat = Field(0.01, description="Variance of a keypoint's heatmap; the picture spans [-1, 1].")


class GeneratorParams(Group):
    """The occlusion-aware generator."""

    block_expansion: PositiveInt = Field(64, description="Channels at the picture's full size.")
    max_features: PositiveInt = Field(512, description="Most channels of any layer.")
    num_down_blocks: PositiveInt = Field(2, description="Times the source features are halved before they are warped.")
    num_bottleneck_blocks: PositiveInt = Field(6, description="Residual blocks after the warp.")
    estimate_occlusion_map: bool = Field(True, description="Mask out what the source picture cannot show.")
    dense_motion_params: DenseMotionParams = DenseMotionParams()


class DiscriminatorParams(Group):
    """The discriminator; only training uses it."""

    scales: list[PositiveFloat] = Field([1], description="One discriminator for each of these scales of the picture.")
    block_expansion: PositiveInt = Field(32, description="Half the channels of the first layer.")
    max_features: PositiveInt = Field(512, description="Most channels of any layer.")
    num_blocks: PositiveInt = Field(4, description="4 x 4 convolutions; all but the last halve their input.")
    sn: bool = Field(False, description="Spectral norm on every convolution.")
    use_kp: bool = Field(False, description="Feed the driving keypoints as heatmaps beside the picture.")
    kp_variance: PositiveFloat = Field(0.01, description="Variance of those heatmaps.")


class TransformParams(Group):
    """The random thin-plate transform of the equivariance loss."""

    sigma_affine: float = Field(0.05, ge=0, description="Standard deviation of the affine part.")
    sigma_tps: float | None = Field(0.005, ge=0, description="Standard deviation of the spline part; null: none.")
    points_tps: int = Field(5, ge=2, description="Control points to a side.")

    @model_validator(mode="before")
    @classmethod
    def _affine_only(cls, values: Any) -> Any:
        """A released config that names no `sigma_tps` means the affine part alone."""
        if isinstance(values, Mapping) and values and "sigma_tps" not in values:
            return {**values, "sigma_tps": None}
        return values


class LossWeights(Group):
    """Weight of each loss; a loss with weight zero is not computed."""

    generator_gan: float = Field(1, ge=0, description="0 trains without discriminator and feature matching.")
    discriminator_gan: float = Field(1, ge=0)
    feature_matching: list[float] = Field([10, 10, 10, 10], description="One per discriminator block.")
    perceptual: list[float] = Field([10, 10, 10, 10, 10], description="One per VGG19 layer; [] trains without VGG19.")
    equivariance_value: float = Field(10, ge=0)
    equivariance_jacobian: float = Field(10, ge=0)
    reconstruction: float = Field(0, ge=0, description="Absolute error of the prediction, over a pyramid.")
    focus: float = Field(0, ge=0, description="How much more of `reconstruction` pixels near keypoints count.")
    deformed: float = Field(0, ge=0, description="The same for the warped source; guides the motion directly.")
    separation: float = Field(0, ge=0, description="Keeps keypoints from gathering in one place.")

    @model_validator(mode="before")
    @classmethod
    def _zero_is_none(cls, values: Any) -> Any:
        """`perceptual: 0` on the command line means no layer at all."""
        if not isinstance(values, Mapping):
            return values
        lists = {"perceptual", "feature_matching"}
        return {name: [] if name in lists and value == 0 else value for name, value in values.items()}


class TrainParams(Group):
    """Training of the published networks."""

    num_epochs: PositiveInt = Field(100, description="Passes over the data.")
    num_repeats: PositiveInt = Field(75, description="Times each clip is drawn within an epoch.")
    epoch_milestones: list[int] = Field([60, 90], description="Epochs after which learning rates fall tenfold.")
    lr_generator: float = Field(2e-4, ge=0)
    lr_discriminator: float = Field(2e-4, ge=0)
    lr_kp_detector: float = Field(2e-4, ge=0, description="0 freezes the detector, its batch norm included.")
    batch_size: PositiveInt = 40
    scales: list[PositiveFloat] = Field([1, 0.5, 0.25, 0.125], description="Scales of the perceptual loss.")
    both_directions: bool = Field(
        False, description="Each pair of frames trains a second time with its parts exchanged."
    )
    checkpoint_freq: PositiveInt = Field(
        50, description="Read for the sake of released files; the trainer has its own."
    )
    transform_params: TransformParams = TransformParams()
    loss_weights: LossWeights = LossWeights()


class FOMConfig(TrainedConfig, Group):
    """Everything that shapes FOM's networks and losses."""

    architecture: Literal["published", "compact", "mixed"] = Field(
        "published",
        description="The networks of the paper, this project's small ones, or these with points of the face mesh too.",
    )
    align_corners: bool = Field(
        True,
        description="How pictures are sampled at [-1, 1]: true as the released weights were trained, "
        "false as the published code runs on torch 1.3 and later.",
    )
    image_size: PositiveInt = Field(256, description="Side of the square pictures, in pixels.")
    common_params: CommonParams = CommonParams()
    kp_detector_params: KPDetectorParams = KPDetectorParams()
    generator_params: GeneratorParams = GeneratorParams()
    discriminator_params: DiscriminatorParams = DiscriminatorParams()
    compact_params: CompactParams = CompactParams()
    separable: bool = Field(False, description="Depthwise-separable convolutions in the blocks, as students have them.")
    pruned: dict[str, dict[str, PositiveInt]] = Field(
        {}, description="Channels that pruning has left, by network and layer; layers that are not named have all."
    )
    train_params: TrainParams = TrainParams()

    @property
    def motion_kind(self) -> str:
        """Kind of the motions of these networks."""
        return f"fom.kp{self.common_params.num_kp}"

    def trained(self, train: Any) -> TrainParams:
        """The model's own training settings, overridden by `train` (loss_weights, transform, scales).

        Raises:
            ConfigError: for names and values in `train` that do not fit.
        """
        own = self.train_params.model_dump()
        own["loss_weights"].update(getattr(train, "loss_weights", None) or {})
        own["transform_params"].update(getattr(train, "transform", None) or {})
        if "scales" in getattr(train, "model_fields_set", ()):
            own["scales"] = train.scales
        try:
            return TrainParams.model_validate(own)
        except ValidationError as error:
            raise refused_values(error, own, "train") from None

    def training_problems(self, stage: str, train: Any) -> Iterator[ConfigError]:
        """A stage, terms, values and phases that a training of FOM does not have, and networks that it cannot train."""
        if stage:
            yield unknown_stage("FOM", stage, ())
        if self.architecture == "mixed":
            yield untrained("FOM")
        try:
            self.trained(train)
        except ConfigError as error:
            yield error
        yield from unknown_phases(train, ("generator", "discriminator"))

    def loss_files(self, stage: str, train: Any) -> tuple[str, ...]:
        """VGG19, where the perceptual loss has a weight."""
        return ("vgg19",) if any(self.trained(train).loss_weights.perceptual) else ()

    @classmethod
    def from_released(cls, document: Mapping[str, Any], **settings: Any) -> FOMConfig:
        """Settings of a whole released config file, parsed; its data set and visualizer parts are left aside.

        Args:
            document: mapping with `model_params`, and `train_params` where it has them.
            settings: fields that released files do not have, such as `align_corners`.
        """
        train = {"train_params": document["train_params"]} if "train_params" in document else {}
        return cls.model_validate({**document["model_params"], **train, **settings})
