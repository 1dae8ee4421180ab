"""Frames that can be drawn from any of them on, and writing them from where an earlier run stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Protocol

from ..frames import Frame
from ..progress import SILENT, Progress


class Sink(Protocol):
    """Place where frames go, such as a :class:`~talkingface.media.writer.Writer`, with the same attributes."""

    found: int

    @property
    def frames(self) -> int: ...

    def goes_on_from(self, first: Frame) -> int: ...

    def write(self, frame: Frame) -> None: ...


@dataclass(frozen=True)
class Drawing:
    """The frames of a result, drawn as they are asked for.

    Attributes:
        begin: number of a frame -> that frame, (H, W, 3), uint8, and all after it.
        length: how many there are; None: nobody knows, and the drawing cannot be kept.
        step: name of this work for progress.
        progress: shows how far it is.
    """

    begin: Callable[[int], Iterator[Frame]]
    length: int | None = None
    step: str = "render"
    progress: Progress = SILENT

    @classmethod
    def of(cls, frames: Iterable[Frame]) -> Drawing:
        """Drawing of frames that come once."""
        return cls(lambda first: islice(iter(frames), first, None))

    def pour(self, sinks: Sequence[Sink]) -> None:
        """Write the frames into all sinks, each from where an earlier run stopped.

        The first frame is drawn in any case, so that what was kept can be compared with it.
        """
        start, frames = 0, self.begin(0)
        if any(sink.found for sink in sinks):
            frames, start = self._from_stop(frames, sinks)
        left = None if self.length is None else self.length - start
        for number, frame in enumerate(self.progress.track(frames, self.step, left), start):
            for sink in sinks:
                if number >= sink.frames:
                    sink.write(frame)

    def _from_stop(self, frames: Iterator[Frame], sinks: Sequence[Sink]) -> tuple[Iterator[Frame], int]:
        """Return the frames from the first that a sink lacks on, and its number."""
        first = next(frames)
        start = min(sink.goes_on_from(first) for sink in sinks)
        if start == 0:
            self.progress.note(f"{self.step}: what an earlier run kept begins with another frame and is not used")
            return chain([first], frames), 0
        self.progress.note(f"{self.step}: going on from frame {start} of {self.length}")
        return self.begin(start) if start != self.length else iter(()), start
