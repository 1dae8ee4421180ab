"""What the steps work on: raw videos, the parts of them that a list names, and the clips that are cut out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SPLITS = ("train", "test")


@dataclass(frozen=True)
class Part:
    """A part of a video that a list names.

    Attributes:
        name: of the clips made from it, without the number behind it.
        start_s, end_s: place in the video, in seconds; None for its beginning and end.
        box: (left, top, right, bottom), the region to take as it is; None: faces are looked for.
        frame_height: height of the picture in which ``box`` is meant; None: the video's own.
        annotation: VoxCeleb txt file with a box for each frame, which tells whose face is meant.
    """

    name: str
    start_s: float | None = None
    end_s: float | None = None
    box: tuple[float, float, float, float] | None = None
    frame_height: int | None = None
    annotation: Path | None = None


@dataclass(frozen=True)
class Video:
    """A raw video.

    Attributes:
        name: unique among the videos; a file name without its ending.
        identity: the person seen.
        split: ``"train"`` or ``"test"``.
        path: where the file is, or will be once it is downloaded.
        url: where it comes from; empty for a file of the user's own.
        parts: what to take of it; empty: every face, from beginning to end.
    """

    name: str
    identity: str
    split: str
    path: Path
    url: str = ""
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Clip:
    """A cropped clip.

    Attributes:
        name: unique among the clips; begins with the identity and '#'.
        split: as that of its video.
        path: its video file, or its folder of pictures.
    """

    name: str
    split: str
    path: Path


Item = Video | Clip
