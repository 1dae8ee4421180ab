"""Two folders of videos, real ones and those that any program made of them, as clips to measure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from ...data.store import identity_of
from ...data.stores import VIDEO_ENDINGS, pictures
from ...errors import DataError, MediaError, quoted
from ...media.content import content_of
from ...media.frame_rate import DEFAULT_FPS
from ...media.probe import MediaInfo
from ...media.video import VideoReader, open_video, probe
from ...pipelines.frames import to_tensor
from ..measure import Shot
from ..metric import ClipFacts

ENDINGS = VIDEO_ENDINGS | {".3gp", ".flv", ".m2ts", ".mts", ".ogv", ".ts", ".vob", ".wmv"}
"""Endings of what counts as a video whatever it holds, so that one that cannot be read is told."""
SAME_SHAPE = 0.02
"""Difference of two aspect ratios that counts as none."""


@dataclass(frozen=True)
class Pair:
    """A real video and what programs made of it.

    Attributes:
        name: path below the folder, without its ending.
        real: the file, or a folder of pictures.
        made: by program.
    """

    name: str
    real: Path
    made: Mapping[str, Path]


def find_pairs(real: Path, made: Sequence[Path]) -> tuple[list[Pair], list[str]]:
    """Pairs of videos with one name, sorted, and a line for each that has no counterpart or cannot be read.

    Args:
        real: a folder, or one video.
        made: likewise, one for each program.

    Raises:
        DataError: if a folder is not there, or no two names agree.
    """
    notes: list[str] = []
    if real.is_file() and all(path.is_file() for path in made):
        return [Pair(real.stem, real, dict(zip(_labels([path.stem for path in made]), made, strict=True)))], notes
    labels = _labels([path.resolve().name or "made" for path in made])
    originals = _videos(real, notes)
    programs = dict(zip(labels, (_videos(path, notes) for path in made), strict=True))
    pairs = []
    for name, file in originals.items():
        found = {program: files[name] for program, files in programs.items() if name in files}
        if found:
            pairs.append(Pair(name, file, found))
        notes += [f"{name}: {program} has no such video" for program in programs if program not in found]
    for program, files in programs.items():
        notes += [f"{name}: only {program} has it" for name in files if name not in originals]
    if not pairs:
        some = ", ".join([*list(originals)[:2], *list(next(iter(programs.values())))[:2]])
        cure = f"Give the made videos the names of the real ones. There are: {some or 'no videos'}."
        raise DataError("no two videos have one name", where=made[0], cure=cure)
    return pairs, notes


def shots_of(pairs: Sequence[Pair], size: int | None, most_frames: int | None) -> list[tuple[str, Callable[[], Shot]]]:
    """The pairs as clips to measure, opened when they are asked for.

    Args:
        size: side of the central squares that are measured; None: whole frames at the size of the made ones.
        most_frames: of each clip.
    """
    return [(pair.name, partial(_shot, pair, size, most_frames)) for pair in pairs]


def _videos(folder: Path, notes: list[str]) -> dict[str, Path]:
    """Videos below a folder by name; a folder that holds pictures alone is one. What is left out gets a note."""
    if not folder.is_dir():
        raise DataError("no such folder of videos", where=folder)
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder)
        if any(part.startswith(".") for part in inner.parts) or not _is_video(path):
            continue
        if (fault := _fault(path)) is not None:
            notes.append(f"{inner.as_posix()} of {folder.name}: left out, {fault}")
            continue
        first = found.setdefault((inner if path.is_dir() else inner.with_suffix("")).as_posix(), path)
        if first != path:
            what = f"two videos have one name: {quoted(first.name)} and {quoted(path.name)}"
            raise DataError(what, where=path.parent, cure="Rename one, or take it out of the folder.")
    return found


def _is_video(path: Path) -> bool:
    if path.is_dir():
        return bool(pictures(path))
    return path.suffix.lower() in ENDINGS or content_of(path) in ("film", "webp", "apng")


def _fault(path: Path) -> str | None:
    """Reason why a video cannot be measured; None if it can."""
    try:
        info = probe(path)
    except MediaError as error:
        return error.what
    return None if info.has_video and info.fps else "holds no video"


def _labels(names: Sequence[str]) -> list[str]:
    """Names of programs, all different: those that come twice get a number."""
    return [f"{name} ({place})" if names.count(name) > 1 else name for place, name in enumerate(names, 1)]


def _shot(pair: Pair, size: int | None, most_frames: int | None) -> Shot:
    real = probe(pair.real)
    made = {program: probe(file) for program, file in pair.made.items()}
    fps = _rate(real, made)
    readers = {program: _reader(info, fps, real, size, made) for program, info in {"": real, **made}.items()}
    lengths = {name: reader.frames or 0 for name, reader in readers.items()}
    count = max(1, min(min(lengths.values()), most_frames or lengths[""]))
    streams = {name: FrameStream(reader, pair.made.get(name, pair.real)) for name, reader in readers.items()}
    first = streams[""].peek()
    sounds = {name: info.path for name, info in made.items() if info.has_audio}
    facts = ClipFacts(fps, first, real.path if real.has_audio else None)
    lost = {name: {"frames_lost": max(0, lengths[""] - lengths[name]) / max(1, lengths[""])} for name in made}
    methods = {name: streams[name].take for name in made}
    return Shot(pair.name, identity_of(pair.name), count, facts, streams[""].take, methods, lost, sounds)


def _rate(real: MediaInfo, made: Mapping[str, MediaInfo]) -> Fraction:
    """Frames per second of the real video; folders of pictures do not know theirs, so that of a made one."""
    known = [info.fps for info in (real, *made.values()) if info.fps and not info.path.is_dir()]
    return known[0] if known else DEFAULT_FPS


def _reader(
    info: MediaInfo, fps: Fraction, real: MediaInfo, size: int | None, made: Mapping[str, MediaInfo]
) -> VideoReader:
    """A reader at one rate and one size for all."""
    shapes = [real, *made.values()]
    ratios = [shape.width / shape.height for shape in shapes]
    smallest = min(made.values(), key=lambda shape: shape.height)
    if size is not None or max(ratios) / min(ratios) > 1 + SAME_SHAPE:
        side = size or min(smallest.width, smallest.height)
        return open_video(info.path, fps=fps, size=(side, side), square=True)
    return open_video(info.path, fps=fps, size=(smallest.height, smallest.width))


class FrameStream:
    """Frames of a video, taken in order; the last one stands for those that are missing at the end."""

    def __init__(self, reader: VideoReader, path: Path) -> None:
        self._path = path
        self._last: Tensor | None = None
        self._frames = self._all(reader)
        self._waiting: list[Tensor] = []

    def peek(self) -> Tensor:
        """The first frame (1, 3, H, W) in [0, 1], which comes again."""
        self._waiting = [self._next()]
        return self._waiting[0]

    def take(self, chosen: slice) -> Tensor:
        """The next frames (n, 3, H, W) in [0, 1], as many as the slice has."""
        count = chosen.stop - chosen.start
        frames = [self._waiting.pop() if self._waiting else self._next() for _ in range(count)]
        return torch.cat(frames)

    def _next(self) -> Tensor:
        frame = next(self._frames, self._last)
        if frame is None:
            raise DataError("no frame could be read", where=self._path)
        self._last = frame
        return frame

    @staticmethod
    def _all(reader: VideoReader) -> Iterator[Tensor]:
        with reader:
            for picture in reader:
                yield to_tensor([picture], "cpu")
