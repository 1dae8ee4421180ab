"""Videos to prepare and the parts to cut out: lists of published data sets, or a folder of the user's own videos."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ....errors import ConfigError, DataError, quoted
from ....part_files import PREFIX
from ....paths import inside, plain_name
from ....text.lists import Row, read_lines
from ...store import identity_of
from ...stores import VIDEO_ENDINGS
from ..items import SPLITS, Video, VideoPart
from ..settings import PrepareSettings
from . import vox

_URLS, _TIMES, _CROPS, _HEIGHTS = "_video_url.txt", "_annotion_time.txt", "_crop_wh.txt", "_resolution.txt"
_AGAIN = "Fetch the whole folder HDTF_dataset."
_LONGEST_S = 10**6  # a video of eleven days
_UNNAMED = "RD"  # radio shows: the names are not those of people


def is_hdtf(folder: Path) -> bool:
    """True if a folder holds the lists of HDTF."""
    return folder.is_dir() and next(folder.glob(f"*{_URLS}"), None) is not None


def from_hdtf(folder: Path, raw: Path, local: Mapping[str, Path]) -> list[Video]:
    """Read the lists of HDTF: a video for each address with time ranges, with a part for each range with a crop.

    As published, ranges without a crop are left out (their authors found them noisy). The lists have no splits.

    Args:
        folder: folder ``HDTF_dataset``.
        raw: folder of the raw videos.
        local: existing raw videos, by name without ending.

    Raises:
        DataError, PathError: if a file is missing or a line is malformed.
    """
    listed = []
    for urls in sorted(folder.glob(f"*{_URLS}")):
        subset = urls.name.removesuffix(_URLS)
        times, crops = _table(inside(folder, f"{subset}{_TIMES}")), _table(inside(folder, f"{subset}{_CROPS}"))
        heights = _table(inside(folder, f"{subset}{_HEIGHTS}"), needed=False)
        for name, row in _table(urls).items():
            identity = _identity(subset, name)
            height = _height(heights[name]) if name in heights else None
            parts = _parts(f"{identity}#{name}", times[name], crops, height) if name in times else ()
            if parts:
                path = next((local[stem] for stem in (f"{subset}_{name}", name) if stem in local), None)
                path = path or inside(raw, f"{subset}_{name}.mp4")
                listed.append(Video(f"{identity}#{name}", identity, "", path, _url(row), parts))
    return listed


def _parts(full: str, times: Row, crops: Mapping[str, Row], height: int | None) -> tuple[VideoPart, ...]:
    parts = []
    for index, words in enumerate(times.words[1:]):
        crop = crops.get(f"{_name(times)}_{index}")
        if crop is not None:
            start, end = _range(times, words)
            parts.append(VideoPart(f"{full}#{index:03d}", start, end, _box(crop), height))
    return tuple(parts)


def _url(row: Row) -> str:
    if not row.words[1].startswith(("https://", "http://")):
        raise row.fault(f"{quoted(row.words[1])} is not a web address", _AGAIN)
    return row.words[1]


def _height(row: Row) -> int:
    return row.whole(row.words[1], "the height of the video", 1, vox.FARTHEST)


def _box(row: Row) -> tuple[float, float, float, float]:
    """Left, top, right and bottom, of left, width, top and height."""
    if len(row.words) < 5:
        raise row.fault(f"{len(row.words) - 1} numbers, a crop has 4", _AGAIN)
    left, width, top, tall = (row.number(word, "a crop's number", 0, vox.FARTHEST) for word in row.words[1:5])
    return left, top, left + width, top + tall


def _range(row: Row, words: str) -> tuple[float, float]:
    """Seconds of a range such as "00:05-02:55"."""
    start, dash, end = words.partition("-")
    if not dash:
        raise row.fault(f"{quoted(words, 40)} is no range such as 00:05-02:55", _AGAIN)
    return _seconds(row, start), _seconds(row, end)


def _identity(subset: str, name: str) -> str:
    """Identity: a name without the number at its end; a radio show, whose people are unknown, is its own identity."""
    return f"{subset}_{name}" if subset == _UNNAMED else re.sub(r"\d+$", "", name) or name


def _seconds(row: Row, clock: str) -> float:
    """Seconds of "02:55" or "1:02:55"."""
    parts = clock.split(":")
    if len(parts) > 3:
        raise row.fault(f"{quoted(clock, 40)} is no time such as 1:02:55", _AGAIN)
    total = 0.0
    for part in parts:
        total = 60 * total + row.number(part, "a time", 0, _LONGEST_S)
    return total


def _name(row: Row) -> str:
    """Name of the video of a line, or of a part of it."""
    return plain_name(row.words[0].removesuffix(".mp4"), "video", where=row.where, banned="#")


def _table(path: Path, *, needed: bool = True) -> dict[str, Row]:
    """Read a table: first word of a line without ``.mp4`` -> the line; lines of one word say nothing."""
    if not path.is_file():
        if needed:
            raise DataError("this file of the list is missing", where=path, cure=_AGAIN)
        return {}
    return {_name(row): row for row in read_lines(path) if len(row.words) > 1}


def videos(settings: PrepareSettings) -> list[Video]:
    """Find all videos to prepare, sorted by name; depends on the list and the raw folder only, not on earlier runs.

    Raises:
        ConfigError: if no raw folder is given.
        DataError: if the list cannot be read, is empty, two videos have the same name, or an identity is in two
            splits.
    """
    if settings.raw is None:
        cure = "Give --raw=DIR, the folder of the videos (or where they are downloaded to)."
        raise ConfigError("preparation needs raw videos", where="--run_mode=prepare", cure=cure)
    if settings.list is None:
        selected = own_videos(settings.raw, settings.test_share)
    else:
        selected = _listed(settings.list, settings.raw, settings)
    if settings.data_range is not None:
        selected = [video for video in selected if _in_range(video.identity, settings.data_range)]
    if not selected:
        raise DataError("no video is left to prepare", where=settings.list or settings.raw, cure=_hint(settings))
    check_names(selected)
    check_splits((video.identity, video.split) for video in selected)
    return sorted(selected, key=lambda video: video.name)


def own_videos(raw: Path, test_share: float) -> list[Video]:
    """Find every video below a folder.

    Folders named ``train`` and ``test`` are splits; without them the split follows from the identity. The identity is
    the name of the (next) folder, or else the part of the file's name before the first '#' or '_'.
    """
    if not raw.is_dir():
        raise DataError("no such folder", where=raw, cure="Give the folder of the raw videos with --raw.")
    own = []
    for path in sorted(raw.rglob("*")):
        if path.suffix.lower() in VIDEO_ENDINGS and path.is_file() and not path.name.startswith(PREFIX):
            folders = list(path.relative_to(raw).parts[:-1])
            split = folders.pop(0) if folders and folders[0] in SPLITS else ""
            identity = plain(folders[0] if folders else identity_of(path.name))
            name = plain("_".join([*folders[1:], path.stem]).removeprefix(f"{identity}#"))
            split = split or split_of(identity, test_share)
            own.append(Video(f"{identity}#{name}", identity, split, path))
    return own


def split_of(identity: str, test_share: float) -> str:
    """Split of an identity that no list assigns: by its hash, so that it does not change when others are added."""
    number = int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8], "big")
    return "test" if number < test_share * 2**64 else "train"


def plain(name: str) -> str:
    """Convert text to a part of a clip's name: without '#', which separates parts, dots and white space."""
    return "_".join(re.sub(r"[#.\s]+", " ", name).split())


def check_names(listed: Sequence[Video]) -> None:
    """Raise DataError if two videos have the same name."""
    by_name: dict[str, list[Path]] = defaultdict(list)
    for video in listed:
        by_name[video.name].append(video.path)
    double = [(name, paths) for name, paths in by_name.items() if len(paths) > 1]
    if double:
        name, paths = double[0]
        cure = "Rename or remove one of them."
        raise DataError(f"{len(paths)} videos have the name '{name}'", where=" and ".join(map(str, paths)), cure=cure)


def check_splits(of_identities: Iterable[tuple[str, str]]) -> None:
    """Raise DataError if an identity is in two splits: a model would be tested on people of its training data.

    Args:
        of_identities: (identity, split) of each video or clip.
    """
    splits: dict[str, set[str]] = defaultdict(set)
    for identity, split in of_identities:
        splits[identity].add(split)
    crossing = sorted(identity for identity, names in splits.items() if len(names) > 1)
    if crossing:
        shown = ", ".join(crossing[:5]) + (", ..." if len(crossing) > 5 else "")
        raise DataError(
            f"{len(crossing)} identities are in both train and test: {shown}",
            cure="Put all videos of a person into one split.",
        )


def _listed(path: Path, raw: Path, settings: PrepareSettings) -> list[Video]:
    local = _local(raw)
    if path.is_file():
        listed = vox.from_metadata(path, raw, local)
    elif is_hdtf(path):
        listed = from_hdtf(path, raw, local)
    elif vox.is_annotations(path):
        listed = vox.from_annotations(path, raw, local, settings.dataset_version)
    else:
        cure = (
            "Give a folder with id00001/<video>/00001.txt (VoxCeleb), a vox-metadata.csv, or the folder HDTF_dataset."
        )
        raise DataError("this is no list of videos that is known here", where=path, cure=cure)
    return [
        video if video.split else Video(**{**video.__dict__, "split": split_of(video.identity, settings.test_share)})
        for video in listed
    ]


def _local(raw: Path) -> dict[str, Path]:
    """Existing raw videos, by name without ending."""
    paths = raw.rglob("*") if raw.is_dir() else ()
    return {
        path.stem: path
        for path in sorted(paths)
        if path.suffix.lower() in VIDEO_ENDINGS and path.is_file() and not path.name.startswith(PREFIX)
    }


def _in_range(identity: str, data_range: str) -> bool:
    first, last = map(int, data_range.split("-"))
    digits = "".join(filter(str.isdecimal, identity))
    return bool(digits) and first <= int(digits) < last


def _hint(settings: PrepareSettings) -> str:
    if settings.data_range is not None:
        return f"--data_range={settings.data_range} may leave nothing (the end is not part of it)."
    return f"Videos end in {', '.join(sorted(VIDEO_ENDINGS))}."
