"""Description of a media file from ffmpeg's report and packets: displayed size, exact rate and length, sound."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate, pairwise, takewhile
from pathlib import Path
from typing import Any

from ..errors import MediaError
from .animation import Animation, is_animated, read_animation
from .content import unread_picture
from .conversion import Storage
from .ffmpeg import MAX_PIXELS, SILENCE_S, SILENT, Child, input_arguments
from .frame_rate import DEFAULT_FPS, FrameRate, rate_from_text, rate_from_ticks

_VIDEO_LINE = re.compile(r"Stream #0:\d+.*?: Video: (?P<codec>\w+).*?, (?P<width>\d+)x(?P<height>\d+)")
_AUDIO_LINE = re.compile(r"Stream #0:\d+.*?: Audio: (?P<codec>\w+).*?, (?P<rate>\d+) Hz(?:, (?P<layout>[\w.]+))?")
_PIXELS = re.compile(
    r"[ ,](?P<name>(?:yuv|rgb|bgr|gbr|gray|pal8|ya|argb|abgr|nv|p0|mono)\w*)(?:\((?P<tags>[^)]*)\))?[, ]"
)
_ASPECT = re.compile(r"SAR (\d+):(\d+)")
_RATE = re.compile(r"([\d.]+) fps")
_BASE_RATE = re.compile(r"([\d.]+) tbr")
_DURATION = re.compile(r"Duration: (\d+):(\d+):(\d+(?:\.\d+)?)")
_ROTATION = re.compile(r"rotation of (-?[\d.]+) degrees")
_ALPHA = re.compile(r"yuva|rgba|bgra|argb|abgr|gbrap|ya8|ya16|pal8")
_HIDDEN_ALPHA = re.compile(r"alpha_mode\s*: 1$", re.IGNORECASE)
# Transparency of webm is a second stream that ffmpeg's own decoders leave out.
_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
_REFUSED_SIZE = re.compile(r"Picture size (\d+)x(\d+) exceeds")
_REFUSED_KIND = "Format not on whitelist"
GAP_S = 60  # seconds between two frames beyond which the first is not repeated to fill the time
PAUSE_S = Fraction(1)  # what a longer pause of a sound becomes
_CORRUPT, _DISCARD = 2, 4  # packet flags of ffmpeg
_NO_TIME = -(2**63)  # printed by ffmpeg for a time that the container does not give

_PLAIN = Storage()


@dataclass(frozen=True)
class MediaInfo:
    """Description of a media file, obtained without decoding it.

    Attributes:
        path: the file.
        width, height: displayed size in pixels (turned upright, square pixels); 0 without video.
        fps: exact constant rate at which it is read; see ``constant_rate``.
        frames: frames at that rate; an estimate if the rate is variable or the file is damaged.
        duration_s: from the first frame to the end of the last (of the sound if there is no video).
        has_video, has_audio: streams present; cover art does not count as video.
        constant_rate: False if the frames are irregular and ``fps`` is their average.
        start_s: time of the first frame on the common clock of picture and sound.
        sample_rate_hz: sample rate of the sound that is taken.
        sound_track, sound_tracks: number among the sound streams of the one that is taken (the first that the file
            marks as its default, else the first), and how many there are.
        mono: the sound has one channel.
        stored_size: (height, width) after turning, before the pixel aspect is applied.
        has_alpha: the frames have transparency.
        storage: form in which the frames are stored: colours, fields.
        decoder: the one of ffmpeg that has to be asked for; empty: its own choice.
        announced_s: length according to the container.
        damaged: some packets are incomplete or marked corrupt.
        gaps: pauses of more than a minute between two frames; they count as one frame in length and times.
    """

    path: Path
    width: int = 0
    height: int = 0
    fps: Fraction | None = None
    frames: int | None = None
    duration_s: Fraction | None = None
    has_video: bool = False
    has_audio: bool = False
    constant_rate: bool = True
    start_s: Fraction = Fraction(0)
    sample_rate_hz: int | None = None
    sound_track: int = 0
    sound_tracks: int = 0
    mono: bool = False
    stored_size: tuple[int, int] = (0, 0)
    has_alpha: bool = False
    storage: Storage = _PLAIN
    decoder: str = ""
    announced_s: Fraction | None = None
    damaged: bool = False
    gaps: int = 0

    @property
    def matrix_known(self) -> bool:
        """True if the file names its colour matrix."""
        return bool(self.storage.matrix)


def check_file(path: str | Path) -> Path:
    """Check that a file exists, can be opened and is not empty; returns its path.

    Raises:
        MediaError: if not.
    """
    path = Path(path)
    if not path.exists():
        raise MediaError("no such file", where=path, cure="Check the spelling and the folder.")
    if path.is_dir():
        raise MediaError("is a folder, a file is wanted here", where=path, cure="Name a file inside it.")
    if not path.is_file():  # reading would wait for another program, or never end
        what = "is a pipe, device or socket, not a regular file"
        raise MediaError(what, where=path, cure="Save what it gives in a file first, and name that.")
    try:
        with path.open("rb") as stream:
            empty = not stream.read(1)
    except OSError as error:
        raise MediaError(f"cannot be opened ({error.strerror})", where=path, cure="Check its permissions.") from error
    if empty:
        raise MediaError("the file is empty (0 bytes)", where=path, cure="Fetch or record it again.")
    return path


def check_size(size: tuple[int, int], max_pixels: int, path: Path) -> None:
    """Raise MediaError if a picture or frame of (width, height) has too many pixels, or none."""
    if min(size) < 1:
        raise MediaError(f"a picture of {size[0]}x{size[1]} pixels is none", where=path, cure="The file is damaged.")
    if size[0] * size[1] > max_pixels:
        raise too_large(f"{size[0]}x{size[1]} pixels", max_pixels, path)


def too_large(what: str, max_pixels: int, path: Path) -> MediaError:
    """Give the error of a picture or frame with too many pixels."""
    return MediaError(
        f"{what} exceed the limit of {max_pixels / 1e6:.0f} megapixels", where=path, cure="Make the picture smaller."
    )


def describe(path: str | Path) -> MediaInfo:
    """Describe a file from its header alone: without frame count, with rate and length as the container gives them.

    Raises:
        MediaError: if the file cannot be opened as video or sound.
    """
    path = check_file(path)
    if is_animated(path):
        return _animation(read_animation(path))
    with Child(input_arguments(path), level="info") as child:
        child.wait()
        return _from_report(path, child.messages)


def probe(path: str | Path) -> MediaInfo:
    """Describe a video or sound file in full; reads its packets once, without decoding, for the exact times.

    Raises:
        MediaError: if the file cannot be opened as video or sound.
    """
    path = check_file(path)
    if is_animated(path):
        return _animation(read_animation(path))
    copy = ["-map", "0:V:0?", "-c", "copy", "-copyinkf", "-f", "framecrc", "pipe:1"]
    with Child([*input_arguments(path), *copy], level="info", collect=True) as child:
        packets = _Packets.read(child.lines())
        child.wait()
        info = _from_report(path, child.messages)
    return packets.refine(info) if info.has_video else info


def _animation(found: Animation) -> MediaInfo:
    """Report of an animated webp or png."""
    rate, (height, width) = found.rate(), found.size
    frames = max(1, round(found.length_s * rate.fps))
    return MediaInfo(
        found.path,
        width=width,
        height=height,
        fps=rate.fps,
        frames=frames,
        duration_s=found.length_s if rate.average else frames / rate.fps,
        has_video=True,
        constant_rate=not rate.average,
        stored_size=found.size,
        has_alpha=found.has_alpha,
        storage=Storage(matrix="gbr"),
        announced_s=found.length_s,
    )


@dataclass
class _Packets:
    """Times of the frames in ticks, as listed in the container: 16 bytes of memory per frame."""

    time_base: Fraction
    decoded: array[int]
    shown: array[int]
    longest_tick: int = 0
    damaged: bool = False

    @classmethod
    def read(cls, lines: Iterable[str]) -> _Packets:
        """Read ffmpeg's packet list: stream, decoding time, presentation time, duration, size, checksum, flags."""
        packets = cls(Fraction(1), array("q"), array("q"))
        for line in lines:
            if line.startswith("#tb 0:"):
                packets.time_base = Fraction(line.split(":")[1].strip())
            elif not line.startswith("#"):
                packets._add([field.strip() for field in line.split(",")])
        return packets

    def _add(self, fields: list[str]) -> None:
        flags = next((int(field[2:], 16) for field in fields[6:] if field.startswith("F=")), 1)
        if flags & _CORRUPT:
            self.damaged = True
        if flags & (_DISCARD | _CORRUPT) or len(fields) < 4:
            return
        decoded, shown, lasts = (int(field) for field in fields[1:4])
        self.decoded.append(decoded)
        if shown != _NO_TIME:
            self.shown.append(shown)
            self.longest_tick = max(self.longest_tick, shown + lasts)

    def _ticks(self) -> list[int]:
        """Presentation times, ascending; if some are missing (MPEG-1), the decoding times with the same start."""
        if len(self.shown) == len(self.decoded) or not self.shown:
            return sorted(self.shown)
        shift = min(self.shown) - min(self.decoded)
        return sorted(tick + shift for tick in self.decoded)

    def refine(self, info: MediaInfo) -> MediaInfo:
        """Add exact rate, length, start and frame count to a description."""
        ticks = self._ticks()
        if not ticks:
            return replace(info, damaged=self.damaged)  # no times at all: keep those of the header
        start_s = ticks[0] * self.time_base
        last = max(self.longest_tick - ticks[-1], 1)
        last = last if last * self.time_base <= GAP_S else 1
        ticks, gaps = _without_gaps(ticks, self.time_base)
        shown_s = (ticks[-1] + last - ticks[0]) * self.time_base
        rate = rate_from_ticks(ticks, self.time_base, shown_s) or FrameRate(info.fps or DEFAULT_FPS)
        # A regular clip lasts as long as its frames; some containers give the last frame a far longer duration.
        length_s = len(ticks) / rate.fps if rate.constant else shown_s
        frames = max(1, round(length_s * rate.fps))
        known: dict[str, Any] = {
            "fps": rate.fps,
            "frames": frames,
            "duration_s": length_s,
            "constant_rate": not rate.average,
        }
        return replace(info, **known, start_s=start_s, damaged=self.damaged, gaps=gaps)


def shorten_pauses(step_s: Fraction, limit_s: Fraction | int = GAP_S) -> str:
    """Filter ``setpts`` (``asetpts`` with an "a" in front) that lets too long a pause last one step instead.

    The times that it gets must begin at 0. Register 1 is the time of the frame before, 0 what pauses were too long.

    Args:
        step_s: what a pause becomes.
        limit_s: the longest that stays as it is.
    """
    longer = f"st(0,ld(0)+if(gt(PTS-ld(1),({limit_s})/TB),PTS-ld(1)-({step_s})/TB,0))"
    return f"setpts='if(isnan(PREV_INPTS),0,st(1,PREV_INPTS));{longer};PTS-ld(0)'"


def longest_pause(info: MediaInfo) -> Fraction:
    """Seconds of silence within a sound that are kept: a minute, or as long as there are pictures to see."""
    return max(Fraction(GAP_S), info.duration_s or Fraction(0)) if info.has_video else Fraction(GAP_S)


def shorter_sound(info: MediaInfo, heard_s: float) -> tuple[str, ...]:
    """Note that the sound of a file is over a minute shorter than the file announces, or nothing."""
    shown_s = float(info.duration_s or 0) if info.has_video else 0.0
    if float(info.announced_s or 0) - max(heard_s, shown_s) <= GAP_S:
        return ()
    lengths = f"the sound of {info.path} lasts {heard_s:.1f} s, not {float(info.announced_s or 0):.1f} s as announced"
    return (f"{lengths}; pauses of more than a minute are left out",)


def _without_gaps(ticks: list[int], time_base: Fraction) -> tuple[list[int], int]:
    """Times with each pause of more than a minute shortened to an ordinary step, and the number of these pauses."""
    steps = [after - before for before, after in pairwise(ticks)]
    usual = sorted(step for step in steps if step * time_base <= GAP_S)
    if len(usual) == len(steps):
        return ticks, 0
    step = usual[len(usual) // 2] if usual else max(1, round(1 / DEFAULT_FPS / time_base))
    kept = accumulate((own if own * time_base <= GAP_S else step for own in steps), initial=ticks[0])
    return list(kept), len(steps) - len(usual)


def _from_report(path: Path, report: list[str]) -> MediaInfo:
    report = list(takewhile(lambda line: not line.startswith(("Stream mapping:", "Output #")), report))
    if not any(line.startswith("Input #0, ") for line in report):
        raise _unreadable(path, report)
    sounds = [(line, found) for line in report if (found := _AUDIO_LINE.search(line))]
    pictures = ((line, _VIDEO_LINE.search(line)) for line in report if "(attached pic)" not in line)
    video = next(((line, found) for line, found in pictures if found), None)
    announced_s = _announced(report)
    info = MediaInfo(path, duration_s=announced_s, announced_s=announced_s)
    if sounds:
        info = replace(info, has_audio=True, **_sound_facts(sounds))
    refused = next((found for line in report if (found := _REFUSED_SIZE.search(line))), None)
    if video is None and refused is not None and not info.has_audio:
        check_size((int(refused[1]), int(refused[2])), MAX_PIXELS, path)
    if video is None:
        return info
    info = replace(info, **_video_facts(*video, report))
    for height, width in (info.stored_size, (info.height, info.width)):
        check_size((width, height), MAX_PIXELS, path)
    return info


def _sound_facts(sounds: list[tuple[str, re.Match[str]]]) -> dict[str, Any]:
    track = next((number for number, (line, _) in enumerate(sounds) if "(default)" in line), 0)
    found = sounds[track][1]
    facts = {"sample_rate_hz": int(found["rate"]), "mono": found["layout"] == "mono"}
    return {**facts, "sound_track": track, "sound_tracks": len(sounds)}


def _announced(report: list[str]) -> Fraction | None:
    found = next((match for line in report if (match := _DURATION.search(line))), None)
    return int(found[1]) * 3600 + int(found[2]) * 60 + Fraction(found[3]) if found else None


def _video_facts(line: str, found: re.Match[str], report: list[str]) -> dict[str, Any]:
    width, height = int(found["width"]), int(found["height"])
    aspect = _pixel_aspect(line)
    if _quarter_turned(_of_stream(report, line)):
        width, height, aspect = height, width, 1 / aspect
    pixels = _PIXELS.search(line)
    rate = _RATE.search(line) or _BASE_RATE.search(line)
    hidden = any(_HIDDEN_ALPHA.search(text) for text in _of_stream(report, line))
    decoder = _ALPHA_DECODERS.get(found["codec"], "") if hidden else ""
    return {
        "has_video": True,
        "stored_size": (height, width),
        # Pixels are only ever stretched, so that no detail is lost.
        "width": round(width * max(aspect, Fraction(1))),
        "height": round(height / min(aspect, Fraction(1))),
        "fps": rate_from_text(float(rate[1])) if rate and float(rate[1]) > 0 else DEFAULT_FPS,
        "has_alpha": bool(decoder or (pixels and _ALPHA.match(pixels["name"]))),
        "decoder": decoder,
        "storage": Storage.of(found["codec"], (pixels["tags"] or "") if pixels else ""),
    }


def _pixel_aspect(line: str) -> Fraction:
    found = _ASPECT.search(line)
    if found is None or "0" in (found[1], found[2]):
        return Fraction(1)
    aspect = Fraction(int(found[1]), int(found[2]))
    return aspect if Fraction(1, 8) <= aspect <= 8 else Fraction(1)  # beyond that the header is broken


def _of_stream(report: list[str], line: str) -> list[str]:
    """Lines of the report that follow a stream's own, up to the next stream."""
    rest = report[report.index(line) + 1 :]
    return list(takewhile(lambda text: "Stream #" not in text, rest))


def _quarter_turned(report: list[str]) -> bool:
    """True if a stream with these lines is stored turned by a quarter."""
    for line in report:
        turned = _ROTATION.search(line)
        if turned:
            return round(float(turned[1]) / 90) % 2 == 1
    return False


def _unreadable(path: Path, report: list[str]) -> MediaError:
    if any("moov atom not found" in line for line in report) and _starts_as_mp4(path):
        return MediaError(
            "the index of this video is missing (moov atom not found): it was cut off while being recorded or copied",
            where=path,
            cure="Fetch the whole file again, or record it again.",
        )
    if SILENT in report[:1]:
        what = f"could not be opened within {SILENCE_S:g} s"
        return MediaError(what, where=path, cure="Copy it to a faster disk, or convert it.")
    picture = unread_picture(path)
    if picture:
        what = f"a picture of a kind that is not read ({picture})"
        return MediaError(what, where=path, cure="Save it as png or jpg.")
    if any(_REFUSED_KIND in line for line in report):
        what = "not a video or sound file of a known kind; a play list is none, whatever its name"
        return MediaError(what, where=path, cure="Convert it to mp4, and give that file.")
    return MediaError(
        "not a video or sound file, or damaged from the start",
        where=path,
        cure="Give a file that a player can open, such as mp4, mov, avi, mpg, webm, gif, wav, mp3, m4a or flac.",
    )


def _starts_as_mp4(path: Path) -> bool:
    """True if the file begins with a box of the mp4 family; ffmpeg reports a missing index by the name alone."""
    with path.open("rb") as stream:
        return stream.read(8)[4:] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
