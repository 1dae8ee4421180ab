"""Cuts the faces out of a video, gif or picture: a clip with its sound for each stretch over which a face stays."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from pathlib import Path

from ...errors import ConfigError, NoFaceError
from ...media.image import Picture, read_image, write_image
from ...media.pictures import is_pictures
from ...media.video import VideoReader, open_video
from ...media.writer import Writer, open_writer
from ..detect.analyser import FaceAnalyser
from ..detect.debug import no_face
from ..track.segments import CropRules, Stretch, crops_of
from ..track.track import TrackSettings, track_faces
from .crop import Crop

FORMATS = {"mp4": ".mp4", "gif": ".gif", "png": ""}
PICTURE_ENDING = ".png"

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Output:
    """Where crops go.

    Attributes:
        folder: made if it is missing.
        format: ``"mp4"``, ``"gif"``, or ``"png"`` for a folder of frames; a picture always becomes a png.
        overwrite: replace what exists; otherwise a free name is made with a number.
    """

    folder: Path = field(default_factory=Path)
    format: str = "mp4"
    overwrite: bool = False

    def path(self, source: Path, stretch: Stretch, *, still: bool, taken: set[Path]) -> Path:
        """A name for a crop that neither is the source nor was given before."""
        frames = "" if still else f"_{stretch.start:04d}-{stretch.stop - 1:04d}"
        name = f"{_stem(source)}_face{stretch.number}{frames}"
        ending = PICTURE_ENDING if still else FORMATS[self.format]
        for number in range(1, 1_000_000):
            path = self.folder / f"{name}{'' if number == 1 else f'_{number}'}{ending}"
            free = self.overwrite or not path.exists()
            if free and path not in taken and path.resolve() != source.resolve():
                taken.add(path)
                return path
        raise ConfigError("every name for a crop is taken", where=self.folder, cure="Choose another --output_dir.")


@dataclass(frozen=True)
class Found:
    """The crops of one file.

    Attributes:
        source: the file.
        is_still: whether it is a single picture.
        crops: stretch, crop and the file it goes to.
        refused: a sentence about each stretch that is left out.
    """

    source: Path
    is_still: bool
    crops: list[tuple[Stretch, Crop, Path]]
    refused: list[str]


def find_crops(
    source: Path,
    analyser: FaceAnalyser,
    rules: CropRules,
    output: Output,
    *,
    debug_dir: Path | None = None,
    tell: Tell = print,
) -> Found:
    """Follow the faces of a file and decide what is to be cut out.

    Args:
        source: video, gif, folder of frames, or picture. Of a picture every face becomes one picture.
        debug_dir: folder for a picture of what was looked at, where no face was found.
        tell: takes sentences that the user should read.

    Raises:
        NoFaceError: if no face was found in it.
        MediaError: if it cannot be read.
    """
    is_still = is_pictures(source) and not source.is_dir()
    if is_still:
        rules = CropRules(1, rules.min_size, rules.increase, rules.iou, rules.size)
    with open_video(source) as reader:
        seen = _Seen(reader)
        tracks = track_faces(seen, analyser, TrackSettings(keep_mesh=False))
        for warning in reader.warnings:
            tell(f"{source}: {warning}")
    if not tracks:
        raise seen.no_face(source, analyser, debug_dir)
    planned, refused = crops_of(tracks, rules, (reader.height, reader.width))
    taken: set[Path] = set()
    crops = [(stretch, crop, output.path(source, stretch, still=is_still, taken=taken)) for stretch, crop in planned]
    return Found(source, is_still, crops, refused)


def write_crops(found: Found, fps: Fraction | None = None, *, tell: Tell = print) -> list[Path]:
    """Write what was found, in one pass over the file; clips have the sound of their frames.

    Args:
        found: from :func:`find_crops`.
        fps: frames per second of a folder of pictures; a video keeps its own.
        tell: takes sentences that the user should read.

    Returns:
        The files that were written, in the order of ``found.crops``.

    Raises:
        MediaError: if the file cannot be read or a crop cannot be written; those that were finished stay.
    """
    if found.is_still:
        picture = read_image(found.source)
        return [write_image(path, crop.cut(picture)) for _, crop, path in found.crops]
    with open_video(found.source, fps=fps) as reader, ExitStack() as stack:
        sound = found.source if reader.info.has_audio else None
        waiting = sorted((_Clip(*crop) for crop in found.crops), key=lambda clip: clip.stretch.start)
        running: list[_Clip] = []
        last = max((clip.stretch.stop for clip in waiting), default=0)
        for index, frame in enumerate(islice(reader, last)):
            while waiting and waiting[0].stretch.start == index:
                clip = waiting.pop(0)
                clip.open(reader.fps, sound, stack)
                running.append(clip)
            for clip in running:
                clip.write(frame)
            running = [clip for clip in running if not clip.finish_at(index + 1, tell)]
    return [path for _, _, path in found.crops if path.exists()]


def ffmpeg_commands(found: Found) -> Iterator[str]:
    """A line for each crop: the ffmpeg command that makes it, quoted for a POSIX shell; times in seconds."""
    with open_video(found.source) as reader:
        info, fps = reader.info, reader.fps
    scaled = (
        [] if found.is_still or info.stored_size == (info.height, info.width) else [f"scale={info.width}:{info.height}"]
    )
    for stretch, crop, path in found.crops:
        box, (height, width) = crop.box, crop.size
        part = f"crop={box.width:.0f}:{box.height:.0f}:{box.left + 0.5:.0f}:{box.top + 0.5:.0f}:exact=1"
        filters = ", ".join([*scaled, part, f"scale={width}:{height}"])
        start, length = info.start_s + stretch.start / fps, len(stretch) / fps
        times = [] if found.is_still else ["-ss", _seconds(start), "-t", _seconds(length)]
        source, target = _ffmpeg_name(found.source), _ffmpeg_name(path)
        yield shlex.join(["ffmpeg", "-i", source, *times, "-filter:v", filters, target])


class _Seen:
    """The frames of a video as they pass, of which the one in the middle of those passed so far is kept, about."""

    def __init__(self, frames: VideoReader) -> None:
        self._frames = frames
        self._kept: Picture | None = None
        self.count = 0

    def __iter__(self) -> Iterator[Picture]:
        for frame in self._frames:
            self.count += 1
            if self.count & (self.count - 1) == 0:  # frames 1, 2, 4, 8, ...: the last of them lies in the second half
                self._kept = frame
            yield frame

    def no_face(self, source: Path, analyser: FaceAnalyser, debug_dir: Path | None) -> NoFaceError:
        """The error for a file in which no frame has a face."""
        if self._kept is None:
            return NoFaceError("no face was found, as it has no frame", where=source)
        return no_face(source, self._kept, analyser, debug_dir, frames=self.count)


class _Clip:
    """A crop on its way into its file."""

    def __init__(self, stretch: Stretch, crop: Crop, path: Path) -> None:
        self.stretch, self._crop, self._path = stretch, crop, path
        self._writer: Writer | None = None

    def open(self, fps: Fraction, sound: Path | None, stack: ExitStack) -> None:
        """Begin; if the stack is left before the clip is finished, nothing of it stays."""
        heard = sound if self._path.suffix == ".mp4" else None
        start_s, length_s = self.stretch.start / fps, len(self.stretch) / fps
        self._writer = open_writer(
            self._path, fps=fps, audio=heard, audio_start_s=start_s, audio_duration_s=length_s if heard else None
        )
        stack.callback(self._abandon)

    def write(self, frame: Picture) -> None:
        assert self._writer is not None  # noqa: S101 (opened before; narrows the type)
        self._writer.write(self._crop.cut(frame))

    def finish_at(self, index: int, tell: Tell) -> bool:
        """Complete the file if the stretch ends before frame ``index``; returns whether it does."""
        if self._writer is None or self.stretch.stop != index:
            return False
        self._writer.finish()
        for warning in self._writer.warnings:
            tell(f"{self._path}: {warning}")
        self._writer = None
        return True

    def _abandon(self) -> None:
        if self._writer is not None:
            self._writer.abort()


def _stem(source: Path) -> str:
    """The name that crops begin with; dots at its beginning would hide them."""
    return (source.absolute().name if source.is_dir() else source.stem).lstrip(".") or "video"


def _seconds(time: Fraction) -> str:
    """Six decimals, rounded down, so that the first frame is not lost to the rounding."""
    whole = int(time * 1_000_000)
    return f"{whole // 1_000_000}.{whole % 1_000_000:06d}"


def _ffmpeg_name(path: Path) -> str:
    """A file as ffmpeg wants it named: neither an option nor a protocol."""
    name = str(path)
    return f"file:{name}" if name.startswith("-") or ":" in name else name
