"""Which videos there are and what is taken of them: lists of published data sets, or a folder of one's own videos."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from ...errors import ConfigError, DataError
from ..clips import VIDEO_ENDINGS
from ..store import identity_of
from . import hdtf, vox
from .files import PART
from .items import SPLITS, Video
from .settings import PrepareSettings


def videos(settings: PrepareSettings) -> list[Video]:
    """All videos, sorted by name; the same for the same list and raw folder, whatever has been done before.

    Raises:
        ConfigError: if no raw folder is given.
        DataError: if the list cannot be read, nothing is in it, two videos have one name, or an identity is in two
            splits.
    """
    if settings.raw is None:
        cure = "Give --raw=DIR, the folder of the videos (or where they are downloaded to)."
        raise ConfigError("preparation needs raw videos", where="--run_mode=prepare", cure=cure)
    if settings.list is None:
        found = own_videos(settings.raw, settings.test_share)
    else:
        found = _listed(settings.list, settings.raw, settings)
    if settings.data_range is not None:
        found = [video for video in found if _in_range(video.identity, settings.data_range)]
    if not found:
        raise DataError(
            "no video is left to prepare", where=settings.list or settings.raw, cure=_what_is_there(settings)
        )
    check_names(found)
    check_splits((video.identity, video.split) for video in found)
    return sorted(found, key=lambda video: video.name)


def own_videos(raw: Path, test_share: float) -> list[Video]:
    """Every video below a folder.

    Folders named ``train`` and ``test`` say the split; else it follows from the identity. The identity is the (next)
    folder's name, or else what stands before the first '#' or '_' of the file's name.
    """
    if not raw.is_dir():
        raise DataError("no such folder", where=raw, cure="Give the folder of the raw videos with --raw.")
    found = []
    for path in sorted(raw.rglob("*")):
        if path.suffix.lower() in VIDEO_ENDINGS and path.is_file() and not path.name.startswith(PART):
            folders = list(path.relative_to(raw).parts[:-1])
            split = folders.pop(0) if folders and folders[0] in SPLITS else ""
            identity = plain(folders[0] if folders else identity_of(path.name))
            name = plain("_".join([*folders[1:], path.stem]).removeprefix(f"{identity}#"))
            split = split or split_of(identity, test_share)
            found.append(Video(f"{identity}#{name}", identity, split, path))
    return found


def split_of(identity: str, test_share: float) -> str:
    """Split of an identity that no list places: by its hash, so that it stays where it is when others come."""
    number = int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8], "big")
    return "test" if number < test_share * 2**64 else "train"


def plain(name: str) -> str:
    """A name that can be part of a clip's: '#' separates those, a dot begins an ending, a list has one to a line."""
    return "_".join(re.sub(r"[#.\s]+", " ", name).split())


def check_names(found: Sequence[Video]) -> None:
    """Raise DataError if two videos have one name."""
    by_name: dict[str, list[Path]] = defaultdict(list)
    for video in found:
        by_name[video.name].append(video.path)
    double = [(name, paths) for name, paths in by_name.items() if len(paths) > 1]
    if double:
        name, paths = double[0]
        cure = "Rename or remove one of them."
        raise DataError(f"{len(paths)} videos have the name '{name}'", where=" and ".join(map(str, paths)), cure=cure)


def check_splits(of_identities: Iterable[tuple[str, str]]) -> None:
    """Raise DataError if an identity is in two splits: a model would be tested on people it has learned.

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
    elif hdtf.is_list(path):
        listed = hdtf.from_folder(path, raw, local)
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
    """Videos that are there already, by name without ending."""
    paths = raw.rglob("*") if raw.is_dir() else ()
    return {
        path.stem: path
        for path in sorted(paths)
        if path.suffix.lower() in VIDEO_ENDINGS and path.is_file() and not path.name.startswith(PART)
    }


def _in_range(identity: str, data_range: str) -> bool:
    first, last = map(int, data_range.split("-"))
    digits = "".join(filter(str.isdecimal, identity))
    return bool(digits) and first <= int(digits) < last


def _what_is_there(settings: PrepareSettings) -> str:
    if settings.data_range is not None:
        return f"--data_range={settings.data_range} may leave nothing (the end is not part of it)."
    return f"Videos end in {', '.join(sorted(VIDEO_ENDINGS))}."
