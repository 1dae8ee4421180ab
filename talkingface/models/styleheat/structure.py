"""Sizes of StyleHEAT's networks; the defaults are the published ones. No torch here."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from ...nn.stylegan2.structure import StyleGAN2Structure


class Structure(BaseModel):
    """A group of sizes; an unknown name is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class WarperStructure(Structure):
    """The warpers."""

    numbers: PositiveInt = Field(73, description="Numbers of a frame: coefficients, or bands of the spectrum.")
    features: PositiveInt = Field(256, description="Length of the motion's descriptor.")
    layers: PositiveInt = Field(3, description="Dilated convolutions over time.")
    picture_channels: PositiveInt = Field(3, description="Channels of the picture that is warped.")
    width: PositiveInt = Field(32, description="Channels of the hourglass at the full size.")
    max_width: PositiveInt = Field(256, description="Most channels of the hourglass.")
    down: PositiveInt = Field(5, description="Times the picture is halved.")
    up: PositiveInt = Field(3, description="Times it is doubled again; the rest is how much smaller the flow is.")
    guided: bool = Field(
        False, description="See how the points of the mesh move, which takes the space mesh, and correct that warp."
    )

    @model_validator(mode="after")
    def _check(self) -> WarperStructure:
        if self.up > self.down:
            raise ValueError(f"up {self.up} is more than down {self.down}")
        return self


class CalibratorStructure(Structure):
    """The calibration network."""

    size: PositiveInt = Field(64, description="Side of the features it calibrates, a power of two, 8 at least.")
    channels: PositiveInt = Field(512, description="Channels of those features, and of the maps it makes of them.")
    width: PositiveInt = Field(256, description="Channels inside.")
    features: PositiveInt = Field(256, description="Length of the motion's descriptor.")
    heads: Literal["all", "last"] = Field(
        "all", description="all: one for each size, as released files have them; last: the one that is used."
    )
    guided: bool = Field(
        False, description="See how the points of the mesh move and where lips and eyes open, as a guided warper does."
    )

    @model_validator(mode="after")
    def _check(self) -> CalibratorStructure:
        if self.size < 8 or self.size & (self.size - 1):
            raise ValueError(f"size {self.size} is not a power of two from 8 on")
        return self


class EncoderStructure(Structure):
    """The e4e encoder."""

    stages: tuple[tuple[int, int], ...] = Field(
        ((64, 3), (128, 4), (256, 14), (512, 3)), description="Channels and blocks of the four sizes."
    )
    codes: PositiveInt = Field(18, description="Codes that the generator takes.")
    features: PositiveInt = Field(512, description="Length of a code.")
    size: PositiveInt = Field(256, description="Side of the picture, a power of two.")
    head_width: PositiveInt | None = Field(
        None, description="Channels inside the heads, one of which makes each code; null: the length of a code."
    )


class ResidualStructure(Structure):
    """The aligner and the consultation encoder."""

    aligner: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt] = Field(
        (16, 32, 48, 64), description="Channels of the aligner at its four sizes."
    )
    encoder: tuple[PositiveInt, PositiveInt, PositiveInt] = Field(
        (32, 48, 64), description="Channels of the consultation encoder at its three sizes."
    )
    channels: PositiveInt = Field(512, description="Channels of the generator's features.")
    size: PositiveInt = Field(64, description="Side of the generator's features.")


class StyleHeatStructure(Structure):
    """All networks. Sizes that several of them share must agree."""

    generator: StyleGAN2Structure = StyleGAN2Structure()
    encoder: EncoderStructure = EncoderStructure()
    residual: ResidualStructure = ResidualStructure()
    warper: WarperStructure = WarperStructure()
    calibrator: CalibratorStructure = CalibratorStructure()

    @property
    def flow_side(self) -> int:
        """Side of the warper's flow."""
        return self.encoder.size >> (self.warper.down - self.warper.up)

    @model_validator(mode="after")
    def _agree(self) -> StyleHeatStructure:
        generator, channels = self.generator, self.generator.channels(self.generator.splice)
        pairs = {
            "encoder.codes": (self.encoder.codes, generator.codes),
            "encoder.features": (self.encoder.features, generator.code_length),
            "residual.channels": (self.residual.channels, channels),
            "residual.size": (self.residual.size, generator.splice),
            "calibrator.channels": (self.calibrator.channels, channels),
            "calibrator.size": (self.calibrator.size, generator.splice),
            "calibrator.features": (self.calibrator.features, self.warper.features),
        }
        if self.calibrator.guided and not self.warper.guided:
            raise ValueError("a guided calibrator goes with a guided warper")
        wrong = [f"{name} is {given}, not {wanted}" for name, (given, wanted) in pairs.items() if given != wanted]
        if wrong:
            raise ValueError("; ".join(wrong))
        return self
