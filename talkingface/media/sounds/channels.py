"""Choice of the sound of a file: its default track, and of that a channel where the channels cancel each other."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from ..ffmpeg import Child, input_arguments
from ..probe import MediaInfo

CANCELLED = 0.48  # level of the mix over that of the louder channel; a voice in one channel alone has 0.5
_MEASURED_S = 600  # seconds from the beginning that are measured
_RATE_HZ = 8000
_BLOCK_BYTES = 1 << 18
_SIDES = ("left", "right")


def sound_map(info: MediaInfo, number: int = 0) -> list[str]:
    """Arguments that choose the sound of a file, which is ffmpeg's input of this number."""
    return ["-map", f"{number}:a:{info.sound_track}"]


def channel_filters(info: MediaInfo) -> list[str]:
    """Filters that put the louder channel in place of both, where mixing them would leave little; else none."""
    channel = cancelled_channel(info)
    if channel is None:
        return []
    return ["aformat=channel_layouts=stereo", f"pan=stereo|c0=c{channel}|c1=c{channel}"]


def sound_notes(info: MediaInfo) -> list[str]:
    """Sentences about what is chosen."""
    notes = []
    if info.sound_tracks > 1:
        number = info.sound_track + 1
        notes.append(f"{info.path} has {info.sound_tracks} sound tracks; number {number} is heard")
    channel = cancelled_channel(info)
    if channel is not None:
        notes.append(f"{info.path}: the channels of the sound cancel each other; the {_SIDES[channel]} one is taken")
    return notes


def cancelled_channel(info: MediaInfo) -> int | None:
    """Louder of the two channels (0 left, 1 right) of a sound that is nearly gone when mixed to mono; else None."""
    if not info.has_audio or info.mono:
        return None
    stat = info.path.stat()
    return _cancelled(info.path, info.sound_track, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=64)
def _cancelled(path: Path, track: int, size: int, changed_ns: int) -> int | None:
    """Measure a file; size and time tell changed files apart."""
    stereo = ["-af", "aformat=channel_layouts=stereo", "-t", str(_MEASURED_S), "-ar", str(_RATE_HZ), "-f", "f32le"]
    power, mixed = np.zeros(2), 0.0
    with Child([*input_arguments(path), "-map", f"0:a:{track}", *stereo, "pipe:1"], collect=True) as child:
        while data := child.read(_BLOCK_BYTES):
            block = np.frombuffer(data[: len(data) // 8 * 8], np.float32).reshape(-1, 2).astype(np.float64)
            block = np.where(np.isfinite(block), block, 0).clip(-1e3, 1e3)
            power += np.square(block).sum(axis=0)
            mixed += float(np.square(block.mean(axis=1)).sum())
    louder = int(power.argmax())
    return louder if mixed < CANCELLED**2 * power[louder] else None
