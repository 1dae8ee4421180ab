"""Two folders of videos, real ones and those that any program made of them, as clips to measure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from ...data.store import identity_of
from ...data.stores import VIDEO_ENDINGS
from ...errors import DataError, quoted
from ...media.probe import MediaInfo
from ...media.video import VideoReader, open_video, probe
from ...pipelines.frames import to_tensor
from ..measure import Shot
from ..metric import ClipFacts

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
    """Pairs of videos with one name, sorted, and a line for each that has no counterpart.

    Args:
        real: a folder, or one video.
        made: likewise, one for each program.

    Raises:
        DataError: if a folder is not there, or no two names agree.
    """
    if real.is_file() and all(path.is_file() for path in made):
        return [Pair(real.stem, real, {path.stem: path for path in made})], []
    programs = dict(zip(_labels(made), map(_videos, made), strict=True))
    originals = _videos(real)
    pairs, notes = [], []
    for name, file in originals.items():
        found = {program: files[name] for program, files in programs.items() if name in files}
        if found:
            pairs.append(Pair(name, file, found))
        notes += [f"{name}: {program} has no such video" for program in programs if program not in found]
    for program, files in programs.items():
        notes += [f"{name}: only {program} has it" for name in files if name not in originals]
    if not pairs:
        some = ", ".join([*list(originals)[:2], *list(next(iter(programs.values())))[:2]])
        cure = f"Give the made videos the names of the real ones. There are: {some}."
        raise DataError("no two videos have one name", where=made[0], cure=cure)
    return pairs, notes


def shots_of(pairs: Sequence[Pair], size: int | None, most_frames: int | None) -> list[tuple[str, Callable[[], Shot]]]:
    """The pairs as clips to measure, opened when they are asked for.

    Args:
        size: side of the central squares that are measured; None: whole frames at the size of the made ones.
        most_frames: of each clip.
    """
    return [(pair.name, partial(_shot, pair, size, most_frames)) for pair in pairs]


def _videos(folder: Path) -> dict[str, Path]:
    """Videos below a folder by name; a folder that holds pictures alone is one video."""
    if not folder.is_dir():
        raise DataError("no such folder of videos", where=folder)
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in VIDEO_ENDINGS and file.is_file())
    named: dict[str, Path] = {}
    for file in files:
        first = named.setdefault(file.relative_to(folder).with_suffix("").as_posix(), file)
        if first != file:
            what = f"two videos have one name: {quoted(first.name)} and {quoted(file.name)}"
            raise DataError(what, where=file.parent, cure="Rename one, or take it out of the folder.")
    return named


def _labels(folders: Sequence[Path]) -> list[str]:
    """Short names of folders, all different."""
    names = [folder.resolve().name or "made" for folder in folders]
    return [f"{name} ({place})" if names.count(name) > 1 else name for place, name in enumerate(names, 1)]


def _shot(pair: Pair, size: int | None, most_frames: int | None) -> Shot:
    real = probe(pair.real)
    made = {program: probe(file) for program, file in pair.made.items()}
    for info in (real, *made.values()):
        if not info.has_video or not info.fps:
            raise DataError("holds no video", where=info.path, cure="Take it out of the folder.")
    assert real.fps is not None  # noqa: S101 (checked above)
    readers = {program: _reader(info, real, size, made) for program, info in {"": real, **made}.items()}
    lengths = {name: reader.frames or 0 for name, reader in readers.items()}
    count = max(1, min(min(lengths.values()), most_frames or lengths[""]))
    streams = {name: FrameStream(reader, pair.made.get(name, pair.real)) for name, reader in readers.items()}
    first = streams[""].peek()
    sounds = [info.path if info.has_audio else None for info in (real, *made.values())]
    facts = ClipFacts(real.fps, first, sounds[0], sounds[1])
    lost = max(0, lengths[""] - min(lengths[name] for name in made)) / max(1, lengths[""])
    methods = {name: streams[name].take for name in made}
    return Shot(pair.name, identity_of(pair.name), count, facts, streams[""].take, methods, {"frames_lost": lost})


def _reader(info: MediaInfo, real: MediaInfo, size: int | None, made: Mapping[str, MediaInfo]) -> VideoReader:
    """A reader at the rate of the real video and one size for all."""
    shapes = [real, *made.values()]
    ratios = [shape.width / shape.height for shape in shapes]
    smallest = min(made.values(), key=lambda shape: shape.height)
    if size is not None or max(ratios) / min(ratios) > 1 + SAME_SHAPE:
        side = size or min(smallest.width, smallest.height)
        return open_video(info.path, fps=real.fps, size=(side, side), square=True)
    return open_video(info.path, fps=real.fps, size=(smallest.height, smallest.width))


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
