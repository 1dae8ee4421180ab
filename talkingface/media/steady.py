"""A copy of a sound that keeps its rate and its channels to the end, as the filters of sound.py and wave.py need it.

Where they change on the way, as in recordings of broadcasts, or where a broken header says so for a moment, ffmpeg
makes its filters anew; the one that puts silence before a late sound then takes all the time so far for such silence.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from pathlib import Path

from .ffmpeg import address, input_arguments, output_of


class SteadyCopy:
    """A temporary file with the samples of a sound at their times; it goes when this object does."""

    def __init__(self, path: Path) -> None:
        self._path = path
        weakref.finalize(self, path.unlink, missing_ok=True)

    def input_arguments(self) -> list[str]:
        """Arguments that open it as input; without the first, its first sample would be at zero."""
        return ["-copyts", *input_arguments(self._path)]


def steady_copy(original: Path) -> SteadyCopy | None:
    """Decode the first sound stream of a file into a copy; None where that cannot be written."""
    try:
        handle, name = tempfile.mkstemp(prefix="talkingface-", suffix=".nut")
    except OSError:
        return None
    os.close(handle)
    copy = SteadyCopy(Path(name))
    lossless = ["-map", "0:a:0", "-map_metadata", "-1", "-c:a", "flac", "-f", "nut"]
    status, _, _ = output_of(["-y", *input_arguments(original), *lossless, address(name)])
    return copy if status == 0 else None
