"""Settings of the cache and of the draws from it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class CacheSettings(BaseModel):
    """Choice of the frames that are kept of clips."""

    model_config = ConfigDict(extra="forbid")

    image_size: int = Field(256, ge=16, description="Side of the stored frames in pixels.")
    every: int = Field(2, ge=1, description="Keep every n-th frame.")
    frames_per_identity: int = Field(300, ge=1, description="About so many frames of a person at most.")


class DrawSettings(BaseModel):
    """Drawing of pairs of frames. The shares of what is preferred sum to 1 at most; the rest is drawn evenly."""

    model_config = ConfigDict(extra="forbid")

    mouth: float = Field(0.4, ge=0, le=1, description="Share of pairs with a shut and an open mouth.")
    lids: float = Field(0.15, ge=0, le=1, description="Share of pairs with open and with shut eyes.")
    turn: float = Field(0.15, ge=0, le=1, description="Share of pairs with the head turned differently.")
    extreme: float = Field(0.15, gt=0, le=0.5, description="Part of a clip's frames, at either end, that is preferred.")
