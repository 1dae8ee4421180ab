"""Kinds of files that results are written to: one entry each, chosen by the ending of the file's name."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

from ..errors import DependencyError, MediaError
from ..part_files import part_of, remove, replace
from ..plugins import FORMATS
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


FRAME_NAME = "{:06d}.png"
_OWN_FRAME = re.compile(r"\d{6,}\.png")


def output_format(output: str | Path) -> Format | None:
    """Format of an output by its ending; None for a folder of png.

    A folder has no ending, or a trailing slash, or exists already.

    Raises:
        MediaError: if the ending is none that can be written.
    """
    path = Path(output)
    if str(output).endswith(("/", os.sep)) or not path.suffix or (path.is_dir() and not path.is_symlink()):
        return None
    if not is_format(path):
        cure = f"Use {', '.join(endings())}, or a name without ending (or with a final '/') for a folder of png."
        raise MediaError(f"unknown ending '{path.suffix}' of the output", where=path, cure=cure)
    return FORMATS.get(path.suffix.lower()[1:], where=path)


def is_format(path: Path) -> bool:
    """True if the ending is that of a format, which holds several frames in one file."""
    return path.suffix.lower() in endings()


def endings() -> list[str]:
    """The endings of all formats, with their dots."""
    return [f".{name}" for name in FORMATS.names()]


def check_output(output: Path) -> None:
    """Refuse an output that could not be written later.

    Raises:
        MediaError: if the ending is unknown or the target cannot be made.
        DependencyError: if the ffmpeg lacks an encoder.
    """
    target = output_format(output)
    if target is not None:
        target.check(output)
    check_place(output, folder=target is None)


def check_place(output: Path, *, folder: bool = False) -> None:
    """Refuse a file or folder that could not be made; nothing of the attempt stays.

    Raises:
        MediaError: if it cannot be made, or is a folder that holds anything but our own frames.
    """
    missing = [parent for parent in output.absolute().parents if not parent.exists()]
    PartialOutput(output, folder=folder).discard()
    for parent in missing:  # so that a run that is refused later leaves nothing behind
        with suppress(OSError):  # another run has begun to write there
            parent.rmdir()


class PartialOutput:
    """A target and the unfinished file or folder beside it, on the same disk, so that the final rename is atomic.

    Attributes:
        target: what the user asked for.
        path: what is being written.
    """

    def __init__(self, target: Path, *, folder: bool) -> None:
        """Make the target's folder, and make sure now that it can be written to.

        Raises:
            MediaError: if the target cannot be made, or is a folder that holds anything but our own frames.
        """
        self.target = target.absolute()
        self.path = part_of(self.target)
        if folder:
            self._check_folder()
        try:
            self.target.parent.mkdir(parents=True, exist_ok=True)
            if folder:
                self.path.mkdir()
            else:
                self.path.touch()
        except OSError as error:
            raise _cannot_write(self.target, error) from error

    def _check_folder(self) -> None:
        if self.target.exists() and not self.target.is_dir():
            raise MediaError("exists and is a file, not a folder", where=self.target, cure="Choose another name.")
        others = [f.name for f in self.target.iterdir() if not _ours(f)] if self.target.is_dir() else []
        if others:
            raise MediaError(
                f"the folder holds other things than frames ('{min(others)}') and is not replaced",
                where=self.target,
                cure="Name a new folder, for example one inside it, or a file ending in .mp4.",
            )

    def finish(self) -> Path:
        """Put the finished part in the target's place; returns the target."""
        try:
            replace(self.path, self.target)
        except OSError as error:
            self.discard()
            raise _cannot_write(self.target, error) from error
        return self.target

    def discard(self) -> None:
        """Remove the part; the target stays as it was."""
        remove(self.path)


def _ours(file: Path) -> bool:
    return file.is_file() and _OWN_FRAME.fullmatch(file.name) is not None


def _cannot_write(target: Path, error: OSError) -> MediaError:
    return MediaError(
        f"cannot be written ({error.strerror or error})", where=target, cure="Check the folder, its rights and space."
    )
