"""The list of HDTF: for each subset (RD, WDA, WRA) text files with addresses, times and places of the faces.

``*_video_url.txt``: name, address. ``*_annotion_time.txt`` (so spelt): ``name.mp4 00:05-02:55 03:30-03:50``.
``*_crop_wh.txt``: ``name_0.mp4 left width top height`` for clip 0, in pixels of a picture whose height is in
``*_resolution.txt``. (github.com/MRzzm/HDTF, README.)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from ...errors import DataError
from .items import Part, Video

_URLS, _TIMES, _CROPS, _HEIGHTS = "_video_url.txt", "_annotion_time.txt", "_crop_wh.txt", "_resolution.txt"
_UNNAMED = "RD"  # radio shows: the names are not those of people


def is_list(folder: Path) -> bool:
    """Whether a folder is such a list."""
    return folder.is_dir() and next(folder.glob(f"*{_URLS}"), None) is not None


def from_folder(folder: Path, raw: Path, local: Mapping[str, Path]) -> list[Video]:
    """A video for each address that has times, with a part for each time that has a place.

    As published, parts without a place are left out (their authors found them noisy). The list has no splits.

    Raises:
        DataError: if a file is missing or a line is no such line.
    """
    found = []
    for urls in sorted(folder.glob(f"*{_URLS}")):
        subset = urls.name.removesuffix(_URLS)
        times, crops = _table(folder / f"{subset}{_TIMES}"), _table(folder / f"{subset}{_CROPS}")
        heights = _table(folder / f"{subset}{_HEIGHTS}", needed=False)
        for name, (url, *_) in _table(urls).items():
            identity = _identity(subset, name)
            height = int(heights[name][0]) if heights.get(name) else None
            parts = _parts(f"{identity}#{name}", name, times.get(name, []), crops, height, folder / f"{subset}{_TIMES}")
            if parts:
                path = next((local[stem] for stem in (f"{subset}_{name}", name) if stem in local), None)
                path = path or raw / f"{subset}_{name}.mp4"
                found.append(Video(f"{identity}#{name}", identity, "", path, url, parts))
    return found


def _parts(
    full: str, name: str, times: list[str], crops: Mapping[str, list[str]], height: int | None, where: Path
) -> tuple[Part, ...]:
    parts = []
    for index, words in enumerate(times):
        crop = crops.get(f"{name}_{index}")
        if crop is None:
            continue
        try:
            start, end = map(_seconds, words.split("-"))
            left, width, top, tall = map(float, crop[:4])
        except ValueError as error:
            raise DataError(f"'{name}' cannot be understood ({error})", where=where) from error
        parts.append(Part(f"{full}#{index:03d}", start, end, (left, top, left + width, top + tall), height))
    return tuple(parts)


def _identity(subset: str, name: str) -> str:
    """The person: a name without the number behind it; a show of which nothing is known stands for itself."""
    return f"{subset}_{name}" if subset == _UNNAMED else re.sub(r"\d+$", "", name) or name


def _seconds(clock: str) -> float:
    """Seconds of "02:55" or "1:02:55"."""
    total = 0.0
    for part in clock.split(":"):
        total = 60 * total + float(part)
    return total


def _table(path: Path, *, needed: bool = True) -> dict[str, list[str]]:
    """First word without ``.mp4`` -> the other words of the line."""
    if not path.is_file():
        if needed:
            raise DataError("this file of the list is missing", where=path, cure="Fetch the whole folder HDTF_dataset.")
        return {}
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    return {words[0].removesuffix(".mp4"): words[1:] for words in lines if len(words) > 1}
