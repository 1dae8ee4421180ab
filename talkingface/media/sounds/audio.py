"""Reading of sound from any file that ffmpeg decodes, as mono samples."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import MediaError
from ..ffmpeg import SILENCE_S, input_arguments, output_of
from ..probe import describe
from .channels import channel_filters, sound_map

Samples = NDArray[np.float32]

# Weights that sum to one: without it two equal channels would come out 3 dB louder than either, beyond full scale.
_MIX = "aresample=out_chlayout=mono:out_sample_fmt=flt:rematrix_maxval=1.0"

_log = logging.getLogger(__name__)


def has_audio(path: str | Path) -> bool:
    """True if the file has a sound stream; a folder or picture has none.

    Raises:
        MediaError: if the file cannot be read.
    """
    return not Path(path).is_dir() and describe(path).has_audio


def read_audio(path: str | Path, sample_rate_hz: int = 16000) -> Samples:
    """Read the sound of a file, with all channels mixed to mono.

    NaN and infinite samples become silence before resampling would spread them.

    Args:
        path: sound or video file.
        sample_rate_hz: sample rate of the result.

    Returns:
        (samples,), float32; full scale is [-1, 1], louder float files may exceed it.

    Raises:
        MediaError: if the file cannot be read, has no sound stream, or the stream holds no samples.
    """
    info = describe(path)
    if not info.has_audio or info.sample_rate_hz is None:
        raise MediaError("has no sound", where=path, cure="Give a file with sound.")
    mix = ",".join([*channel_filters(info), _MIX])
    plain = [*sound_map(info), "-af", mix, "-ar", str(info.sample_rate_hz), "-f", "f32le", "pipe:1"]
    _, data, messages = output_of([*input_arguments(path), *plain], limit_s=SILENCE_S)
    samples = np.frombuffer(data[: len(data) // 4 * 4], np.float32)
    if samples.size == 0:
        reason = f" ({messages[0]})" if messages else ""
        raise MediaError(f"the sound holds no samples{reason}", where=path, cure="Give a longer recording.")
    if messages:
        _log.warning("%s: the sound is damaged in places (%s)", path, messages[0])
    return _resample(_finite(samples, path), info.sample_rate_hz, sample_rate_hz)


def _finite(samples: Samples, path: str | Path) -> Samples:
    bad = ~np.isfinite(samples)
    if not bad.any():
        return samples
    _log.warning("%s: %d samples are not numbers and are silenced", path, int(bad.sum()))
    return np.where(bad, np.float32(0), samples)


def _resample(samples: Samples, rate_hz: int, wanted_hz: int) -> Samples:
    if rate_hz == wanted_hz:
        return samples.copy()
    import soxr

    return np.asarray(soxr.resample(samples, rate_hz, wanted_hz), np.float32)
