"""Sound of a file at one sample rate, in a memory-mapped temporary file, so that memory does not grow with its length.

Its time is that of the sound in a result (`sound.py`): it starts with the first picture of a video, and gaps are
silent.
"""

from __future__ import annotations

import mmap
import tempfile
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np

from ...errors import MediaError
from ...part_files import part_of
from ..ffmpeg import Child, address, input_arguments, output_of
from ..probe import PAUSE_S, MediaInfo, describe, longest_pause, probe, shorten_pauses, shorter_sound
from .audio import Samples
from .channels import channel_filters, sound_map, sound_notes

SILENT = 1e-3  # peak of an inaudible sound, relative to full scale (-60 dB)
CLIPPED, FULL = 0.01, 0.999  # share of the samples at full scale that is reported, and the level of full scale
RELEASE_S = 0.1  # seconds between two releases of memory
_BLOCK_BYTES = 1 << 18
_MONO = "aresample=async=1:first_pts=0:out_chlayout=mono:out_sample_fmt=flt:rematrix_maxval=1.0"


@dataclass(eq=False)
class AudioBuffer:
    """Mono sound at one sample rate. Its file is deleted when the samples are no longer referenced.

    Attributes:
        samples: (n,), float32; full scale is [-1, 1].
        rate_hz: sample rate.
        notes: sentences about defects of the sound, for the user.
    """

    samples: Samples
    rate_hz: int
    notes: tuple[str, ...]
    _memory: mmap.mmap = field(repr=False)

    @contextmanager
    def release_pages(self) -> Iterator[None]:
        """Release samples from memory soon after they are read, inside the block; they are read again when needed.

        Without it, one pass over a long sound would keep all of it in memory until the end.
        """
        done = threading.Event()
        watcher = threading.Thread(target=self._release_until, args=[done], daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()

    def _release_until(self, done: threading.Event) -> None:
        ended = False
        while not ended:
            ended = done.wait(RELEASE_S)
            if hasattr(self._memory, "madvise"):  # not on Windows
                self._memory.madvise(mmap.MADV_DONTNEED)


def open_audio(path: str | Path, rate_hz: int) -> AudioBuffer:
    """Decode and resample the sound of a file, block by block.

    NaN and infinite samples become silence before resampling would spread them. A damaged file is decoded twice.

    Args:
        path: sound or video file.
        rate_hz: sample rate of the result.

    Raises:
        MediaError: if the file cannot be read, has no sound, or the sound holds no samples.
    """
    info = describe(path)
    if not info.has_audio or info.sample_rate_hz is None:
        raise MediaError("has no sound", where=path, cure="Give a file with sound.")
    own_hz, info = info.sample_rate_hz, probe(path) if info.has_video else info
    times = f"asetpts=PTS-({info.start_s})/TB,a{shorten_pauses(PAUSE_S, longest_pause(info))}"
    plain = ["-af", ",".join([times, *channel_filters(info), _MONO]), "-ar", str(own_hz)]
    decode = partial(_decoded, plain=plain, rate_hz=own_hz, wanted_hz=rate_hz, where=path)
    memory, statistics, complaints = decode([*input_arguments(path), *sound_map(info)])
    if memory is None:
        reason = f" ({complaints[0]})" if complaints else ""
        raise MediaError(f"the sound holds no samples{reason}", where=path, cure="Give a longer recording.")
    copy = decoded_copy(info) if complaints else None
    if copy is not None:
        second, second_statistics, _ = decode(copy.input_arguments())
        memory, statistics = (memory, statistics) if second is None else (second, second_statistics)
    notes = (*sound_notes(info), *statistics.notes(path, damage=complaints[:1]))
    notes += shorter_sound(info, statistics.samples / own_hz)
    return AudioBuffer(np.frombuffer(memory, np.float32), rate_hz, notes, memory)


def _decoded(
    opening: list[str], *, plain: list[str], rate_hz: int, wanted_hz: int, where: str | Path
) -> tuple[mmap.mmap | None, _SampleStatistics, list[str]]:
    """Decode the input that the first arguments open; returns samples, their statistics and ffmpeg's messages."""
    statistics = _SampleStatistics()
    with Child([*opening, *plain, "-f", "f32le", "pipe:1"], collect=True) as child:
        try:
            memory = _mapped(_resampled(_blocks(child, statistics), rate_hz, wanted_hz))
        except OSError as error:
            raise _no_room(where, error) from error
        child.wait()
    return memory, statistics, child.messages


def _mapped(blocks: Iterator[Samples]) -> mmap.mmap | None:
    """Write samples to an unnamed file and map it into memory; None if there are none."""
    with tempfile.TemporaryFile(prefix="talkingface-") as file:
        return mmap.mmap(file.fileno(), 0) if _write(file, blocks) else None


@dataclass
class _SampleStatistics:
    """Counts over the samples of a sound."""

    samples: int = 0
    full: int = 0
    not_finite: int = 0
    peak: float = 0.0

    def clean(self, block: Samples) -> Samples:
        bad = ~np.isfinite(block)
        if bad.any():
            self.not_finite += int(bad.sum())
            block = np.where(bad, np.float32(0), block)
        loud = np.abs(block)
        self.samples += len(block)
        self.full += int((loud >= FULL).sum())
        self.peak = max(self.peak, float(loud.max(initial=0.0)))
        return block

    def notes(self, path: str | Path, damage: list[str]) -> tuple[str, ...]:
        notes = [f"the sound of {path} is damaged in places ({damage[0]})"] if damage else []
        if self.not_finite:
            notes.append(f"{path}: {self.not_finite} samples are no numbers and are silenced")
        if self.peak < SILENT:
            notes.append(f"{path}: the sound is silent, so the mouth has nothing to say")
        elif self.full > CLIPPED * self.samples:
            notes.append(f"{path}: {self.full / self.samples:.0%} of the sound is clipped; a cleaner one moves better")
        return tuple(notes)


def _blocks(child: Child, statistics: _SampleStatistics) -> Iterator[Samples]:
    rest = b""
    while data := child.read(_BLOCK_BYTES):
        data = rest + data
        whole = len(data) // 4 * 4
        rest = data[whole:]
        yield statistics.clean(np.frombuffer(data[:whole], np.float32))


def _resampled(blocks: Iterator[Samples], rate_hz: int, wanted_hz: int) -> Iterator[Samples]:
    if rate_hz == wanted_hz:
        yield from blocks
        return
    import soxr

    stream = soxr.ResampleStream(rate_hz, wanted_hz, 1, dtype="float32")
    for block in blocks:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def _write(file: IO[bytes], blocks: Iterator[Samples]) -> int:
    """Append blocks; returns the bytes written."""
    written = sum(file.write(np.ascontiguousarray(block).data.cast("B")) for block in blocks)
    file.flush()
    return written


def _no_room(path: str | Path, error: OSError) -> MediaError:
    return MediaError(
        f"its samples cannot be kept in {tempfile.gettempdir()} ({error.strerror or error})",
        where=path,
        cure="Free some space there, or let TMPDIR name another folder.",
    )


class DecodedCopy:
    """Temporary file with the samples of a sound at their times; deleted with this object."""

    def __init__(self, path: Path) -> None:
        self._path = path
        weakref.finalize(self, path.unlink, missing_ok=True)

    def input_arguments(self) -> list[str]:
        """Arguments that open it as input; ``-copyts`` keeps the time of its first sample."""
        return ["-copyts", *input_arguments(self._path)]


def decoded_copy(original: MediaInfo) -> DecodedCopy | None:
    """Decode the sound of a file into a temporary copy; None if that cannot be written."""
    name = part_of(Path(tempfile.gettempdir()) / "sound.nut")
    try:
        name.touch(0o600, exist_ok=False)  # for this user alone
    except OSError:
        return None
    copy = DecodedCopy(name)
    lossless = [*sound_map(original), "-map_metadata", "-1", "-c:a", "flac", "-f", "nut"]
    status, _, _ = output_of(["-y", *input_arguments(original.path), *lossless, address(name)])
    return copy if status == 0 else None
