"""Sound from any file that ffmpeg reads, as one row of samples."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import MediaError
from .ffmpeg import input_arguments, output_of
from .probe import describe

Wave = NDArray[np.float32]

# Weights that sum to one: without it two equal channels would come out 3 dB louder than either, beyond full scale.
_MIX = "aresample=out_chlayout=mono:out_sample_fmt=flt:rematrix_maxval=1.0"

_log = logging.getLogger(__name__)


def has_audio(path: str | Path) -> bool:
    """Whether the file has a sound stream; a folder or picture has none.

    Raises:
        MediaError: if the file cannot be read.
    """
    return not Path(path).is_dir() and describe(path).has_audio


def read_audio(path: str | Path, sample_rate_hz: int = 16000) -> Wave:
    """Read the sound of a file, all channels mixed into one.

    Samples that are no numbers become silence, before resampling would spread them.

    Args:
        path: sound or video file.
        sample_rate_hz: rate wanted.

    Returns:
        (samples,), float32; full scale is [-1, 1], louder float files may exceed it.

    Raises:
        MediaError: if the file cannot be read, has no sound stream, or the stream holds no samples.
    """
    info = describe(path)
    if not info.has_audio or info.sample_rate_hz is None:
        raise MediaError("has no sound", where=path, cure="Give a file with sound.")
    plain = ["-map", "0:a:0", "-af", _MIX, "-ar", str(info.sample_rate_hz), "-f", "f32le", "pipe:1"]
    _, data, complaints = output_of([*input_arguments(path), *plain])
    wave = np.frombuffer(data[: len(data) // 4 * 4], np.float32)
    if wave.size == 0:
        reason = f" ({complaints[0]})" if complaints else ""
        raise MediaError(f"the sound holds no samples{reason}", where=path, cure="Give a longer recording.")
    if complaints:
        _log.warning("%s: the sound is damaged in places (%s)", path, complaints[0])
    return _resample(_finite(wave, path), info.sample_rate_hz, sample_rate_hz)


def _finite(wave: Wave, path: str | Path) -> Wave:
    bad = ~np.isfinite(wave)
    if not bad.any():
        return wave
    _log.warning("%s: %d samples are not numbers and are silenced", path, int(bad.sum()))
    return np.where(bad, np.float32(0), wave)


def _resample(wave: Wave, rate_hz: int, wanted_hz: int) -> Wave:
    if rate_hz == wanted_hz:
        return wave.copy()
    import soxr

    return np.asarray(soxr.resample(wave, rate_hz, wanted_hz), np.float32)
