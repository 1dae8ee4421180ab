"""Store of clips that are folders of pictures, one picture per frame."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..errors import DataError
from .store import Clip, ClipStore, Frames, identity_of

PICTURE_ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp"})


class FrameStore(ClipStore):
    """Folders of pictures: ``root/clip/000000.png`` or, with a split, ``root/split/clip/000000.png``.

    Pictures follow each other in natural order (2 before 10); other files in a folder are passed over. The identity is
    read from the folder's name (see :func:`talkingface.data.store.identity_of`).

    Args:
        root: folder of the clips.
        split: subfolder to take; ignored where there is none of that name.
    """

    def __init__(self, root: Path, split: str | None = None) -> None:
        self.root = root
        base = root / split if split and (root / split).is_dir() else root
        folders = [folder for folder in sorted(base.rglob("*")) if folder.is_dir()]
        self._files = {folder.relative_to(root).as_posix(): pictures(folder) for folder in folders if pictures(folder)}
        self._clips = [Clip(name, identity_of(name), len(files)) for name, files in sorted(self._files.items())]

    def clips(self) -> list[Clip]:
        return list(self._clips)

    def sources(self) -> list[Path]:
        return [path for files in self._files.values() for path in files]

    def file(self, clip: Clip) -> Path:
        return self.root / clip.name

    def frames(self, clip: Clip, indices: Sequence[int], size: int | None = None) -> Frames:
        files = self._files[clip.name]
        read = [_read(files[index], size) for index in indices]
        if len({picture.shape for picture in read}) > 1:
            raise DataError("pictures of a clip differ in size", where=self.root / clip.name)
        return np.stack(read)


def pictures(folder: Path) -> list[Path]:
    """Pictures directly in a folder, in natural order."""
    found = [path for path in folder.iterdir() if path.suffix.lower() in PICTURE_ENDINGS]
    return sorted(found, key=_natural)


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sorting key under which numbers count as numbers."""
    parts = re.findall(r"\d+|\D+", path.name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


@lru_cache(maxsize=256)
def _read(path: Path, size: int | None) -> Frames:
    from ..media.image import center_square, read_image, resize

    picture = read_image(path)
    return picture if size is None else resize(center_square(picture), (size, size))
