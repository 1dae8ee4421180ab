"""Settings of data preparation (group ``prepare``). Holds no torch, so that the command line can list them quickly."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ...text.lists import rate_of

StepName = Literal["download", "crop", "landmarks", "coefficients", "lmdb"]
STEPS: tuple[StepName, ...] = ("download", "crop", "landmarks", "coefficients", "lmdb")


class PrepareSettings(BaseModel):
    """Data preparation: raw videos, steps and their options, processes."""

    model_config = ConfigDict(extra="forbid")

    raw: Path | None = Field(None, description="Folder of raw videos, or where they are downloaded to.")
    out: Path | None = Field(None, description="Where the data set is made; none: the data set's own folder.")
    list: Path | None = Field(
        None,
        description="What to take of which video: a folder of VoxCeleb txt files, a vox-metadata.csv, or a folder "
        "HDTF_dataset; none: every face in every video of the raw folder.",
    )
    data_range: str | None = Field(None, description="Only identities with these numbers, such as 10001-10050.")
    dataset_version: int = Field(1, ge=1, le=2, description="VoxCeleb 1 (boxes in pixels) or 2 (parts of the picture).")
    downloader: str = Field(
        "yt-dlp --no-playlist --no-progress -f bv*[height<=1080]+ba/b --merge-output-format mp4 -o {out} -- {url}",
        description="Program that fetches a video, with {id}, {url} and {out}; started without a shell.",
    )
    download_timeout_s: float = Field(3600, gt=0, description="A download that takes longer is given up, in seconds.")
    steps: tuple[StepName, ...] = Field(
        STEPS, description="Steps to do, of the chain download, crop, landmarks, coefficients, lmdb."
    )
    fps: Fraction = Field(Fraction(25), gt=0, le=240, description="Frames per second of the clips.")
    image_size: int = Field(256, ge=32, le=4096, description="Side of the clips in pixels.")
    increase: float = Field(0.1, ge=0, le=3, description="Added to each side of the face's box, as a part of it.")
    iou: float = Field(0.25, ge=0, le=1, description="A clip ends where the face overlaps its first place less.")
    min_frames: int = Field(64, ge=1, description="Shorter clips are left out.")
    max_frames: int = Field(1024, ge=1, description="Longer clips are cut into several.")
    min_size: int = Field(128, ge=1, description="Clips of faces of fewer pixels are left out.")
    format: Literal[".mp4", ".png"] = Field(".mp4", description="Clips as videos with sound, or folders of pictures.")
    min_found: float = Field(0.8, gt=0, le=1, description="Clips with landmarks in a smaller part of frames fail.")
    space: Literal["auto", "bfm", "mesh"] = Field("auto", description="Kind of 3DMM coefficients; auto: what is there.")
    coefficients_format: Literal[".npz", ".mat"] = Field(".npz", description="How the coefficients are stored.")
    resolutions: tuple[int, ...] = Field((256,), min_length=1, description="Sides of the LMDB's pictures in pixels.")
    jpeg_quality: int = Field(95, ge=1, le=100, description="Quality of the LMDB's pictures; the published had 75.")
    test_share: float = Field(0.05, ge=0, lt=1, description="Part of the identities for testing, if no list says it.")
    engine: Literal["process", "ray"] = Field("process", description="Processes of this machine, or a Ray cluster.")
    ray_address: str | None = Field(None, description="Address of a Ray cluster; none: one on this machine.")
    workers: int | None = Field(None, ge=1, description="Processes at work (default: one for each core).")
    device_ids: tuple[str, ...] = Field((), description="GPUs that the workers share, such as 0,1; none: the CPU.")
    retry_failed: bool = Field(False, description="Try again what failed before, though nothing has changed.")

    @field_validator("fps", mode="before")
    @classmethod
    def _fps(cls, value: Any) -> Any:
        return rate_of(value)

    @field_validator("data_range")
    @classmethod
    def _range(cls, value: str | None) -> str | None:
        if value is not None:
            first, dash, last = value.partition("-")
            if not (dash and first.isdecimal() and last.isdecimal() and len(value) < 40):
                raise ValueError("must be two numbers, such as 10001-10050")
        return value
