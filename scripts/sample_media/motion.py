"""Movement of a face in a clip: direction of the head, blinks, and a mouth that follows the voice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d

from .expression import Expression
from .face import Array
from .pose import Pose

_REST_JAW = 0.29  # the opening of the portrait itself
_BLINK = np.array([0.0, 0.55, 1.0, 1.0, 0.7, 0.35, 0.1, 0.0])  # one blink at 25 frames/s


@dataclass(frozen=True)
class Turn:
    """A moment of a head movement: time in seconds, angles in degrees, zoom of the picture."""

    time_s: float
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    zoom: float = 1.0


def poses(turns: list[Turn], frames: int, fps: int, zoom: float, seed: int) -> list[Pose]:
    """Smooth head movement through some moments, with the slight unrest of a living head."""
    keys = np.array([[turn.yaw, turn.pitch, turn.roll, turn.zoom] for turn in turns])
    path = PchipInterpolator([turn.time_s for turn in turns], keys)(np.arange(frames) / fps)
    path = gaussian_filter1d(path, 0.08 * fps, axis=0, mode="nearest")
    unrest = _unrest(frames, fps, seed)
    angles = np.deg2rad(path[:, :3] + unrest[:, :3] * (1.2, 0.8, 0.6))
    rows = np.column_stack([angles, 0.006 * unrest[:, 3:], zoom * path[:, 3]]).tolist()
    return [Pose(yaw, pitch, roll, (x, y), size) for yaw, pitch, roll, x, y, size in rows]


def expressions(loudness: Array, darkness: Array, blinks_s: list[float], fps: int) -> list[Expression]:
    """Mouth from the voice, lids from a list of times; in silence the lips stay as in the portrait.

    Args:
        loudness: (frames,) in [0, 1].
        darkness: (frames,) in [0, 1], 1 for "oo" and "m".
        blinks_s: beginnings of the blinks, seconds.
        fps: frames per second.
    """
    speaking = np.clip(gaussian_filter1d((loudness > 0.06).astype(float), 0.16 * fps) * 1.6, 0, 1)
    jaw = _REST_JAW * (1 - speaking) + speaking * (0.04 + 0.72 * gaussian_filter1d(loudness, 0.55) ** 1.15)
    rounding = speaking * (0.1 + 0.65 * darkness)
    brows = 0.7 * gaussian_filter1d(np.clip(loudness - 0.4, 0, None), 0.25 * fps)
    blink = _blinks(blinks_s, len(loudness), fps)
    rows = np.stack([jaw, rounding, blink, brows], axis=1).tolist()
    return [Expression(*row) for row in rows]


def silent(frames: int, fps: int, seed: int) -> tuple[Array, Array]:
    """Loudness and darkness of speech without sound: syllables at a speaking pace, for clips without a voice."""
    generator = np.random.default_rng(seed)
    pulses = np.zeros(frames)
    beats = np.cumsum(generator.uniform(0.16, 0.34, frames)) * fps
    for beat in beats[beats < frames]:
        pulses[int(beat)] = generator.uniform(0.5, 1)
    level = gaussian_filter1d(pulses, 0.06 * fps)
    dark = gaussian_filter1d(generator.uniform(0, 1, frames), 0.1 * fps)
    return np.clip(level / level.max(), 0, 1), np.clip(2 * dark - 0.6, 0, 1)


def _blinks(starts_s: list[float], frames: int, fps: int) -> Array:
    closed = np.zeros(frames)
    for start_s in starts_s:
        first = round(start_s * fps)
        length = min(len(_BLINK), frames - first)
        closed[first : first + length] = np.maximum(closed[first : first + length], _BLINK[:length])
    return closed


def _unrest(frames: int, fps: int, seed: int) -> Array:
    """(frames, 5), slow noise of about unit size that begins at 0, so that a clip begins in the pose it names."""
    noise = np.random.default_rng(seed).standard_normal((frames, 5))
    slow = gaussian_filter1d(noise, 0.35 * fps, axis=0)
    slow = slow / slow.std(axis=0)
    ease = np.clip(np.arange(frames) / (0.8 * fps), 0, 1)[:, None]
    return (slow - slow[0]) * ease
