"""Settings of Puppet."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class PuppetConfig(BaseModel):
    """Sizes of its networks, and wishes of its renderer."""

    model_config = ConfigDict(extra="forbid")

    image_size: int = 64
    columns: Literal[70, 73] = 70
    space: str = "mesh"
    framing: str = "face"
    voiceless: bool = False
