"""Kinds of files that results are written to: one entry each, chosen by the ending of the file's name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

from ..errors import DependencyError
from .ffmpeg import executable, output_of

HIGHEST_CRF = 51
GIF_FASTEST = Fraction(50)  # viewers show frames of under 2/100 s as if they lasted 10/100 s
_EXACT = "flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
_TAGS_709 = ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"]


@dataclass(frozen=True)
class Encoding:
    """Request to an encoder, known once the first frame is there.

    Attributes:
        crf: constant rate factor on the scale of h264, 0 (best) to 51.
        lossless: the frames are to come back exactly, and ``crf`` is ignored.
        alpha: the frames are RGBA.
        fps: frames per second, exact.
    """

    crf: int
    lossless: bool
    alpha: bool
    fps: Fraction


@dataclass(frozen=True)
class Format:
    """A kind of file that one ffmpeg process makes of raw RGB or RGBA frames and a sound.

    Attributes:
        encode: gives ffmpeg's arguments for the pictures: filters, codec, pixel format, quality.
        container: name of ffmpeg's muxer.
        muxing: further arguments of the muxer.
        sound: arguments of the sound's codec; none: the file holds no sound.
        alpha: the file keeps transparency; others get frames composed over white.
        even: odd sides grow by one pixel, unless the quality is lossless.
        fastest: frames per second that it can show; None: any number.
        encoders: those of ffmpeg that it needs.
    """

    encode: Callable[[Encoding], list[str]]
    container: str
    muxing: tuple[str, ...] = ()
    sound: tuple[str, ...] = ()
    alpha: bool = False
    even: bool = False
    fastest: Fraction | None = None
    encoders: tuple[str, ...] = ()

    def lacks(self) -> list[str]:
        """Encoders that it needs and that this ffmpeg does not have."""
        return [name for name in self.encoders if name not in encoders()]

    def check(self, output: Path) -> None:
        """Refuse a file that this ffmpeg cannot make.

        Raises:
            DependencyError: names the encoders that it lacks.
        """
        if lacking := self.lacks():
            cure = "Run: pip install --upgrade imageio-ffmpeg, or write an .mp4."
            raise DependencyError(f"this ffmpeg has no encoder {' nor '.join(lacking)}", where=output, cure=cure)


def encoders() -> frozenset[str]:
    """Names of all encoders of this ffmpeg."""
    return _encoders_of(executable())


@cache
def _encoders_of(program: str) -> frozenset[str]:
    lines = output_of(["-encoders"])[1].decode("ascii", "replace").splitlines()
    return frozenset(words[1] for words in map(str.split, lines) if len(words) > 1)


def _yuv(pixels: str, matrix: str = "bt709") -> list[str]:
    """Filters that turn RGB into a pixel format with chroma of half size."""
    return ["-vf", f"scale=out_color_matrix={matrix}:out_range=tv:{_EXACT},format={pixels}"]


def _h264(encoding: Encoding) -> list[str]:
    if encoding.lossless:
        return ["-c:v", "libx264rgb", "-preset", "veryfast", "-qp", "0"]
    return [*_yuv("yuv420p"), "-c:v", "libx264", "-preset", "veryfast", "-crf", str(encoding.crf), *_TAGS_709]


def _vp9(encoding: Encoding) -> list[str]:
    codec = ["-c:v", "libvpx-vp9", "-deadline", "good", "-cpu-used", "4", "-row-mt", "1"]
    # Frames that are never shown would have no transparency.
    codec += ["-auto-alt-ref", "0"] if encoding.alpha else []
    codec += (
        ["-lossless", "1"] if encoding.lossless else ["-b:v", "0", "-crf", f"{encoding.crf * 63 / HIGHEST_CRF:.0f}"]
    )
    if encoding.lossless and not encoding.alpha:
        return ["-pix_fmt", "gbrp", *codec]
    return [*_yuv("yuva420p" if encoding.alpha else "yuv420p"), *codec, *_TAGS_709]


def _webp(encoding: Encoding) -> list[str]:
    if encoding.lossless:
        return ["-pix_fmt", "bgra", "-c:v", "libwebp_anim", "-lossless", "1", "-loop", "0"]
    pixels = "yuva420p" if encoding.alpha else "yuv420p"
    # Its colours are BT.601 by definition; its quality runs from 0 to 100 (best).
    return [*_yuv(pixels, "bt601"), "-c:v", "libwebp_anim", "-quality", str(100 - encoding.crf), "-loop", "0"]


def _gif(encoding: Encoding) -> list[str]:
    # A palette for each frame: one for the whole clip would have to keep all frames in memory.
    palette = "split[frame][copy];[copy]palettegen=stats_mode=single[palette];[frame][palette]paletteuse=new=1"
    return ["-vf", f"fps={GIF_FASTEST},{palette}" if encoding.fps > GIF_FASTEST else palette, "-loop", "0"]


_STREAMABLE = ("-movflags", "+faststart")
_AAC = ("-c:a", "aac", "-b:a", "160k")
_H264_ENCODERS = ("libx264", "aac")

MP4 = Format(_h264, "mp4", _STREAMABLE, _AAC, even=True, encoders=_H264_ENCODERS)
MOV = Format(_h264, "mov", _STREAMABLE, _AAC, even=True, encoders=_H264_ENCODERS)
WEBM = Format(_vp9, "webm", sound=("-c:a", "libopus", "-b:a", "128k"), alpha=True, encoders=("libvpx-vp9", "libopus"))
GIF = Format(_gif, "gif", fastest=GIF_FASTEST, encoders=("gif",))
WEBP = Format(_webp, "webp", alpha=True, encoders=("libwebp_anim",))
