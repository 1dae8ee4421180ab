"""Settings of the augmentation of training items (group ``train.augment``)."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class AugmentSettings(BaseModel):
    """Random augmentation of a training item; all frames of an item are changed alike.

    The defaults are the published ones of FOM: both flips, and colour jitter of 0.1 each.
    """

    model_config = ConfigDict(extra="forbid")

    horizontal_flip: bool = Field(True, description="Mirror half of the items left to right.")
    time_flip: bool = Field(True, description="Reverse the order of the frames of half of the items.")
    brightness: float = Field(0.1, ge=0, lt=1, description="Factor drawn from [1 - b, 1 + b].")
    contrast: float = Field(0.1, ge=0, lt=1, description="Factor drawn from [1 - c, 1 + c], about the mean grey.")
    saturation: float = Field(0.1, ge=0, lt=1, description="Factor drawn from [1 - s, 1 + s].")
    hue: float = Field(
        0.1, ge=0, le=0.5, description="Turn of the colour circle drawn from [-h, h]; 0.5 is half a turn."
    )
    crop: float = Field(0.0, ge=0, lt=0.9, description="Up to this part of the side is cut away, the rest enlarged.")
    rotation_deg: float = Field(0.0, ge=0, le=180, description="Turned by up to this angle to either side, in degrees.")
