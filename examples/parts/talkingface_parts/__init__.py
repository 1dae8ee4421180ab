"""Parts that other packages may add to talkingface, one module for each kind."""

from pydantic import BaseModel, Field

from talkingface.plugins import DriverEntry


class NodOptions(BaseModel):
    """Nodding"""

    nod_seconds: float | None = Field(None, gt=0, le=600, description="no driver: the head nods for so many seconds")


NOD = DriverEntry(
    "talkingface_parts.drivers:NodDriver", "nod_seconds", options=NodOptions, reads_file=False, coefficients=True
)
