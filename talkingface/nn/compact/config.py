"""Settings of the compact networks. No torch here: settings are checked before anything heavy is loaded."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt


class Group(BaseModel):
    """A group of settings; an unknown name is an error."""

    model_config = ConfigDict(extra="forbid", validate_default=True)


class CommonParams(Group):
    """Sizes that all networks agree on."""

    num_kp: PositiveInt = Field(10, description="Keypoints per picture.")
    num_channels: PositiveInt = Field(3, description="Channels of a picture; 3 is RGB.")
    estimate_jacobian: bool = Field(True, description="Local affine motion (2 x 2) at each keypoint; off: shift only.")


class CompactParams(Group):
    """The compact networks; unused by the published ones."""

    motion_size: PositiveInt = Field(128, description="Motion is estimated on pictures pooled to about this side.")
    temperature: PositiveFloat = Field(0.1, description="As in kp_detector_params.")
    kp_variance: PositiveFloat = Field(0.01, description="As in dense_motion_params.")
    detector_widths: list[PositiveInt] = Field([48, 80, 112, 128], description="Channels, from fine to coarse.")
    motion_widths: list[PositiveInt] = Field([64, 96, 128, 128], description="Channels, from fine to coarse.")
    motion_features: PositiveInt = Field(32, description="Channels that tell the decoder about the motion.")
    generator_widths: tuple[PositiveInt, PositiveInt, PositiveInt] = Field(
        (24, 64, 96), description="Channels of the source's features at 1/2, 1/4 and 1/8 of its size."
    )
    decoder_width: PositiveInt = Field(32, description="Channels of the decoder at 1/2 of the picture's size.")
    num_bottleneck_blocks: PositiveInt = Field(3, description="Residual blocks at 1/8 of the picture's size.")
    mouth_width: PositiveInt = Field(48, description="Channels of the network that paints mouths (mixed keypoints).")
    eyes_width: PositiveInt = Field(32, description="Channels of the network that paints eyes (mixed keypoints).")
