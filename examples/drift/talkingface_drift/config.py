"""Settings of Drift. No torch here: settings are checked before anything heavy is loaded."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from talkingface.models.settings import ModelOptions


class DriftConfig(BaseModel):
    """Everything that shapes Drift's networks."""

    model_config = ConfigDict(extra="forbid")

    width: PositiveInt = Field(16, description="Channels of every layer.")
    image_size: PositiveInt = Field(64, description="Side of the square pictures, in pixels.")
    rate: float = Field(1e-3, gt=0, description="Learning rate.")


class DriftOptions(ModelOptions):
    """Distance of the drift (Drift)"""

    drift_strength: float = Field(1.0, ge=0, le=4, description="times the shift of the picture; 0: it rests")
