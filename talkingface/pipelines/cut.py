"""Frames of a video, cut as a crop says while they are read."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from types import TracebackType

from ..face.crop.crop import Crop
from ..face.crop.framing import Size, moved_to, within
from ..media.video import VideoReader, open_video, probe
from .frames import Frame

LOOKS, LOOK_EVERY = 3, 12  # frames of a video that are looked at in haste, and how many lie from one to the next


def picture_size(path: Path) -> Size:
    """(height, width) of the upright frames of a video, gif, folder of pictures or picture."""
    info = probe(path)
    return info.height, info.width


class CutFrames:
    """An open video whose frames come out as one crop of them; iterate as often as needed.

    A square of whole pixels is cut and scaled by the decoder. Otherwise the decoder at least reduces the frames to
    about the crop's scale, so that the cost of large videos stays small.

    Attributes:
        reader: the open video, with its rate, number of frames and warnings.
    """

    reader: VideoReader

    def __init__(self, path: Path, crop: Crop, *, fps: Fraction | None = None, frame_limit: int | None = None) -> None:
        """Open a video.

        Args:
            crop: part of its upright frames, and the size that it is cut at.
            fps, frame_limit: as for :func:`talkingface.media.video.open_video`.

        Raises:
            MediaError: if there is no video in it, or it cannot be read.
        """
        size = picture_size(path)
        square = within(crop, size)
        self._crop: Crop | None = None
        if square is not None:
            self.reader = open_video(path, fps=fps, frame_limit=frame_limit, size=crop.size, square=square)
            return
        reduction = max(1.0, crop.scale)
        reduced = max(1, round(size[0] / reduction)), max(1, round(size[1] / reduction))
        self._crop = moved_to(crop, size, reduced)
        self.reader = open_video(path, fps=fps, frame_limit=frame_limit, size=reduced)

    def __enter__(self) -> CutFrames:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.reader.close()

    def __iter__(self) -> Iterator[Frame]:
        for frame in self.reader:
            yield frame if self._crop is None else self._crop.cut(frame, border="edge")


def first_looks(path: Path) -> Iterator[Frame]:
    """A few frames from the beginning of a video."""
    with open_video(path, frame_limit=LOOKS * LOOK_EVERY) as frames:
        yield from islice(frames, 0, None, LOOK_EVERY)
