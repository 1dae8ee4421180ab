"""Cut the faces out of a video, gif or picture: a clip with its sound for each segment over which a face stays."""

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
from ..track.segments import CropRules, FaceSegment, crops_of
from ..track.track import TrackSettings, track_faces
from .crop import Crop

FORMATS = {"mp4": ".mp4", "gif": ".gif", "png": ""}
PICTURE_ENDING = ".png"

Notify = Callable[[str], None]


@dataclass(frozen=True)
class CropOutput:
    """Folder, format and names of crops.

    Attributes:
        folder: made if it is missing.
        format: ``"mp4"``, ``"gif"``, or ``"png"`` for a folder of frames; a picture always becomes a png.
        overwrite: replace what exists; otherwise a free name is made with a number.
    """

    folder: Path = field(default_factory=Path)
    format: str = "mp4"
    overwrite: bool = False

    def path(self, source: Path, segment: FaceSegment, *, still: bool, taken: set[Path]) -> Path:
        """A name for a crop that neither is the source nor was given before."""
        frames = "" if still else f"_{segment.start:04d}-{segment.stop - 1:04d}"
        name = f"{_stem(source)}_face{segment.number}{frames}"
        ending = PICTURE_ENDING if still else FORMATS[self.format]
        for number in range(1, 1_000_000):
            path = self.folder / f"{name}{'' if number == 1 else f'_{number}'}{ending}"
            free = self.overwrite or not path.exists()
            if free and path not in taken and path.resolve() != source.resolve():
                taken.add(path)
                return path
        raise ConfigError("every name for a crop is taken", where=self.folder, cure="Choose another --output_dir.")


@dataclass(frozen=True)
class CropPlan:
    """The crops of one file.

    Attributes:
        source: the file.
        is_still: it is a single picture.
        crops: segment, crop and the file it goes to.
        refused: a sentence about each segment that is left out.
    """

    source: Path
    is_still: bool
    crops: list[tuple[FaceSegment, Crop, Path]]
    refused: list[str]


def find_crops(
    source: Path,
    analyser: FaceAnalyser,
    rules: CropRules,
    output: CropOutput,
    *,
    debug_dir: Path | None = None,
    notify: Notify = print,
) -> CropPlan:
    """Follow the faces of a file and plan what is cut out.

    Args:
        source: video, gif, folder of frames, or picture. Of a picture every face becomes one picture.
        debug_dir: folder for a picture of the search where no face was found.
        notify: takes sentences that the user should read.

    Raises:
        NoFaceError: if no face was found in it.
        MediaError: if it cannot be read.
    """
    is_still = is_pictures(source) and not source.is_dir()
    if is_still:
        rules = CropRules(1, rules.min_size, rules.increase, rules.iou, rules.size)
    with open_video(source) as reader:
        frames = _SampledFrames(reader)
        tracks = track_faces(frames, analyser, TrackSettings(keep_mesh=False))
        for warning in reader.warnings:
            notify(f"{source}: {warning}")
    if not tracks:
        raise frames.no_face(source, analyser, debug_dir)
    accepted, refused = crops_of(tracks, rules, (reader.height, reader.width))
    taken: set[Path] = set()
    crops = [(segment, crop, output.path(source, segment, still=is_still, taken=taken)) for segment, crop in accepted]
    return CropPlan(source, is_still, crops, refused)


def write_crops(plan: CropPlan, fps: Fraction | None = None, *, notify: Notify = print) -> list[Path]:
    """Write the crops of a plan, in one pass over the file; clips have the sound of their frames.

    Args:
        plan: from :func:`find_crops`.
        fps: frames per second of a folder of pictures; a video keeps its own.
        notify: takes sentences that the user should read.

    Returns:
        The files that were written, in the order of ``plan.crops``.

    Raises:
        MediaError: if the file cannot be read or a crop cannot be written; those that were finished stay.
    """
    if plan.is_still:
        picture = read_image(plan.source)
        return [write_image(path, crop.cut(picture)) for _, crop, path in plan.crops]
    with open_video(plan.source, fps=fps) as reader, ExitStack() as stack:
        sound = plan.source if reader.info.has_audio else None
        waiting = sorted((_Clip(*crop) for crop in plan.crops), key=lambda clip: clip.segment.start)
        running: list[_Clip] = []
        last = max((clip.segment.stop for clip in waiting), default=0)
        for index, frame in enumerate(islice(reader, last)):
            while waiting and waiting[0].segment.start == index:
                clip = waiting.pop(0)
                clip.open(reader.fps, sound, stack)
                running.append(clip)
            for clip in running:
                clip.write(frame)
            running = [clip for clip in running if not clip.finish_at(index + 1, notify)]
    return [path for _, _, path in plan.crops if path.exists()]


def ffmpeg_commands(plan: CropPlan) -> Iterator[str]:
    """One line for each crop: the ffmpeg command that makes it, quoted for a POSIX shell; times in seconds."""
    with open_video(plan.source) as reader:
        info, fps = reader.info, reader.fps
    scaled = (
        [] if plan.is_still or info.stored_size == (info.height, info.width) else [f"scale={info.width}:{info.height}"]
    )
    for segment, crop, path in plan.crops:
        box, (height, width) = crop.box, crop.size
        part = f"crop={box.width:.0f}:{box.height:.0f}:{box.left + 0.5:.0f}:{box.top + 0.5:.0f}:exact=1"
        filters = ", ".join([*scaled, part, f"scale={width}:{height}"])
        start, length = info.start_s + segment.start / fps, len(segment) / fps
        times = [] if plan.is_still else ["-ss", _seconds(start), "-t", _seconds(length)]
        source, target = _ffmpeg_name(plan.source), _ffmpeg_name(path)
        yield shlex.join(["ffmpeg", "-i", source, *times, "-filter:v", filters, target])


class _SampledFrames:
    """Frames of a video as they pass; about the middle one of those so far is kept."""

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

    def __init__(self, segment: FaceSegment, crop: Crop, path: Path) -> None:
        self.segment, self._crop, self._path = segment, crop, path
        self._writer: Writer | None = None

    def open(self, fps: Fraction, sound: Path | None, stack: ExitStack) -> None:
        """Begin; if the stack is left before the clip is finished, nothing of it stays."""
        audio = sound if self._path.suffix == ".mp4" else None
        start_s, length_s = self.segment.start / fps, len(self.segment) / fps
        self._writer = open_writer(
            self._path,
            fps=fps,
            audio=audio,
            audio_start_s=start_s,
            audio_duration_s=length_s if audio else None,
        )
        stack.callback(self._abandon)

    def write(self, frame: Picture) -> None:
        assert self._writer is not None  # noqa: S101 (opened before; narrows the type)
        self._writer.write(self._crop.cut(frame))

    def finish_at(self, index: int, notify: Notify) -> bool:
        """Complete the file if the segment ends before frame ``index``; return True if it does."""
        if self._writer is None or self.segment.stop != index:
            return False
        self._writer.finish()
        for warning in self._writer.warnings:
            notify(f"{self._path}: {warning}")
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
    """A file name for ffmpeg: neither an option nor a protocol."""
    name = str(path)
    return f"file:{name}" if name.startswith("-") or ":" in name else name
