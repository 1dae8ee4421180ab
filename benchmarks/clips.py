"""Driving clips of any length for the benchmarks, made from the shipped sample."""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

from talkingface.config import Settings, settings_from
from talkingface.media.ffmpeg import executable, input_arguments
from talkingface.paths import shipped

SAMPLE = shipped("dataset", "sample")


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Options for what is animated and with which weights; by default what ships."""
    parser.add_argument("--source", type=Path, default=SAMPLE / "source.png", help="picture to animate")
    parser.add_argument("--driving", type=Path, default=SAMPLE / "driving.mp4", help="clip that drives it, repeated")
    parser.add_argument("--model", default="FOM", help="the model family")
    parser.add_argument("--checkpoint", help="name or file of the weights")


def run_settings(options: argparse.Namespace, driving: Path, output: Path) -> Settings:
    """Settings of one animation with the options of a benchmark; nothing is taken from an earlier run."""
    values = {"model": options.model, "image_source": options.source, "video_source": driving, "output": output}
    values["if_extract"] = True
    optional = {"checkpoint": options.checkpoint, "threads": options.threads}
    return settings_from(values | {name: value for name, value in optional.items() if value is not None})


def loop_clip(clip: Path, output: Path, *, frames: int) -> Path:
    """The clip again and again, picture and sound, until it has so many frames."""
    command = [
        *(executable(), "-hide_banner", "-nostdin", "-loglevel", "error", "-stream_loop", "-1"),
        *input_arguments(clip),
        *(
            "-frames:v",
            str(frames),
            "-fps_mode",
            "cfr",
            "-c:v",
            "libx264",
            "-preset",
            "veryfast",
            "-c:a",
            "aac",
            "-shortest",
            "-y",
        ),
        str(output),
    ]
    subprocess.run(command, check=True)  # noqa: S603
    return output
