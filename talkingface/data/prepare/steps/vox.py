"""Lists of VoxCeleb: the annotations of the data set itself, and the table of crops that was published with FOM.

Annotations are folders ``id10001/<video>/00001.txt``: a few lines of heading, then a table FRAME X Y W H with a face's
box for each frame at 25 frames/s. VoxCeleb 1 gives it in pixels of a picture 360 pixels high, VoxCeleb 2 as fractions
of the picture's width and height. (robots.ox.ac.uk/~vgg/data/voxceleb; the conventions are those of the public
video-preprocessing scripts of FOM.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ....errors import DataError, quoted
from ....paths import inside, plain_name
from ....text.lists import HIGHEST_FPS, Row, read_lines, read_table
from ..items import SPLITS, Video, VideoPart

FPS = 25
HEIGHT_V1 = 360
ADDRESS = "https://www.youtube.com/watch?v="
_COLUMNS = ("video_id", "start", "end", "bbox", "fps", "width", "height")
_HEADING = ("FRAME", "X", "Y", "W", "H")
FARTHEST = 10**6  # pixels; no frame is that wide
LAST_FRAME = 10**8  # a month at 30 frames/s
_TEST_V1 = range(10270, 10310)
# The people of VoxCeleb 2's own test part.
_TEST_V2 = """
17 61 81 154 419 562 812 817 866 926 1000 1041 1066 1106 1224 1228 1298 1333 1437 1460 1509 1541 1567 1593 1618
1822 1892 1989 2019 2057 2086 2181 2317 2445 2465 2542 2548 2576 2577 2685 2725 2745 3030 3041 3127 3178 3347
3524 3677 3789 3839 3862 3969 3978 3980 3981 4006 4030 4094 4119 4232 4253 4276 4295 4366 4478 4536 4570 4627
4656 4657 4862 4950 5015 5055 5124 5176 5202 5459 5594 5654 5714 5816 5850 5999 6104 6209 6310 6484 6692 6811
6816 6913 7312 7354 7396 7414 7426 7494 7620 7621 7663 7802 7868 7874 7961 8149 8374 8392 8456 8548 8552 8696
8701 8911 9017
"""


@dataclass(frozen=True)
class Annotation:
    """Boxes of one face over a part of a video.

    Attributes:
        frames: (T,), numbers of the frames at 25 frames/s.
        boxes: (T, 4), left, top, right, bottom as fractions of the picture's height (x too).
    """

    frames: NDArray[np.int64]
    boxes: NDArray[np.float64]


def is_annotations(folder: Path) -> bool:
    """True if a folder holds annotations of VoxCeleb."""
    return folder.is_dir() and next(_root(folder).glob("*/*/*.txt"), None) is not None


def from_annotations(folder: Path, raw: Path, local: Mapping[str, Path], version: int) -> list[Video]:
    """Read a folder of annotations: a video for each ``id*/<video>``, with a part for each of its files."""
    listed = []
    for home in sorted(path for path in _root(folder).glob("*/*") if path.is_dir()):
        identity, name = home.parent.name, home.name
        parts = tuple(
            VideoPart(f"{identity}#{name}#{file.stem}", annotation=file.absolute())
            for file in sorted(home.glob("*.txt"))
        )
        if parts:
            listed.append(_video(identity, name, split_of(identity, version), raw, local, parts))
    return listed


def from_metadata(table: Path, raw: Path, local: Mapping[str, Path]) -> list[Video]:
    """Read a ``vox-metadata.csv``: a video for each video and person, with a part of fixed box for each line.

    Older tables have the person after a '#' in ``video_id`` instead of a column ``person_id``.

    Raises:
        DataError, PathError: if a column is missing or a line is malformed.
    """
    grouped: dict[tuple[str, str, str], list[VideoPart]] = {}
    for row in read_table(table, _COLUMNS):
        key, part = _part(row)
        grouped.setdefault(key, []).append(part)
    return [
        _video(identity, name, split, raw, local, tuple(sorted(set(parts), key=lambda part: part.name)))
        for (identity, name, split), parts in grouped.items()
    ]


def read_annotation(path: Path, version: int, width: int, height: int) -> Annotation:
    """Read one annotation file.

    Args:
        path: the file.
        version: version of VoxCeleb, 1 or 2.
        width, height: size of the video in pixels.

    Raises:
        DataError: if the file is no annotation.
    """
    lines = read_lines(path)
    heading = next((index for index, row in enumerate(lines) if row.words == _HEADING), len(lines))
    rows = [_numbers(row) for row in lines[heading + 1 :]]
    if not rows:
        raise DataError("no table FRAME X Y W H", where=path, cure="Fetch the annotations again.")
    table = np.array(rows)
    frames, (x, y, w, h) = table[:, 0].astype(np.int64), table[:, 1:].T
    across, down = (1 / HEIGHT_V1, 1 / HEIGHT_V1) if version == 1 else (width / height, 1.0)
    boxes = np.stack([x * across, y * down, (x + w) * across, (y + h) * down], axis=1)
    return Annotation(frames, boxes)


def _numbers(row: Row) -> list[float]:
    """Frame and box of a line of an annotation."""
    if len(row.words) < len(_HEADING):
        raise row.fault(f"{len(row.words)} numbers, the table has {len(_HEADING)}", "Fetch the annotations again.")
    first, *box = row.words[: len(_HEADING)]
    edges = [row.number(word, "a number of the table", -FARTHEST, FARTHEST) for word in box]
    return [row.whole(first, "FRAME of the table", 0, LAST_FRAME), *edges]


def split_of(identity: str, version: int) -> str:
    """Split of a person as published with the data set."""
    number = int("".join(filter(str.isdecimal, identity)) or 0)
    testing = _TEST_V1 if version == 1 else {int(word) for word in _TEST_V2.split()}
    return "test" if number in testing else "train"


def _root(folder: Path) -> Path:
    """Folder of the people; the published archives have it inside a folder ``txt``."""
    return folder / "txt" if (folder / "txt").is_dir() else folder


def _video(
    identity: str, name: str, split: str, raw: Path, local: Mapping[str, Path], parts: tuple[VideoPart, ...]
) -> Video:
    path = local.get(name) or inside(raw, f"{name}.mp4")
    return Video(f"{identity}#{name}", identity, split, path, ADDRESS + name, parts)


def _part(row: Row) -> tuple[tuple[str, str, str], VideoPart]:
    """((identity, video, split), part) of a line."""
    name, _, person = row["video_id"].partition("#")
    name = plain_name(name, "video", where=row.where, banned="#")
    identity = plain_name(row["person_id"] or person or name, "identity", where=row.where, banned="#")
    split = split_named(row["partition"], row)
    start, end = (row.whole(row[column], column, 0, LAST_FRAME) for column in ("start", "end"))
    fps = row.number(row["fps"], "fps", 0.01, HIGHEST_FPS)
    left, top, right, bottom = _box(row)
    if not (end > start and right > left and bottom > top):
        raise row.fault("start, end or bbox are the wrong way round")
    part = VideoPart(
        f"{identity}#{name}#{start:06d}#{end:06d}",
        start / fps,
        end / fps,
        box=(left, top, right, bottom),
        frame_height=row.whole(row["height"], "height", 1, FARTHEST),
    )
    return (identity, name, split), part


def _box(row: Row) -> list[float]:
    words = row["bbox"].split("-")
    if len(words) != 4:
        raise row.fault(f"bbox is {quoted(row['bbox'], 40)}, not four numbers such as 10-20-300-310")
    return [row.number(word, "an edge of bbox", 0, FARTHEST) for word in words]


def split_named(word: str, row: Row) -> str:
    """Split that a line names; "" if it names none."""
    if word and word not in SPLITS:
        raise row.fault(f"the split {quoted(word)} is none of {', '.join(SPLITS)}", "Correct the list.")
    return word
