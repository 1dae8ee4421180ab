"""What a voice does: the motion of a face that says a sound, or that idles."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..errors import ConfigError, MediaError
from ..media.audio_buffer import AudioBuffer, open_audio
from ..models.base import Script, VoiceDriver
from ..types import Motion, Source
from .coefficients import CoefficientReader
from .driven import Driven
from .extraction import extract
from .finder import Finder
from .motions import ROWS, at_rate
from .progress import SILENT, Progress
from .roles import Role

if TYPE_CHECKING:
    from ..config.schema import Settings

SHORT = 5  # frames: less than a fifth of a second is most likely a mistake


@dataclass(frozen=True, eq=False, kw_only=True)
class Spoken(Driven):
    """What a voice says; how the face moves with it depends on the source.

    Attributes:
        voice: makes the motion.
        script: what is said, all of it: chance goes by its length, so that a part would be said differently.
        count: frames of the result; the first ones, where that is limited.
        fps: its frames per second.
        wave: the sound of the script; None: nobody speaks.
    """

    voice: VoiceDriver
    script: Script
    count: int
    fps: Fraction
    wave: AudioBuffer | None = None

    @property
    def length(self) -> int:
        return self.count

    @property
    def rate(self) -> Fraction:
        return self.fps

    def motion_for(self, seen: Source) -> Motion:
        """See the base class; computed anew at each call.

        Raises:
            ConfigError: the voice has no such style.
        """
        assert seen.coefficients is not None  # noqa: S101 (a voice goes with a model of coefficients)
        with torch.inference_mode(), self.wave.release_pages() if self.wave is not None else nullcontext():
            motion = self.voice.speak(self.script, seen.coefficients)
        return at_rate(motion, self.fps)[: self.count]


def speak(
    voice: VoiceDriver,
    reader: CoefficientReader,
    finder: Finder,
    role: Role,
    settings: Settings,
    progress: Progress = SILENT,
    *,
    fps: Fraction | None = None,
) -> Spoken:
    """Prepare what is said: the sound, its length, and the reference videos.

    Args:
        role: with a sound, or idle.
        fps: the rate wanted; None is that of ``--fps``, or the voice's own.

    Raises:
        MediaError: the sound cannot be read, or is shorter than a frame.
        FaceError: a reference video shows no face.
        ConfigError: the voice has no such style.
    """
    start = time.perf_counter()
    if settings.pose_style >= voice.styles:
        cure = f"Use 0 to {voice.styles - 1}."
        raise ConfigError(f"there is no style {settings.pose_style}", where="--pose_style", cure=cure)
    fps = fps or settings.fps or voice.fps
    wave = open_audio(role.driving, voice.sample_rate) if role.signal == "sound" else None
    frames = idle_frames(settings, voice) if wave is None else sound_frames(wave, voice, role.driving)
    references, notes = read_references(reader, finder, settings, voice.fps, progress)
    if wave is not None:
        notes = [*said_of(wave, frames, role.driving), *notes]
    script = Script(
        wave=None if wave is None else torch.from_numpy(wave.samples),
        frames=frames,
        style=settings.pose_style,
        blink=settings.blink,
        eyes=references.get(settings.ref_eyeblink),
        poses=references.get(settings.ref_pose),
        seed=settings.seed,
    )
    whole = max(1, round(frames * fps / voice.fps))
    return Spoken(
        path=role.driving,
        notes=tuple(notes),
        elapsed_s=time.perf_counter() - start,
        voice=voice,
        script=script,
        count=min(whole, settings.frame_limit or whole),
        fps=fps,
        wave=wave,
    )


def said_of(wave: AudioBuffer, frames: int, path: Path) -> tuple[str, ...]:
    """What the user should know about a sound of so many frames."""
    if frames >= SHORT:
        return wave.notes
    return (*wave.notes, f"{path}: lasts {len(wave.samples) / wave.rate_hz:.2f} s only, {frames} frames")


def sound_frames(wave: AudioBuffer, voice: VoiceDriver, path: Path) -> int:
    """Whole frames that a sound fills at the voice's rate.

    Raises:
        MediaError: not even one.
    """
    frames = int(len(wave.samples) * voice.fps / wave.rate_hz)
    if frames < 1:
        lasts = f"the sound lasts {len(wave.samples) / wave.rate_hz:.3f} s, less than one frame"
        raise MediaError(lasts, where=path, cure="Give a longer recording.")
    return frames


def idle_frames(settings: Settings, voice: VoiceDriver) -> int:
    """Frames of ``--idle_seconds``, at least one."""
    assert settings.idle_seconds is not None  # noqa: S101 (the role says so)
    return max(1, round(settings.idle_seconds * voice.fps))


def read_references(
    reader: CoefficientReader, finder: Finder, settings: Settings, fps: Fraction, progress: Progress
) -> tuple[dict[Path | None, Tensor], list[str]]:
    """(coefficients (R, 73) of the reference videos at the voice's rate, notes); each video is read once.

    Raises:
        FaceError: one shows no face, or not enough of it.
    """
    found: dict[Path | None, Tensor] = {}
    notes: list[str] = []
    for path in dict.fromkeys((settings.ref_eyeblink, settings.ref_pose)):
        if path is None:
            continue
        seen = extract(reader, finder, path, settings, progress)
        found[path] = at_rate(seen.motion, fps).values[ROWS]
        notes += seen.notes
    return found, notes
