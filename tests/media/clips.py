"""Small media made at test time by the same ffmpeg that the package uses."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from talkingface.media.ffmpeg import address, output_of


def ffmpeg(*arguments: str) -> None:
    """Run ffmpeg on generated input; fails the test with its words when it fails."""
    status, _, messages = output_of(["-y", *arguments])
    assert status == 0, messages


def moving_picture(path: Path, *output: str, size: str = "64x48", rate: str = "25", seconds: float = 1) -> Path:
    """A moving test picture, encoded as the output arguments say."""
    ffmpeg("-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}:duration={seconds}", *output, address(path))
    return path


def with_sound(path: Path, *, seconds: float = 1, sound_starts_s: float = 0, sound_s: float = 1) -> Path:
    """A 25 fps clip with a 440 Hz tone that starts later than the picture."""
    ffmpeg(
        *("-f", "lavfi", "-i", f"testsrc2=size=64x48:rate=25:duration={seconds}"),
        *("-itsoffset", str(sound_starts_s), "-f", "lavfi", "-i", f"sine=440:sample_rate=16000:duration={sound_s}"),
        *("-map", "0:v", "-map", "1:a", "-c:a", "aac", address(path)),
    )
    return path


def smooth_frames(count: int, height: int = 64, width: int = 80) -> list[np.ndarray]:
    """Coloured gradients that move a little: easy to encode, so that errors show wrong colours, not lost detail."""
    y, x = np.mgrid[0:height, 0:width]
    return [
        np.stack([255 * x / width, 255 * y / height, (128 + 100 * np.sin((x + y + 3 * k) / 20))], 2).astype(np.uint8)
        for k in range(count)
    ]


def onset_s(wave: np.ndarray, sample_rate_hz: int = 16000) -> float:
    """Time at which a sound becomes loud."""
    return float(np.argmax(np.abs(wave) > 0.05)) / sample_rate_hz
