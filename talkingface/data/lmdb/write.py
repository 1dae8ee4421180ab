"""Write the LMDB layout of :mod:`talkingface.data.lmdb.keys`; an interrupted run continues where it was killed."""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import lmdb
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...errors import DataError
from ...media.image import Picture
from ...part_files import atomic_file
from ...paths import inside
from . import keys
from .environment import Environment
from .pages import DamagedError, PageFile

_log = logging.getLogger(__name__)
QUALITY = 95
_FIRST_MAP = 64 * 2**20
_PAGE = 4096
_SHAPES: dict[str, tuple[int, ...]] = {keys.COEFFICIENTS: (260,), keys.KEYPOINTS: (68, 2)}


class LMDBWriter:
    """Writes clips into the environment ``root/resolution``.

    A clip is one transaction and is on the disk when :meth:`write` returns: after a kill it is complete or absent. The
    same clips give the same keys and values, whether runs were killed or not. One process writes at a time (LMDB makes
    others wait); no :class:`~talkingface.data.lmdb.store.LMDBStore` may read at the same time.

    Args:
        root: folder of the data set; created if it is missing.
        resolution: side of the pictures in pixels; name of the environment.
        map_size: first size of the map in bytes; it grows when it is full.

    Raises:
        DataError: if the folder holds something else than an LMDB.
    """

    def __init__(self, root: Path, resolution: int, *, map_size: int = _FIRST_MAP) -> None:
        self.path = root / str(resolution)
        held = self.path / keys.DATA_FILE
        with _naming(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            if held.is_file() and held.stat().st_size:
                PageFile.checked(held)  # the library trusts what it maps
            try:
                self._env = lmdb.open(str(self.path), map_size=_whole_pages(map_size), readahead=False)
            except lmdb.MapResizedError as error:  # a map is never smaller than the file says, unless it is damaged
                raise DamagedError("its last page is beyond its map") from error
            if held.stat().st_size > self._env.info()["map_size"]:
                self._env.set_mapsize(_whole_pages(held.stat().st_size))

    def write(
        self,
        clip: str,
        frames: Sequence[bytes],
        *,
        coefficients: NDArray[np.float32] | None = None,
        keypoints: NDArray[np.float32] | None = None,
        aligned: Sequence[bytes] = (),
    ) -> bool:
        """Write a clip; replaces a clip of the same name.

        Args:
            clip: its name.
            frames: encoded pictures (see :func:`encode_frame`).
            coefficients: (T, 260).
            keypoints: (T, 68, 2), pixels in a frame of 256.
            aligned: encoded aligned pictures, one per frame or none.

        Returns:
            False if exactly this clip exists and nothing was written.

        Raises:
            DataError: if lengths or shapes do not fit, or the disk is full.
        """
        keys.check_name(clip)
        arrays = {keys.COEFFICIENTS: coefficients, keys.KEYPOINTS: keypoints}
        values = _values(clip, frames, aligned, {name: array for name, array in arrays.items() if array is not None})
        digest = _digest(values.items())
        if self.digest(clip) == digest:
            return False
        values[keys.key(clip, keys.DIGEST)] = digest.encode()
        values[keys.key(clip, keys.LENGTH)] = keys.key(len(frames))  # last: without a length it is no clip
        self._growing(lambda transaction: _replace(transaction, clip, values), sum(map(len, values.values())))
        return True

    def digest(self, clip: str) -> str | None:
        """Digest of a complete clip, None if there is none (or another program wrote it)."""
        with _naming(self.path), self._env.begin() as transaction:
            stored = transaction.get(keys.key(clip, keys.DIGEST))
            complete = transaction.get(keys.key(clip, keys.LENGTH)) is not None
        return bytes(stored).decode("utf-8", "replace") if stored is not None and complete else None

    def clips(self) -> list[str]:
        """Names of the complete clips, sorted."""
        end = keys.key("", keys.LENGTH)
        with _naming(self.path), self._env.begin() as transaction:
            lengths = [key for key in transaction.cursor().iternext(values=False) if key.endswith(end)]
        return sorted(key[: -len(end)].decode("utf-8", "replace") for key in lengths)

    def keep(self, clips: Iterable[str]) -> list[str]:
        """Remove all other clips; returns their names."""
        wanted = set(clips)
        others = [clip for clip in self.clips() if clip not in wanted]
        for clip in others:
            self._growing(lambda transaction, clip=clip: _remove(transaction, clip), 0)
        return others

    def close(self) -> None:
        """Close the files; they are valid without it too."""
        self._env.close()

    def __enter__(self) -> LMDBWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _growing(self, change: Any, size: int) -> None:
        """Make a change in one transaction; if the map is full, enlarge it and start again."""
        while True:
            try:
                with _naming(self.path), self._env.begin(write=True) as transaction:
                    change(transaction)
                return
            except lmdb.MapFullError:
                held = self._env.info()["map_size"]
                self._env.set_mapsize(_whole_pages(held + max(held // 2, 2 * size, _FIRST_MAP // 16)))
                _log.debug("%s: map enlarged to %d MiB", self.path, self._env.info()["map_size"] // 2**20)
            except lmdb.MapResizedError:
                self._env.set_mapsize(0)  # another process has enlarged it


def encode_frame(picture: Picture, size: int, *, quality: int = QUALITY) -> bytes:
    """Scale a frame to (size, size), bicubic, and encode it as jpeg.

    Args:
        picture: (H, W, 3), RGB, uint8.
        size: side in pixels.
        quality: quality of the jpeg, 1 to 100.
    """
    image = Image.fromarray(picture)
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def write_lists(root: Path, splits: Mapping[str, Iterable[str]]) -> None:
    """Write ``<split>_list.txt`` for each split, sorted; each file is replaced atomically."""
    for split, clips in splits.items():
        target = inside(root, f"{split}{keys.LIST_ENDING}")
        with atomic_file(target, durable=True) as part, part.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(f"{clip}\n" for clip in sorted(clips))


def content_digest(path: Path) -> str:
    """SHA-256 over all keys and values in order, of an environment or of all environments and lists of a data set."""
    if (path / keys.DATA_FILE).is_file():
        return _digest(_all_items(path))
    parts = sorted(file for file in path.iterdir() if (file / keys.DATA_FILE).is_file())
    values = [(part.name.encode(), content_digest(part).encode()) for part in parts]
    values += [(file.name.encode(), file.read_bytes()) for file in sorted(path.glob(f"*{keys.LIST_ENDING}"))]
    return _digest(values)


def _values(
    clip: str, frames: Sequence[bytes], aligned: Sequence[bytes], arrays: Mapping[str, NDArray[Any]]
) -> dict[bytes, bytes]:
    """Values of a clip without its length and digest, in the order of the keys."""
    if not frames:
        raise DataError("no frames", where=clip)
    if aligned and len(aligned) != len(frames):
        raise DataError(f"{len(frames)} frames, but {len(aligned)} aligned ones", where=clip)
    values = {keys.frame_key(clip, number): data for number, data in enumerate(frames)}
    values |= {keys.frame_key(clip, number, aligned=True): data for number, data in enumerate(aligned)}
    for name, array in arrays.items():
        shape = (len(frames), *_SHAPES[name])
        if array.shape != shape:
            raise DataError(f"{name} is {array.shape}, not {shape}", where=clip)
        values[keys.key(clip, name)] = np.ascontiguousarray(array, "<f4").tobytes()
    return dict(sorted(values.items()))


def _replace(transaction: lmdb.Transaction, clip: str, values: Mapping[bytes, bytes]) -> None:
    _remove(transaction, clip)
    for key, value in values.items():
        transaction.put(key, value)


def _remove(transaction: lmdb.Transaction, clip: str) -> None:
    prefix = keys.key(clip, "")
    cursor = transaction.cursor()
    more = cursor.set_range(prefix)
    while more and (stored := bytes(cursor.key())).startswith(prefix):
        more = cursor.delete() if keys.belongs(stored, clip) else cursor.next()


def _all_items(path: Path) -> Iterator[tuple[bytes, bytes]]:
    env = Environment(path)
    try:
        yield from env.items()
    finally:
        env.close()


def _digest(items: Iterable[tuple[bytes, bytes]]) -> str:
    digest = hashlib.sha256()
    for key, value in items:
        for part in (key, value):
            digest.update(len(part).to_bytes(8, "little"))
            digest.update(part)
    return digest.hexdigest()


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turn what the library and the system raise into an error that names the folder."""
    try:
        yield
    except (lmdb.MapFullError, lmdb.MapResizedError):
        raise  # the map is enlarged
    except lmdb.DiskError as error:
        raise DataError("the disk is full", where=path, cure="Make room and run again.") from error
    except (lmdb.Error, DamagedError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"cannot be opened ({reason})", where=path, cure="Remove it or choose another.") from error


def _whole_pages(size: int) -> int:
    return -(-max(size, 16 * _PAGE) // _PAGE) * _PAGE
