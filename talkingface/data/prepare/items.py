"""Items that the steps process: raw videos, the parts of them that a list names, and the clips cut out of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SPLITS = ("train", "test")


@dataclass(frozen=True)
class VideoPart:
    """A part of a video that a list names.

    Attributes:
        name: name of the clips made from it, without the number at their end.
        start_s, end_s: range in the video, in seconds; None for its beginning and end.
        box: (left, top, right, bottom), the fixed region to cut out; None: faces are detected.
        frame_height: height of the picture that ``box`` refers to, in pixels; None: that of the video.
        annotation: VoxCeleb txt file with the box of the right face for each frame.
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
        identity: the person shown.
        split: ``"train"`` or ``"test"``.
        path: the file, which may still have to be downloaded.
        url: address to download it from; empty for the user's own file.
        parts: parts to cut out; empty: every face, from beginning to end.
    """

    name: str
    identity: str
    split: str
    path: Path
    url: str = ""
    parts: tuple[VideoPart, ...] = ()


@dataclass(frozen=True)
class ClipFile:
    """File of a cropped clip.

    Attributes:
        name: unique among the clips; begins with the identity and '#'.
        split: split of its video.
        path: its video file, or its folder of pictures.
    """

    name: str
    split: str
    path: Path


Item = Video | ClipFile
