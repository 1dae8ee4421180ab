"""Settings of data preparation (group ``prepare``). Holds no torch, so that the command line can list them quickly."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class PrepareSettings(BaseModel):
    """What is made of which raw videos, and by how many processes."""

    model_config = ConfigDict(extra="forbid")

    raw: Path | None = Field(None, description="Folder of raw videos, or where they are downloaded to.")
    engine: Literal["process", "ray"] = Field("process", description="Processes of this machine, or a Ray cluster.")
    workers: int | None = Field(None, ge=1, description="Processes at work (default: one for each core).")
