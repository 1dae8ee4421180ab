"""Settings of SadTalker's render networks, named as in its released `facerender.yaml` and `facerender_still.yaml`.

Defaults are the published ones; the files for 256 and for 512 pixels have the same structure. No torch here.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator


class Group(BaseModel):
    """A group of settings; an unknown name is an error."""

    model_config = ConfigDict(extra="forbid", validate_default=True)


class CommonParams(Group):
    """What all render networks agree on."""

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
