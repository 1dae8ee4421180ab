"""What a driver does: made once, and kept for all sources."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import repeat
from pathlib import Path

from ..face.crop.crop import Crop
from ..face.crop.framing import Size
from ..face.face import Face
from ..face.track.track import Track
from ..types import Motion, Source
from .cut import CutFrames
from .frames import Frame


@dataclass(frozen=True, eq=False, kw_only=True)
class Driven(ABC):
    """A driver's doing.

    Attributes:
        path: of the file, see :class:`~talkingface.pipelines.roles.Role`.
        notes: what the user should know, for example about a truncated tail.
        elapsed_s: how long it took.
    """

    path: Path
    notes: tuple[str, ...]
    elapsed_s: float

    @property
    @abstractmethod
    def length(self) -> int:
        """Frames of the motion."""

    @property
    @abstractmethod
    def rate(self) -> Fraction:
        """Frames per second of the motion, which are those of the result."""

    @abstractmethod
    def motion_for(self, seen: Source) -> Motion:
        """The motion for a source, `length` frames at `rate`, before it is fitted to that."""

    def frames(self, size: Size, count: int) -> Iterator[Frame] | None:
        """``count`` driving frames, read again; the last one is held where there are fewer.

        Args:
            size: (height, width) of what comes out.

        Returns:
            None where there is nothing to look at.
        """
        return None


@dataclass(frozen=True, eq=False, kw_only=True)
class Recorded(Driven):
    """The motion of a video, or a saved one; the same for every source.

    Attributes:
        motion: one entry per frame.
        crop: the part of the frames that was looked at; None for a motion file, which has none.
        fps: the rate at which the frames are read; None is their own.
        face: the first that is seen, in pixels of the full frame; None where there is none, or no frames.
        start: number of the frame in which it is.
        track: the face in the full frames; None where there is none, no frames, or nobody will look at it.
    """

    motion: Motion
    crop: Crop | None = None
    fps: Fraction | None = None
    face: Face | None = None
    start: int = 0
    track: Track | None = None

    @property
    def length(self) -> int:
        return len(self.motion)

    @property
    def rate(self) -> Fraction:
        return self.motion.fps

    def motion_for(self, seen: Source) -> Motion:
        return self.motion

    def frames(self, size: Size, count: int) -> Iterator[Frame] | None:
        return None if self.crop is None else self._read(self.crop.resized(size), count)

    def _read(self, crop: Crop, count: int) -> Iterator[Frame]:
        last: Frame | None = None
        with CutFrames(self.path, crop, fps=self.fps, frame_limit=count) as frames:
            for last in frames:
                yield last
                count -= 1
        yield from repeat(last, count) if last is not None else ()
