"""Settings of SadTalker. Those of the render networks read as in its released configs. No torch here."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from ...nn.compact.config import CompactParams
from .render_config import Group, RenderConfig
from .train_config import TrainParams


class CompactVoiceParams(Group):
    """Widths of the compact networks around the generator; unused by the published ones."""

    expression_width: PositiveInt = Field(96, description="Channels of the expression network.")
    pose_width: PositiveInt = Field(64, description="Channels of the head pose network.")
    mapping_width: PositiveInt = Field(256, description="Channels of the mapping network.")


class SadTalkerConfig(RenderConfig):
    """Everything that shapes SadTalker; its audio networks have one size."""

    architecture: Literal["published", "compact"] = Field(
        "published", description="The networks of the paper, or this project's small ones."
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
        """What coefficients mean to these networks: ``"bfm"`` or ``"mesh"``."""
        own = {"published": "bfm", "compact": "mesh"}[self.architecture]
        return own if self.trained_in == "auto" else self.trained_in

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
        seen = self.image_size * detector.scale_factor
        if self.architecture == "published" and (
            self.image_size % 2 ** (generator.num_down_blocks + generator.dense_motion_params.num_blocks)
            or seen % 2**detector.num_blocks
        ):
            raise ValueError(f"image_size {self.image_size} cannot be halved as often as the networks do")
        return self
