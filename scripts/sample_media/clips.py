"""The clips of the sample: which face does what, drawn and written as mp4, and the table that lists them."""

from __future__ import annotations

import csv
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import soundfile

from .expression import express
from .face import Array, Face
from .formants import RATE, Speaker, babble
from .motion import Turn, expressions, poses, silent
from .pose import HeadMover
from .voice import darkness, loudness, speak

FPS = 25
VIEW = 224 / 188  # zoom from the canvas to the usual crop, a face of about half the picture's width
# The columns of the project's clip tables; what was not measured stays empty.
COLUMNS = (
    *("file", "split", "identity", "frames", "fps", "seconds", "has_audio", "synthetic", "native_side", "face_frac"),
    *("mouth_sd", "yaw_range", "av_lag_s", "av_r", "av_r0", "sync", "origin", "start_frame", "licence"),
)


@dataclass(frozen=True)
class Plan:
    """One clip.

    Attributes:
        file: path inside ``dataset/sample``.
        identity: name of the face.
        frames: length.
        size: side of the picture, pixels.
        turns: the head's movement.
        blinks_s: beginnings of blinks, seconds.
        speaker: whose babble is heard; None: ``text``, or no sound.
        text: what espeak-ng says instead; empty for none.
        voice: the espeak-ng voice.
        seed: of the small movements.
        crf: x264's constant rate factor; higher is smaller.
    """

    file: str
    identity: str
    frames: int
    size: int
    turns: list[Turn]
    blinks_s: list[float] = field(default_factory=list)
    speaker: Speaker | None = None
    text: str = ""
    voice: str = "en-us+f3"
    seed: int = 0
    crf: int = 20

    @property
    def has_sound(self) -> bool:
        return self.speaker is not None or bool(self.text)


def make_clip(plan: Plan, face: Face, root: Path) -> None:
    """Draw and write one clip below a folder."""
    sound, rate = _sound(plan)
    heard = silent(plan.frames, FPS, plan.seed) if sound is None else _heard(sound, rate)
    acting = expressions(*heard, plan.blinks_s, FPS)
    moving = poses(plan.turns, plan.frames, FPS, VIEW, plan.seed)
    mover = HeadMover(face)
    frames = (_shrink(mover(express(face, act), pose, 2 * plan.size)) for act, pose in zip(acting, moving, strict=True))
    path = root / plan.file
    path.parent.mkdir(parents=True, exist_ok=True)
    write_mp4(path, frames, plan.size, plan.crf, sound, rate)


def write_mp4(path: Path, frames: Iterable[Array], size: int, crf: int, sound: Array | None, rate: int) -> None:
    """Encode square uint8 frames and a mono sound as h264 and AAC; the same input gives the same bytes."""
    with tempfile.TemporaryDirectory() as folder:
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24"]
        command += ["-s", f"{size}x{size}", "-r", str(FPS), "-i", "-"]
        if sound is not None:
            wave = Path(folder) / "sound.wav"
            soundfile.write(wave, sound, rate)
            command += ["-i", str(wave), "-c:a", "aac", "-b:a", "64k", "-ac", "1"]
        command += ["-c:v", "libx264", "-preset", "slow", "-crf", str(crf), "-pix_fmt", "yuv420p", "-threads", "1"]
        command += ["-movflags", "+faststart", "-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact"]
        pictures = b"".join(frame.tobytes() for frame in frames)
        subprocess.run([*command, str(path)], input=pictures, check=True)


def write_table(path: Path, plans: Iterable[Plan]) -> None:
    """List the clips in the columns of the project's clip tables."""
    with path.open("w", newline="") as stream:
        table = csv.DictWriter(stream, COLUMNS, restval="", lineterminator="\n")
        table.writeheader()
        table.writerows(_row(plan) for plan in plans)


def _shrink(image: Array) -> Array:
    """Average a (2n, 2n, 3) picture in [0, 1] down to uint8 (n, n, 3)."""
    size = len(image) // 2
    small = image.reshape(size, 2, size, 2, 3).mean(axis=(1, 3))
    return np.rint(np.clip(small, 0, 1) * 255).astype(np.uint8)


def _sound(plan: Plan) -> tuple[Array | None, int]:
    """Samples and their rate; None for a clip without sound."""
    if plan.speaker is not None:
        return babble(plan.speaker, plan.frames / FPS), RATE
    return speak(plan.text, plan.voice, plan.frames / FPS) if plan.text else (None, 0)


def _heard(sound: Array, rate: int) -> tuple[Array, Array]:
    return loudness(sound, rate, FPS), darkness(sound, rate, FPS)


def _row(plan: Plan) -> dict[str, object]:
    return {
        "file": plan.file,
        "split": Path(plan.file).parts[0],
        "identity": plan.identity,
        "frames": plan.frames,
        "fps": float(FPS),
        "seconds": plan.frames / FPS,
        "has_audio": int(plan.has_sound),
        "synthetic": 1,
        "origin": "scripts/make_sample_media.py",
        "start_frame": 0,
        "licence": "see README.md beside this table",
    }
