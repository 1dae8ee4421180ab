"""Size and times of animated webp and png files, read from their chunks, as few versions of ffmpeg read animations.

Source: WebP Container Specification (RIFF chunks VP8X, ANMF); PNG Specification, third edition (chunks acTL, fcTL).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise
from math import lcm
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from ..errors import MediaError
from .content import chunks, content_of
from .frame_rate import DEFAULT_FPS, USUAL_RATES, FrameRate, rate_from_ticks

_ANIMATED, _ALPHA = 0x02, 0x10  # flags of the chunk VP8X
_HEAD = 30  # bytes: RIFF, size, WEBP, and the chunk VP8X
_PNG_ALPHA = (4, 6)  # colour types; others are transparent by a chunk of their own
_TICK = Fraction(1, 1000)
_MAX_FRAMES = 1_000_000  # frames; more in a file count as damage
_SHORTEST_S = Fraction(1, 100)  # shorter frames are shown for 100 ms, as browsers do
_INSTEAD_S = Fraction(1, 10)
_LONGEST_S = Fraction(60)  # of one frame; a few bytes could ask for hours of the same picture


@dataclass(frozen=True)
class Animation:
    """An animated webp or png.

    Attributes:
        path: the file.
        format: name in Pillow of its format.
        size: (height, width).
        has_alpha: its frames carry transparency.
        starts: time of each frame in ticks, and the end of the last.
        tick: seconds of one tick.
        first: number in Pillow of the first frame; 1 where a picture for other programs comes before.
        shortened: frames that are to be shown for more than a minute, and are shown for a minute.
    """

    path: Path
    format: str
    size: tuple[int, int]
    has_alpha: bool
    starts: tuple[int, ...]
    tick: Fraction = _TICK
    first: int = 0
    shortened: int = 0

    @property
    def length_s(self) -> Fraction:
        """Length, the sum of the frames' times."""
        return self.starts[-1] * self.tick

    def rate(self) -> FrameRate:
        """Rate of the frames; equal ones, which are stored once, count once for each time they are shown."""
        known = rate_from_ticks(_ticks(self.starts, self.tick), self.tick, self.length_s)
        return known or FrameRate(min(1 / self.length_s, DEFAULT_FPS))

    def places(self, fps: Fraction) -> list[range]:
        """Numbers of the frames at a constant rate that show each stored frame; at least one shows the last."""
        first = [round(start * self.tick * fps) for start in self.starts]
        first[-1] = max(first[-1], first[-2] + 1)
        return [range(begin, end) for begin, end in pairwise(first)]


def is_animated(path: str | Path) -> bool:
    """True if a file is a webp or png with several frames, by its first bytes; False where it cannot be read."""
    return content_of(path) in ("webp", "apng")


def read_animation(path: str | Path) -> Animation:
    """Read the chunks of an animated webp or png, none of its pictures.

    Raises:
        MediaError: if it holds no frame.
    """
    path = Path(path)
    with path.open("rb") as stream:
        found = _read_png(path, stream) if content_of(path) == "apng" else _read_webp(path, stream)
    if len(found.starts) == 1:
        raise MediaError("holds no frame", where=path, cure="Fetch or save it again.")
    return found


def _read_webp(path: Path, stream: BinaryIO) -> Animation:
    lasts: list[Fraction] = []
    head = stream.read(_HEAD)
    width, height = (int.from_bytes(head[at : at + 3], "little") + 1 for at in (24, 27))
    for name, length in chunks(stream, _HEAD, "little"):
        if name == b"ANMF" and length >= 16:
            lasts.append(int.from_bytes(stream.read(16)[12:15], "little") * _TICK)
    return Animation(
        path, "WEBP", (height, width), bool(head[20] & _ALPHA), _starts(lasts, _TICK), shortened=_long(lasts)
    )


def _read_png(path: Path, stream: BinaryIO) -> Animation:
    lasts: list[Fraction] = []
    size, colours, frames_before_pixels, transparent = (0, 0), 0, None, False
    for name, length in chunks(stream, 8, "big"):
        if name == b"IHDR" and length >= 13:
            data = stream.read(13)
            size = int.from_bytes(data[4:8], "big"), int.from_bytes(data[:4], "big")
            colours = data[9]
        elif name == b"fcTL" and length >= 24:
            data = stream.read(24)
            ticks, per_second = int.from_bytes(data[20:22], "big"), int.from_bytes(data[22:24], "big") or 100
            lasts.append(Fraction(ticks, per_second))
        elif name == b"IDAT" and frames_before_pixels is None:
            frames_before_pixels = len(lasts)
        transparent = transparent or name == b"tRNS"
    tick = Fraction(1, _common([lasted.denominator for lasted in lasts]))
    hidden = 0 if frames_before_pixels else 1
    alpha = transparent or colours in _PNG_ALPHA
    return Animation(path, "PNG", size, alpha, _starts(lasts, tick), tick, hidden, _long(lasts))


def _starts(lasts: list[Fraction], tick: Fraction) -> tuple[int, ...]:
    """Times in ticks at which frames with these times in seconds begin, and the end of the last."""
    return tuple(accumulate((int(_shown(lasted) / tick) for lasted in lasts), initial=0))


def _long(lasts: list[Fraction]) -> int:
    return sum(lasted > _LONGEST_S for lasted in lasts)


def _shown(lasts_s: Fraction) -> Fraction:
    """Seconds that a frame with this time is shown."""
    return min(lasts_s, _LONGEST_S) if lasts_s >= _SHORTEST_S else _INSTEAD_S


def _common(denominators: list[int]) -> int:
    """Ticks a second, a millisecond or less each, in which all times are whole; else microseconds."""
    common = lcm(1000, *denominators)
    return common if common <= 1_000_000 else 1_000_000


def _ticks(starts: tuple[int, ...], tick: Fraction) -> list[int]:
    """Times of the frames, and of those that were left out because they are equal to the one before."""
    lasts = [after - before for before, after in pairwise(starts)]
    counts = _counts(lasts, tick)
    if counts is None or sum(counts) > _MAX_FRAMES:
        return list(starts[:-1])
    spread = zip(starts, lasts, counts, strict=False)
    return [start + round(last * part / count) for start, last, count in spread for part in range(count)]


def _counts(lasts: list[int], tick: Fraction) -> list[int] | None:
    """Counts (n,) of frames that each stored one stands for; None where their times share no step."""
    shortest = min(lasts)
    for step in (1 / (rate * tick) for rate in USUAL_RATES):
        counts = [round(last / step) for last in lasts]
        # Steps of 33 and 34 ms stand for one rate, and only that rate fits a long time too.
        if abs(step - shortest) <= 1 and all(abs(last - n * step) <= 1 for last, n in zip(lasts, counts, strict=True)):
            return counts
    counts = [round(last / shortest) for last in lasts]
    uneven = any(abs(last - count * shortest) > count for last, count in zip(lasts, counts, strict=True))
    return None if uneven else counts


def keep_duration(path: Path, frames: int, fps: Fraction) -> None:
    """Give a webp of equal frames, which its encoder reduces to a still picture, its duration back.

    Args:
        path: the file; changed only where it is a still picture.
        frames: how many it was made of.
        fps: their rate.
    """
    if frames < 2 or content_of(path) != "still":
        return
    with path.open("rb") as stream:
        found = [(name, stream.read(size)) for name, size in chunks(stream, 12, "little")]
    with Image.open(path, formats=["WEBP"]) as image:
        width, height, alpha = image.width, image.height, image.has_transparency_data
    picture = b"".join(_chunk(name, data) for name, data in found if name in (b"ALPH", b"VP8 ", b"VP8L"))
    first_ms, rest_ms = round(1000 / fps), round(1000 * (frames - 1) / fps)
    longest_ms = int(_LONGEST_S * 1000)
    lasts = [first_ms, *[longest_ms] * (rest_ms // longest_ms), *filter(None, [rest_ms % longest_ms])]
    size = _uint24(width - 1) + _uint24(height - 1)
    shown = b"".join(_chunk(b"ANMF", bytes(6) + size + _uint24(last) + b"\2" + picture) for last in lasts)
    flags = _ANIMATED | (_ALPHA if alpha else 0)
    body = b"WEBP" + _chunk(b"VP8X", bytes([flags, 0, 0, 0]) + size) + _chunk(b"ANIM", bytes(6)) + shown
    path.write_bytes(b"RIFF" + len(body).to_bytes(4, "little") + body)


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + len(data).to_bytes(4, "little") + data + b"\0" * (len(data) % 2)


def _uint24(number: int) -> bytes:
    return number.to_bytes(3, "little")
