"""Opens a data set, whatever its layout."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from ..errors import DataError
from .clips import CLIP_LIST, VideoStore, video_files
from .frames import FrameStore
from .lmdb_keys import is_lmdb
from .store import ClipStore


def open_store(
    root: Path | str,
    split: str | None = None,
    *,
    size: int | None = None,
    preload_size: int | None = None,
    preload_dir: Path | None = None,
) -> ClipStore:
    """The store of a folder of videos (with or without ``clips.csv``), of folders of pictures, or of an LMDB.

    Args:
        root: the data set.
        split: ``"train"``, ``"test"``, ...: a word in ``clips.csv``, a subfolder, or the ``<split>_list.txt`` of an
            LMDB. None or "" takes everything.
        size: side in pixels of the frames that will be asked for; says which size an LMDB is read at.
        preload_size: decode everything once at this size into a file that is mapped to memory.
        preload_dir: folder of such files, None for the user's cache.

    Raises:
        DataError: if the folder is missing or holds none of them; says what was found.
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
        from .lmdb_store import LMDBStore

        return LMDBStore(root, split, size)
    base = root / split if split and (root / split).is_dir() else root
    folders = [base, *(sub for sub in sorted(base.iterdir()) if sub.is_dir())]
    if (root / CLIP_LIST).is_file() or any(video_files(folder) for folder in folders):
        return VideoStore(root, split)
    return FrameStore(root, split)


def _contents(root: Path) -> str:
    """What lies in a folder, as "3 folders, 2 .txt"."""
    counts = Counter("folders" if path.is_dir() else path.suffix or "files" for path in root.iterdir())
    found = ", ".join(f"{count} {kind}" for kind, count in counts.most_common(5)) or "nothing"
    return f"{found}; expected videos, {CLIP_LIST}, folders of png/jpg frames, or an LMDB (256/data.mdb)"
