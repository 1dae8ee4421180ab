"""Stores of video files and of folders of pictures, and the choice of the store for a folder."""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..errors import DataError, quoted
from ..paths import inside
from ..text.lists import Row, read_table
from .lmdb.keys import is_lmdb
from .store import Clip, ClipStore, Frames, identity_of

PICTURE_ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp"})


class FrameStore(ClipStore):
    """Folders of pictures: ``root/clip/000000.png`` or, with a split, ``root/split/clip/000000.png``.

    Pictures are in natural order (2 before 10); other files in a folder are ignored. The identity is read from the
    folder's name (see :func:`talkingface.data.store.identity_of`).

    Args:
        root: folder of the clips.
        split: subfolder to read; ignored if there is none of that name.
    """

    def __init__(self, root: Path, split: str | None = None) -> None:
        self.root = root
        base = _of_split(root, split)
        folders = [folder for folder in sorted(base.rglob("*")) if folder.is_dir()]
        self._files = {folder.relative_to(root).as_posix(): pictures(folder) for folder in folders if pictures(folder)}
        self._clips = [Clip(name, identity_of(name), len(files)) for name, files in sorted(self._files.items())]

    def clips(self) -> list[Clip]:
        return list(self._clips)

    def sources(self) -> list[Path]:
        return [path for files in self._files.values() for path in files]

    def file(self, clip: Clip) -> Path:
        return self._files[clip.name][0].parent

    def frames(self, clip: Clip, indices: Sequence[int], size: int | None = None) -> Frames:
        files = self._files[clip.name]
        read = [_read(files[index], size) for index in indices]
        if len({picture.shape for picture in read}) > 1:
            raise DataError("pictures of a clip differ in size", where=self.file(clip))
        return np.stack(read)


def pictures(folder: Path) -> list[Path]:
    """Pictures directly in a folder, in natural order."""
    return sorted((path for path in folder.iterdir() if path.suffix.lower() in PICTURE_ENDINGS), key=_natural)


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sorting key that compares numbers as numbers."""
    parts = re.findall(r"\d+|\D+", path.name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


@lru_cache(maxsize=256)
def _read(path: Path, size: int | None) -> Frames:
    from ..media.image import center_square, read_image, resize

    picture = read_image(path)
    return picture if size is None else resize(center_square(picture), (size, size))


VIDEO_ENDINGS = frozenset({".mp4", ".m4v", ".mov", ".avi", ".mpg", ".mpeg", ".webm", ".mkv", ".gif"})
CLIP_LIST = "clips.csv"
_MOST_FRAMES = 10**9  # of a clip
_CACHE_BYTES = 512 * 2**20


class VideoStore(ClipStore):
    """Videos below a folder, listed in ``clips.csv`` if there is one.

    ``clips.csv`` has a line per clip with at least the columns ``file`` (path relative to the list) and, where known,
    ``split``, ``identity``, ``frames``, ``fps``, ``has_audio`` (0 or 1) and ``sync`` (``ok`` if sound and picture are
    in sync). Without a list the splits are the subfolders of that name, and the identity is read from the file name
    (see :func:`talkingface.data.store.identity_of`).

    Frames are decoded clip by clip and a few clips are cached, which suits sequential access. For random access
    convert the store with :func:`talkingface.data.preload.preload`.

    Args:
        root: folder of the videos.
        split: name of a split, None for everything.

    Raises:
        DataError: if no video is found, with the content of the folder.
    """

    def __init__(self, root: Path, split: str | None = None) -> None:
        self.root = root
        self._cache: OrderedDict[tuple[str, int | None], Frames] = OrderedDict()
        listed = (root / CLIP_LIST).is_file()
        clips = dict(_listed(root, split) if listed else _unlisted(root, split))
        self._clips = sorted(clips, key=lambda clip: clip.name)
        self._files = {clip.name: path for clip, path in clips.items()}

    def clips(self) -> list[Clip]:
        return list(self._clips)

    def sources(self) -> list[Path]:
        return [self.file(clip) for clip in self._clips]

    def frames(self, clip: Clip, indices: Sequence[int], size: int | None = None) -> Frames:
        decoded = self._decoded(clip, size)
        return decoded[np.minimum(np.asarray(indices), len(decoded) - 1)]

    def file(self, clip: Clip) -> Path:
        return self._files[clip.name]

    def whole(self, clip: Clip, size: int | None = None, limit: int | None = None) -> Frames:
        return _decode(self.file(clip), size, limit)

    def _decoded(self, clip: Clip, size: int | None) -> Frames:
        key = (clip.name, size)
        if key not in self._cache:
            self._cache[key] = _decode(self.file(clip), size, None)
            while len(self._cache) > 1 and sum(frames.nbytes for frames in self._cache.values()) > _CACHE_BYTES:
                self._cache.popitem(last=False)
        self._cache.move_to_end(key)
        return self._cache[key]


def video_files(folder: Path) -> list[Path]:
    """Videos directly in a folder, sorted."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in VIDEO_ENDINGS and path.is_file())


def _decode(path: Path, size: int | None, limit: int | None) -> Frames:
    """Decode the first ``limit`` frames of a file, (n, H, W, 3)."""
    from ..media.video import open_video

    with open_video(
        path, size=None if size is None else (size, size), square=size is not None, frame_limit=limit
    ) as reader:
        frames = list(reader)
    if not frames:
        raise DataError("no frame can be decoded", where=path, cure="Remove the clip or replace it.")
    return np.stack(frames)


def _of_split(root: Path, split: str | None) -> Path:
    """Subfolder with the name of a split if it exists, else the folder itself."""
    folder = inside(root, split) if split else root
    return folder if folder.is_dir() else root


def _listed(root: Path, split: str | None) -> Iterator[tuple[Clip, Path]]:
    """Clips of ``clips.csv`` and their files.

    Raises:
        DataError, PathError: if the list cannot be understood, names no clip of the split, or names one that is absent.
    """
    path = root / CLIP_LIST
    rows = read_table(path, ("file",))
    chosen = [row for row in rows if split is None or "split" not in row.columns or row["split"] == split]
    if not chosen:
        splits = ", ".join(sorted({row["split"] for row in rows}))
        raise DataError(f"no clip of split '{split}'", where=path, cure=f"Splits in the list: {splits}.")
    listed = [(row, inside(root, row["file"], where=row.where), _facts(row)) for row in chosen]
    missing = [row["file"] for row, file, _ in listed if not file.is_file()]
    if missing:
        raise DataError(f"{len(missing)} listed clips are missing, the first is {quoted(missing[0])}", where=path)
    for row, file, facts in listed:
        yield _clip(row, facts or _probed(file)), file


def _facts(row: Row) -> tuple[int, Fraction] | None:
    """Number of frames and frame rate, None where the line does not have both."""
    if not (row["frames"] and row["fps"]):
        return None
    return row.whole(row["frames"], "frames", 1, _MOST_FRAMES), row.rate(row["fps"], "fps")


def _clip(row: Row, facts: tuple[int, Fraction]) -> Clip:
    name = row["file"]
    has_audio = {"0": False, "1": True}.get(row["has_audio"])
    return Clip(name, row["identity"] or identity_of(name), *facts, has_audio, row["sync"])


def _unlisted(root: Path, split: str | None) -> Iterator[tuple[Clip, Path]]:
    """Clips and their files of a folder without a list, or of its subfolder with the name of the split if it exists."""
    folder = _of_split(root, split)
    files = video_files(folder)
    if not files and split is None:
        files = sorted(path for sub in sorted(root.iterdir()) if sub.is_dir() for path in video_files(sub))
    for path in files:
        name = path.relative_to(root).as_posix()
        yield Clip(name, identity_of(name), *_probed(path)), path


def _probed(path: Path) -> tuple[int, Fraction]:
    """Number of frames and frame rate of a video; decodes it if its container does not have the number."""
    from ..media.video import probe

    info = probe(path)
    if info.fps is None:
        raise DataError("no picture stream", where=path, cure="Remove the file from the data set.")
    if info.frames:
        return info.frames, info.fps
    return len(_decode(path, None, None)), info.fps


def open_store(
    root: Path | str,
    split: str | None = None,
    *,
    size: int | None = None,
    preload_size: int | None = None,
    preload_dir: Path | None = None,
) -> ClipStore:
    """Open a folder of videos (with or without ``clips.csv``), of folders of pictures, or an LMDB as a store.

    Args:
        root: the data set.
        split: ``"train"``, ``"test"``, ...: a value in ``clips.csv``, a subfolder, or the ``<split>_list.txt`` of an
            LMDB. None or "" takes everything.
        size: side in pixels of the frames that will be requested; selects the resolution of an LMDB.
        preload_size: decode everything once at this size into a file that is mapped to memory.
        preload_dir: folder of such files, None for the user's cache.

    Raises:
        DataError: if the folder is missing or holds no data set, with its content.
    """
    root = Path(root).expanduser()
    if not root.is_dir():
        raise DataError("no such folder", where=root, cure="Give the folder of the data set with --dataset.")
    store = _layout(root, split or None, preload_size if size is None else size)
    if not store.clips():
        raise DataError(
            f"no clips{f' of split {split!r}' if split else ''}", where=root, cure=f"Found {_contents(root)}."
        )
    if preload_size is None:
        return store
    from .preload import preload

    return preload(store, preload_size, preload_dir)


def _layout(root: Path, split: str | None, size: int | None) -> ClipStore:
    if is_lmdb(root):
        from .lmdb.store import LMDBStore

        return LMDBStore(root, split, size)
    base = _of_split(root, split)
    folders = [base, *(sub for sub in sorted(base.iterdir()) if sub.is_dir())]
    if (root / CLIP_LIST).is_file() or any(video_files(folder) for folder in folders):
        return VideoStore(root, split)
    return FrameStore(root, split)


def _contents(root: Path) -> str:
    """Summary of a folder's content, such as "3 folders, 2 .txt"."""
    counts = Counter("folders" if path.is_dir() else path.suffix or "files" for path in root.iterdir())
    content = ", ".join(f"{count} {kind}" for kind, count in counts.most_common(5)) or "nothing"
    return f"{content}; expected videos, {CLIP_LIST}, folders of png/jpg frames, or an LMDB (256/data.mdb)"
