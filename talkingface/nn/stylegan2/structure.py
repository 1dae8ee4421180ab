"""Sizes of a generator and its discriminator; the defaults are the published ones. No torch here."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

SMALLEST = 4  # side of the learned constant that every picture starts from
FEATURES = 16384  # channels times side, at width 1


class StyleGAN2Structure(BaseModel):
    """Sizes of the networks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: PositiveInt = Field(1024, description="Side of the pictures, a power of two, 8 at least.")
    code_length: PositiveInt = Field(512, description="Numbers of a code.")
    mapping_layers: PositiveInt = Field(8, description="Layers between random numbers and a code.")
    width: PositiveFloat = Field(
        2.0, description="Channels: 16384 times this over the side, but not more than the most."
    )
    max_channels: PositiveInt = Field(512, description="Most channels of a layer.")
    splice: PositiveInt = Field(64, description="Side of the features that can be changed on their way.")
    keeps_noise: bool = Field(True, description="Keep fixed noise with the weights, as released files do.")

    @model_validator(mode="after")
    def _check(self) -> StyleGAN2Structure:
        for name, side, least in (("size", self.size, 2 * SMALLEST), ("splice", self.splice, 2 * SMALLEST)):
            if side < least or side & (side - 1):
                raise ValueError(f"{name} {side} is not a power of two from {least} on")
        if self.splice > self.size:
            raise ValueError(f"splice {self.splice} is more than size {self.size}")
        return self

    @property
    def doublings(self) -> int:
        """Number of doublings of the constant."""
        return doublings(self.size)

    @property
    def codes(self) -> int:
        """Codes of a picture: one for each convolution, and one more for the last picture layer."""
        return 2 * self.doublings + 2

    @property
    def splice_doubling(self) -> int:
        """Index of the doubling that makes the features that can be changed."""
        return doublings(self.splice) - 1

    def channels(self, side: int) -> int:
        """Channels of the features of a side."""
        return max(1, min(self.max_channels, round(FEATURES * self.width / side)))


def doublings(side: int) -> int:
    """Number of doublings from the smallest side to `side`, a power of two."""
    return (side // SMALLEST).bit_length() - 1
