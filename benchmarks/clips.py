"""Driving clips of any length for the benchmarks, made from the shipped sample."""

from __future__ import annotations

import subprocess
from pathlib import Path

from talkingface.media.ffmpeg import executable, input_arguments
from talkingface.paths import shipped


def sample_source() -> Path:
    """The shipped portrait."""
    return shipped("dataset", "sample", "portrait.png")


def sample_driving() -> Path:
    """The shipped driving clip."""
    return shipped("dataset", "sample", "driving.mp4")


def loop_clip(clip: Path, output: Path, *, frames: int) -> Path:
    """The clip again and again, picture and sound, until it has so many frames."""
    command = [
        *(executable(), "-hide_banner", "-nostdin", "-loglevel", "error", "-stream_loop", "-1"),
        *input_arguments(clip),
        *("-frames:v", str(frames), "-c:v", "libx264", "-preset", "veryfast", "-c:a", "aac", "-shortest", "-y"),
        str(output),
    ]
    subprocess.run(command, check=True)  # noqa: S603
    return output
