"""The voice: speech made by espeak-ng, and how loud and how dark it is in each frame."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from scipy.ndimage import gaussian_filter1d

from .face import Array, smoothstep

_LEAD_S = 0.4  # silence before the first word
_SPEED = 165  # words in a minute


def speak(text: str, voice: str, seconds: float) -> tuple[Array, int]:
    """Say a text.

    Args:
        text: one or two English sentences; cut where the time is over.
        voice: an espeak-ng voice, such as ``"en-us+f3"``.
        seconds: length of the result, silence included.

    Returns:
        (samples,) float32 in [-1, 1], and the sample rate in hertz.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "voice.wav"
        command = ["espeak-ng", "-v", voice, "-s", str(_SPEED), "-w", str(path), text]
        subprocess.run(command, check=True, capture_output=True)
        speech, rate = soundfile.read(path, dtype="float32")
    sound = np.zeros(round(seconds * rate), np.float32)
    start = round(_LEAD_S * rate)
    speech = speech[: len(sound) - start]
    sound[start : start + len(speech)] = speech * (0.8 / np.abs(speech).max())
    return sound, rate


def loudness(sound: Array, rate: int, fps: int) -> Array:
    """(frames,) in [0, 1]: 0 in silence, near 1 in loud vowels."""
    level = np.sqrt(np.mean(_windows(sound, rate, fps) ** 2, axis=1))
    return np.clip(level / np.percentile(level, 92), 0, 1)


def darkness(sound: Array, rate: int, fps: int) -> Array:
    """(frames,) in [0, 1]: how much of the energy lies below 500 Hz, as in "oo" and "m"."""
    windows = _windows(sound, rate, fps)
    power = np.abs(np.fft.rfft(windows * np.hanning(windows.shape[1]), axis=1)) ** 2
    frequency = np.fft.rfftfreq(windows.shape[1], 1 / rate)
    voiced = power[:, (frequency > 80) & (frequency < 4000)].sum(axis=1)
    low = power[:, (frequency > 80) & (frequency < 500)].sum(axis=1)
    share = np.where(voiced > 0.01 * voiced.max(), low / np.maximum(voiced, 1e-12), 0.5)
    return gaussian_filter1d(smoothstep(0.35, 0.95, share), 1.0)


def _windows(sound: Array, rate: int, fps: int) -> Array:
    """(frames, samples), the sound around the middle of each frame, one and a half frames long."""
    half = int(0.75 * rate / fps)
    frames = len(sound) * fps // rate
    padded = np.pad(sound, half)
    middles = ((np.arange(frames) + 0.5) * rate / fps).astype(int)
    return np.stack([padded[middle : middle + 2 * half] for middle in middles])
