"""Size and times of animated webp files, read from their chunks, as few versions of ffmpeg read animations.

Source: WebP Container Specification (RIFF chunks VP8X, ANMF).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from ..errors import MediaError
from .frame_rate import DEFAULT_FPS, FrameRate, rate_from_ticks

_ANIMATED, _ALPHA = 0x02, 0x10  # flags of the chunk VP8X
_HEAD = 30  # bytes: RIFF, size, WEBP, and the chunk VP8X
_TICK = Fraction(1, 1000)
_MAX_FRAMES = 1_000_000  # frames; more in a file count as damage
_SHORTEST_MS = 10  # ms; shorter frames are shown for 100 ms, as browsers do


@dataclass(frozen=True)
class Animation:
    """An animated webp.

    Attributes:
        path: the file.
        size: (height, width).
        has_alpha: its frames carry transparency.
        starts: time of each frame in ms, and the end of the last.
    """

    path: Path
    size: tuple[int, int]
    has_alpha: bool
    starts: tuple[int, ...]

    @property
    def length_s(self) -> Fraction:
        """Length, the sum of the frames' times."""
        return self.starts[-1] * _TICK

    def rate(self) -> FrameRate:
        """Rate of the frames; equal ones, which are stored once, count once for each time they are shown."""
        known = rate_from_ticks(_ticks(self.starts), _TICK, self.length_s)
        return known or FrameRate(min(1 / self.length_s, DEFAULT_FPS))

    def places(self, fps: Fraction) -> list[range]:
        """Numbers of the frames at a constant rate that show each stored frame; at least one shows the last."""
        first = [round(start * _TICK * fps) for start in self.starts]
        first[-1] = max(first[-1], first[-2] + 1)
        return [range(begin, end) for begin, end in pairwise(first)]


def is_animated(path: str | Path) -> bool:
    """True if a file that ends in .webp holds several frames, by its first bytes; False where it cannot be read."""
    if Path(path).suffix.lower() != ".webp" or not Path(path).is_file():
        return False
    try:
        with Path(path).open("rb") as stream:
            head = stream.read(_HEAD)
    except OSError:
        return False
    return head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and len(head) == _HEAD and bool(head[20] & _ANIMATED)


def read_animation(path: str | Path) -> Animation:
    """Read the chunks of an animated webp, none of its pictures.

    Raises:
        MediaError: if it holds no frame.
    """
    path = Path(path)
    starts = [0]
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
        width, height = (int.from_bytes(head[at : at + 3], "little") + 1 for at in (24, 27))
        while len(chunk := stream.read(8)) == 8:
            length = int.from_bytes(chunk[4:], "little")
            if chunk[:4] == b"ANMF":
                lasts = int.from_bytes(stream.read(16)[12:15], "little")
                starts.append(starts[-1] + (lasts if lasts >= _SHORTEST_MS else 100))
                length -= 16
            stream.seek(length + length % 2, 1)
    if len(starts) == 1:
        raise MediaError("holds no frame", where=path, cure="Fetch or save it again.")
    return Animation(path, (height, width), bool(head[20] & _ALPHA), tuple(starts))


def _ticks(starts: tuple[int, ...]) -> list[int]:
    """Times of the frames, and of those that were left out because they are equal to the one before."""
    lasts = [after - before for before, after in pairwise(starts)]
    step = min(lasts)
    counts = [round(last / step) for last in lasts]
    # Times in whole ms let steps of 33 and 34 stand for one rate.
    uneven = any(abs(last - count * step) > count for last, count in zip(lasts, counts, strict=True))
    if uneven or sum(counts) > _MAX_FRAMES:
        return list(starts[:-1])
    spread = zip(starts, lasts, counts, strict=False)
    return [start + round(last * part / count) for start, last, count in spread for part in range(count)]
