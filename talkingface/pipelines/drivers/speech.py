"""Drivers by voice: a face that says a sound, or that idles."""

from __future__ import annotations

import math
import time
from contextlib import nullcontext
from fractions import Fraction
from pathlib import Path

import torch
from torch import Tensor

from ...errors import ConfigError, MediaError
from ...media.sounds.buffer import AudioBuffer, open_audio
from ...models.base import SpeechRequest, VoiceModel
from ...types import Source
from ..motions import ROWS, at_rate, held
from ..plan.options import VideoOptions
from .base import Driver, DriverContext, DriverKey, DrivingMotion
from .video import read_driving_video

SHORT = 5  # frames: less than a fifth of a second is most likely a mistake


class IdleDriver(Driver):
    """Motion that a voice model makes of time alone.

    Attributes:
        voice: makes the motion.
        request: all that is spoken.
    """

    def __init__(
        self,
        key: DriverKey,
        voice: VoiceModel,
        request: SpeechRequest,
        fps: Fraction,
        limit: int | None,
        *,
        notes: tuple[str, ...] = (),
        wave: AudioBuffer | None = None,
        elapsed_s: float = 0.0,
    ) -> None:
        """
        Args:
            request: all that is spoken; random numbers go by its length, so that a part would come out differently.
            fps: of the motion that is given.
            limit: frames at most.
            wave: the sound of the request.
        """
        self.key, self.fps = key, fps
        self.voice, self.request, self._wave, self._notes, self.elapsed_s = voice, request, wave, notes, elapsed_s
        whole = max(1, round(request.frames * fps / voice.fps)) if wave is None else frames_of(wave, fps)
        self.length = min(whole, limit or whole)

    @classmethod
    def open(cls, key: DriverKey, context: DriverContext, fps: Fraction | None) -> Driver:
        """Open the sound, if there is one, and read the reference videos."""
        began = time.perf_counter()
        voice, options = context.voices.load(), context.speech
        if options.pose_style >= voice.styles:
            cure = f"Use 0 to {voice.styles - 1}."
            raise ConfigError(f"there is no style {options.pose_style}", where="--pose_style", cure=cure)
        wave = cls.open_sound(key.path, voice)
        if wave is None:
            frames, notes = max(1, round((options.idle_seconds or 0) * voice.fps)), []
        else:
            frames = sound_frames(wave, voice, key.path)
            notes = [*sound_notes(wave, frames, key.path)]
        references, more = read_references(context, voice.fps)
        request = SpeechRequest(
            wave=None if wave is None else torch.from_numpy(wave.samples),
            frames=frames,
            style=options.pose_style,
            blink=options.blink,
            eyes=references.get(options.ref_eyeblink),
            poses=references.get(options.ref_pose),
            seed=options.seed,
        )
        return cls(
            key,
            voice,
            request,
            fps or voice.fps,
            context.video.frame_limit,
            notes=(*notes, *more),
            wave=wave,
            elapsed_s=time.perf_counter() - began,
        )

    @classmethod
    def open_sound(cls, path: Path, voice: VoiceModel) -> AudioBuffer | None:
        """Open the sound that is spoken; None: nobody speaks."""
        return None

    def drive(self, source: Source) -> DrivingMotion:
        """Motion of the voice for a source, computed anew at each call."""
        if source.coefficients is None:
            raise ConfigError("a voice moves face coefficients, and this model takes none", where=str(self.key.path))
        with torch.inference_mode(), self._wave.release_pages() if self._wave is not None else nullcontext():
            motion = self.voice.speak(self.request, source.coefficients)
        motion = held(at_rate(motion, self.fps), self.length)
        return DrivingMotion(self.key.path, motion, self._notes, for_source=True)


class SpeechDriver(IdleDriver):
    """Motion that a voice model makes of a sound."""

    @classmethod
    def open_sound(cls, path: Path, voice: VoiceModel) -> AudioBuffer | None:
        return open_audio(path, voice.sample_rate)


def sound_notes(wave: AudioBuffer, frames: int, path: Path) -> tuple[str, ...]:
    """Notes about a sound that lasts so many frames."""
    if frames >= SHORT:
        return wave.notes
    return (*wave.notes, f"{path}: lasts {len(wave.samples) / wave.rate_hz:.2f} s only, {frames} frames")


def sound_frames(wave: AudioBuffer, voice: VoiceModel, path: Path) -> int:
    """Count the frames that show all of a sound at the voice's rate.

    Raises:
        MediaError: it does not fill even one.
    """
    if len(wave.samples) * voice.fps < wave.rate_hz:
        lasts = f"the sound lasts {len(wave.samples) / wave.rate_hz:.3f} s, less than one frame"
        raise MediaError(lasts, where=path, cure="Give a longer recording.")
    return frames_of(wave, voice.fps)


def frames_of(wave: AudioBuffer, fps: Fraction) -> int:
    """Count the frames that show all of a sound, the last one begun included; a sample more or less adds none."""
    return max(1, math.ceil((len(wave.samples) - 1) * fps / wave.rate_hz))


def read_references(context: DriverContext, fps: Fraction) -> tuple[dict[Path | None, Tensor], list[str]]:
    """Read the reference videos for blinks and head motion, each once.

    Returns:
        (path -> coefficients (R, 73) at ``fps``; notes).

    Raises:
        FaceError: one shows no face, or not enough of it.
    """
    found: dict[Path | None, Tensor] = {}
    notes: list[str] = []
    whole = VideoOptions(read_anew=context.video.read_anew, chunk=context.video.chunk)
    for path in dict.fromkeys((context.speech.ref_eyeblink, context.speech.ref_pose)):
        if path is None:
            continue
        driving = read_driving_video(context.model.reader, context.cropper, path, whole, context.progress)
        found[path] = at_rate(driving.motion, fps).values[ROWS]
        notes += driving.notes
    return found, notes
