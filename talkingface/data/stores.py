"""Stores of video files and of folders of pictures, and the choice of the store for a folder."""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from ..errors import DataError, MediaError, quoted
from ..media.content import content_of
from ..media.probe import check_file
from ..paths import inside
from ..text.lists import Row, read_table
from .lmdb.keys import is_lmdb
from .mixed import MixedStore, note_left_out
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
        found = ((folder.relative_to(root).as_posix(), pictures(folder)) for folder in _folders(_of_split(root, split)))
        self._files = {name: files for name, files in found if files}
        self.left_out = [(name, why) for name, files in self._files.items() if (why := _damage(files[0]))]
        for name, _ in self.left_out:
            del self._files[name]
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
    """Pictures directly in a folder, in natural order; none where videos lie beside them."""
    if video_files(folder):
        return []
    return sorted((path for path in folder.iterdir() if _is_frame(path)), key=_natural)


def _is_frame(path: Path) -> bool:
    """True for a picture: by its ending, which is quick in large sets, else by its content."""
    ending = path.suffix.lower()
    if path.name.startswith(".") or ending in _NO_PICTURES:
        return False
    return ending in PICTURE_ENDINGS or content_of(path) == "still"


def _damage(path: Path) -> str:
    """Why the first picture of a clip cannot be read; "" if it can."""
    return "" if content_of(path) == "still" else "its first picture is damaged or no picture"


def _folders(base: Path) -> list[Path]:
    """All folders below one, without hidden ones."""
    inner = (path for path in sorted(base.rglob("*")) if path.is_dir())
    return [path for path in inner if not any(part.startswith(".") for part in path.relative_to(base).parts)]


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
SPLIT_FOLDERS = frozenset({"train", "test", "val", "valid", "validation", "eval"})
_NO_PICTURES = frozenset({".txt", ".csv", ".json", ".npz", ".npy", ".yaml", ".md", ".wav", ".mp3", ".mdb"})
_MOST_FRAMES = 10**9  # of a clip
_CACHE_BYTES = 512 * 2**20


class VideoStore(ClipStore):
    """Videos below a folder, listed in ``clips.csv`` if there is one.

    ``clips.csv`` has a line per clip with at least the columns ``file`` (path relative to the list) and, where known,
    ``split``, ``identity``, ``frames``, ``fps``, ``has_audio`` (0 or 1) and ``sync`` (``ok`` if sound and picture are
    in sync). Without a list all videos below the folder are taken, the splits are the subfolders of that name, and the
    identity is read from the file name (see :func:`talkingface.data.store.identity_of`). Videos that cannot be read
    are left out, see ``left_out``: (name, why) of each.

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
        self.left_out: list[tuple[str, str]] = []
        listed = (root / CLIP_LIST).is_file()
        rows = _listed(root, split) if listed else _unlisted(root, split)
        clips = dict(self._readable(rows))
        self._clips = sorted(clips, key=lambda clip: clip.name)
        self._files = {clip.name: path for clip, path in clips.items()}

    def _readable(self, rows: Iterable[tuple[str, Path, Callable[[], Clip]]]) -> Iterator[tuple[Clip, Path]]:
        """Clips that can be read and their files; the others are noted."""
        for name, path, describe in rows:
            try:
                check_file(path)
                yield describe(), path
            except (MediaError, DataError) as error:
                self.left_out.append((name, error.what))

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
    """Videos directly in a folder, sorted: by their endings; animated pictures and files without ending by content."""
    return sorted(path for path in folder.iterdir() if is_video(path))


def is_video(path: Path) -> bool:
    """True for a video, see `video_files`; unfinished and hidden files are none."""
    ending = path.suffix.lower()
    if path.name.startswith("."):
        return False
    if ending in VIDEO_ENDINGS:
        return path.is_file()
    if ending not in (".webp", ".png", "") or path.stem.isdecimal():  # numbered ones are frames; sets hold millions
        return False
    return content_of(path) in (("webp", "apng") if ending else ("webp", "apng", "film"))


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


def _listed(root: Path, split: str | None) -> Iterator[tuple[str, Path, Callable[[], Clip]]]:
    """Name, file and description of each clip of ``clips.csv``.

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
        yield row["file"], file, partial(_from_row, row, file, facts)


def _facts(row: Row) -> tuple[int, Fraction] | None:
    """Number of frames and frame rate, None where the line does not have both."""
    if not (row["frames"] and row["fps"]):
        return None
    return row.whole(row["frames"], "frames", 1, _MOST_FRAMES), row.rate(row["fps"], "fps")


def _from_row(row: Row, path: Path, facts: tuple[int, Fraction] | None) -> Clip:
    name = row["file"]
    has_audio = {"0": False, "1": True}.get(row["has_audio"])
    return Clip(name, row["identity"] or identity_of(name), *(facts or _probed(path)), has_audio, row["sync"])


def _unlisted(root: Path, split: str | None) -> Iterator[tuple[str, Path, Callable[[], Clip]]]:
    """Name, file and description of each video below a folder without a list, or below its subfolder of the split."""
    base = _of_split(root, split)
    for path in (path for folder in [base, *_folders(base)] for path in video_files(folder)):
        yield path.relative_to(root).as_posix(), path, partial(_described, root, path)


def _described(root: Path, path: Path) -> Clip:
    name = path.relative_to(root).as_posix()
    return Clip(name, identity_of(name), *_probed(path))


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
    if (root / CLIP_LIST).is_file():
        videos = VideoStore(root, split)
        note_left_out(root, videos.left_out)
        return videos
    videos, frames = VideoStore(root, split), FrameStore(root, split)
    note_left_out(root, [*videos.left_out, *frames.left_out, *_beside(root, split)])
    if videos.clips() and frames.clips():
        return MixedStore([videos, frames])
    return frames if frames.clips() else videos


def _beside(root: Path, split: str | None) -> Iterator[tuple[str, str]]:
    """(name, why) of clips beside the folders of the splits, where a split is read, and of pictures beside videos."""
    base = _of_split(root, split)
    why = f"not in the folder '{split}', nor in that of another split"
    if base != root:
        loose = [path for path in sorted(root.iterdir()) if path.is_dir() and path.name not in {split, *SPLIT_FOLDERS}]
        yield from ((path.name, why) for path in [*video_files(root), *loose] if _holds_clips(path))
    for folder in [base, *_folders(base)]:
        count = sum(map(_is_frame, folder.iterdir())) if folder == base or video_files(folder) else 0
        if count:
            yield folder.relative_to(root).as_posix(), f"{count} pictures beside clips"


def _holds_clips(path: Path) -> bool:
    return path.is_file() or any(video_files(folder) or pictures(folder) for folder in [path, *_folders(path)])


def _contents(root: Path) -> str:
    """Summary of a folder's content, such as "3 folders, 2 .txt"."""
    counts = Counter("folders" if path.is_dir() else path.suffix or "files" for path in root.iterdir())
    content = ", ".join(f"{count} {kind}" for kind, count in counts.most_common(5)) or "nothing"
    return f"{content}; expected videos, {CLIP_LIST}, folders of png/jpg frames, or an LMDB (256/data.mdb)"
