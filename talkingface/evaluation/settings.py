"""Settings of the evaluation (group ``evaluate``). Holds no torch, so that the command line can list them quickly."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..plugins import METRICS, OneOf


class EvaluateSettings(BaseModel):
    """Evaluation: measures, and how much of the data they take"""

    model_config = ConfigDict(extra="forbid")

    tables: list[Literal["reconstruction", "another", "talking"]] = Field(
        ["reconstruction", "talking"],
        description="What is measured: the reconstruction of clips; another person's picture moved by them; the mouth "
        "against a voice, where the model speaks and clips have sound.",
    )
    pairs: Path | None = Field(
        None, description="List of pairs for the table another: columns source and driving; none: drawn by the seed."
    )
    pair_count: int = Field(20, ge=1, description="Pairs that are drawn.")
    metrics: list[Annotated[str, OneOf(METRICS, before=["all"])]] = Field(
        ["l1", "psnr", "ssim"],
        min_length=1,
        description=f"Numbers of videos: {', '.join(METRICS.own)}, or those of other packages; all: each that has what "
        "it needs.",
    )
    split: str = Field("test", description="Part of the data set that is measured; empty: all of it.")
    max_clips: int | None = Field(
        None, ge=1, description="Measure this many clips at most, in the order of their names."
    )
    clips_per_person: int | None = Field(
        None, ge=1, description="Measure this many clips at most of each person, the first by name."
    )
    max_frames: int = Field(150, ge=2, description="Measure this many frames at most of each clip, from its first.")
    image_size: int | None = Field(None, ge=16, description="Side of the pictures (default: the size of the model).")
    chunk: int = Field(16, ge=1, description="Frames in memory at once.")
    baselines: list[Literal["repeat", "affine"]] = Field(
        ["repeat", "affine"],
        description="Rows beside the model: the source frame repeated, and its best affine warp.",
    )
    rendered: bool = Field(
        True, description="Draw the frames; off: measure the motion of a voice by its numbers alone, in seconds."
    )
    rest: bool = Field(True, description="A voice moves the frame with the most closed mouth; off: the first frame.")
