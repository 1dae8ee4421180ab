"""Step ``lmdb``: workers encode the frames of a clip, the main process writes them.

A clip is one transaction, so after a kill it is complete or absent. The LMDB itself says which clips it holds, not only
the manifest.
"""

from __future__ import annotations

import io
import logging
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ....errors import DataError, TalkingFaceError
from ....media.image import Picture
from ....media.video import open_video
from ....paths import inside
from ...lmdb import keys
from ...lmdb.write import QUALITY, LMDBWriter, encode_frame, write_lists
from ...store import Clip, ClipStore
from ..engine import Engine
from ..items import SPLITS, ClipFile
from ..run_step import StepReport, run_step
from ..step import Step, StepResult, TemporaryError, WorkerResult
from .arrays import LAYOUT_SIDE, read_coefficients, read_landmarks

_log = logging.getLogger(__name__)

_PAGE, _PAGE_HEADER, _NODE_HEADER = 4096, 16, 8
_LARGEST_INLINE = 2030  # bytes of key and value; longer values are stored in pages of their own
_FILLED = 0.6  # used share of the pages of keys, on average
_CLIPS, _FRAMES = 6, 12  # numbers of samples


def forecast(store: ClipStore, size: int, *, quality: int = QUALITY, arrays: Sequence[int] = (260, 136)) -> int:
    """Estimate the size of the LMDB of a store in bytes, from some frames of some clips.

    Args:
        store: the clips to write.
        size: side of the pictures in pixels.
        quality: quality of the jpegs, 1 to 100.
        arrays: numbers per frame of the arrays of each clip.
    """
    clips = store.clips()
    chosen = clips[:: max(len(clips) // _CLIPS, 1)][:_CLIPS]
    each = [
        np.mean([_stored(name, length) for name, length in _pictures(store, clip, size, quality)]) for clip in chosen
    ]
    weights = [clip.frames for clip in chosen]
    pictures = float(np.average(each, weights=weights)) * sum(clip.frames for clip in clips)
    rows = sum(_stored(keys.MAX_KEY // 8, 4 * width * clip.frames) for clip in clips for width in arrays)
    return round(pictures + rows)


def stored_size(clip: str, pictures: Sequence[bytes], arrays: Sequence[int] = (260, 136)) -> int:
    """Size of a clip in the file, in bytes.

    Args:
        clip: its name.
        pictures: its encoded frames.
        arrays: numbers per frame of its arrays.
    """
    name = len(keys.frame_key(clip, 0))
    rows = sum(_stored(name, 4 * width * len(pictures)) for width in arrays)
    return round(sum(_stored(name, len(picture)) for picture in pictures) + rows)


def check_room(folder: Path, needed: int) -> None:
    """Check that the disk has room for an LMDB, and log both sizes.

    Args:
        folder: folder of the LMDB; it need not exist.
        needed: size in bytes, as estimated by :func:`forecast`.

    Raises:
        DataError: if the disk has too little room.
    """
    place = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(place).free
    _log.info("%s: the LMDB will take about %s, %s are free", folder, _text(needed), _text(free))
    if needed > free:
        cure = "Make room, or choose smaller --prepare.resolutions or a lower --prepare.jpeg_quality."
        raise DataError(f"the LMDB needs about {_text(needed)}, {_text(free)} are free", where=folder, cure=cure)


def _pictures(store: ClipStore, clip: Clip, size: int, quality: int) -> list[tuple[int, int]]:
    """Lengths of keys and values of some frames, distributed over the first part of a clip."""
    frames = store.whole(clip, limit=4 * _FRAMES)
    name = len(keys.frame_key(clip.name, 0))
    return [(name, len(encode_frame(frame, size, quality=quality))) for frame in islice(frames, 0, None, 4)]


def _stored(key: int, value: int) -> float:
    """Size of a key and its value in the file, in bytes."""
    node = _NODE_HEADER + key
    if key + value <= _LARGEST_INLINE:
        return (node + value) / _FILLED
    return (node + 8) / _FILLED + -(-(value + _PAGE_HEADER) // _PAGE) * _PAGE


def _text(size: int) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.1f} MiB"


@dataclass(frozen=True)
class Encoded:
    """An encoded clip, ready to be written.

    Attributes:
        name: name of the clip.
        pictures: resolution -> one encoded picture for each frame.
        coefficients: (T, 260), or None.
        keypoints: (T, 68, 2) in a frame of 256 pixels, or None.
    """

    name: str
    pictures: dict[int, list[bytes]] = field(default_factory=dict)
    coefficients: NDArray[np.float32] | None = None
    keypoints: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class EncodeClip(Step[ClipFile]):
    """Encodes the frames of a clip and reads its landmarks and coefficients.

    Attributes:
        landmarks, coefficients: folders of the files that belong to the clips; None leaves them out.
        resolutions: sides of the pictures in pixels.
        coefficients_format, points_format: endings of those files.
        picture_format: ``"jpeg"``, or ``"png"`` without loss.
        quality: of the jpegs, 1 to 100.
    """

    landmarks: Path | None
    coefficients: Path | None
    resolutions: Sequence[int] = (256,)
    coefficients_format: str = ".npz"
    points_format: str = ".npz"
    picture_format: Literal["jpeg", "png"] = "jpeg"
    quality: int = 95

    name = "lmdb"

    def inputs(self, item: ClipFile) -> list[Path]:
        files = [item.path, *self._files_beside(item)]
        missing = [path for path in files if not path.exists()]
        if missing:
            cure = "Do the step before first."
            raise TemporaryError(f"'{missing[0].name}' is not there", where=missing[0], cure=cure)
        return files

    def outcome_settings(self) -> dict[str, Any]:
        parts = {"landmarks": self.landmarks is not None, "coefficients": self.coefficients is not None}
        return {**parts, "resolutions": list(self.resolutions), "format": self.picture_format, "quality": self.quality}

    def perform(self, item: ClipFile) -> StepResult:
        pictures: dict[int, list[bytes]] = {side: [] for side in self.resolutions}
        frames = 0
        with open_video(item.path, fps=None if item.path.is_file() else Fraction(25)) as reader:
            for frame in reader:
                frames += 1
                for side, encoded in pictures.items():
                    encoded.append(self._encoded(frame, side))
        rows, points = self._rows(item), self._points(item, reader.height)
        for what, values in (("coefficients", rows), ("landmarks", points)):
            if values is not None and len(values) != frames:
                cure = "Extract them again."
                raise DataError(f"{frames} frames, but {len(values)} {what}", where=item.path, cure=cure)
        return StepResult(facts={"frames": frames}, payload=Encoded(item.name, pictures, rows, points))

    def _files_beside(self, item: ClipFile) -> list[Path]:
        """Files with the landmarks and coefficients of a clip."""
        folders = ((self.landmarks, self.points_format), (self.coefficients, self.coefficients_format))
        return [_beside(folder, item, ending) for folder, ending in folders if folder is not None]

    def _encoded(self, frame: Picture, side: int) -> bytes:
        if self.picture_format == "jpeg":
            return encode_frame(frame, side, quality=self.quality)
        buffer = io.BytesIO()
        Image.fromarray(frame).resize((side, side), Image.Resampling.BICUBIC).save(buffer, "png")
        return buffer.getvalue()

    def _rows(self, item: ClipFile) -> NDArray[np.float32] | None:
        if self.coefficients is None:
            return None
        return read_coefficients(_beside(self.coefficients, item, self.coefficients_format))[0]

    def _points(self, item: ClipFile, side: int) -> NDArray[np.float32] | None:
        if self.landmarks is None:
            return None
        points = read_landmarks(_beside(self.landmarks, item, self.points_format))["landmarks"]
        return ((points + 0.5) * (LAYOUT_SIDE / side) - 0.5).astype(np.float32)


def _beside(folder: Path, item: ClipFile, ending: str) -> Path:
    """File of landmarks or coefficients that belongs to a clip."""
    return inside(folder, item.split, f"{item.name}{ending}")


SAMPLED_CLIPS = 4  # clips from which the size of all is estimated


def store_clips(
    step: EncodeClip,
    clips: Sequence[ClipFile],
    engine: Callable[[], Engine],
    manifests: Path,
    *,
    retry_failed: bool = False,
) -> tuple[StepReport, list[ClipFile], dict[str, int]]:
    """Run the step: workers encode, this process writes.

    Returns:
        The report; the clips of the LMDB, which are all it holds now; and name of a clip -> number of frames.
    """
    with LMDBSink(step.root, step.resolutions) as sink:
        if missing := [clip for clip in clips if not sink.has(clip)]:
            check_room(step.root, expected_size(step, missing))
        report, records = run_step(
            step, clips, engine, manifests, retry_failed=retry_failed, store=sink.write, is_stored=sink.has
        )
        frames = {record.item: int(record.facts["frames"]) for record in records if record.outcome == "done"}
        kept = [clip for clip in clips if clip.name in frames]
        sink.finish(kept)
    return report, kept, frames


def expected_size(step: EncodeClip, clips: Sequence[ClipFile]) -> int:
    """Estimate the size of some clips in bytes, by encoding a few of them."""
    sizes = []
    for clip in clips[:: -(-len(clips) // SAMPLED_CLIPS)]:
        try:
            encoded: Encoded = step.perform(clip).payload
        except (TalkingFaceError, OSError):
            continue  # the step itself reports this clip
        sizes += [sum(stored_size(clip.name, pictures) for pictures in encoded.pictures.values())]
    return round(sum(sizes) / max(len(sizes), 1) * len(clips))


class LMDBSink:
    """Writes encoded clips to one LMDB for each resolution.

    Args:
        root: folder of the data set; the LMDB of 256 pixels is ``root/256``.
        resolutions: sides in pixels.
    """

    def __init__(self, root: Path, resolutions: Sequence[int]) -> None:
        self._root, self._resolutions = root, tuple(resolutions)
        self._stack = ExitStack()
        self._writers: dict[int, LMDBWriter] = {}

    def __enter__(self) -> LMDBSink:
        with ExitStack() as stack:
            self._writers = {side: stack.enter_context(LMDBWriter(self._root, side)) for side in self._resolutions}
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def has(self, clip: ClipFile) -> bool:
        """True if a clip exists in all resolutions."""
        return all(writer.digest(clip.name) is not None for writer in self._writers.values())

    def write(self, clip: ClipFile, result: WorkerResult) -> None:
        """Write the clip that a worker has encoded."""
        encoded: Encoded = result.payload
        for side, writer in self._writers.items():
            writer.write(
                clip.name,
                encoded.pictures[side],
                coefficients=encoded.coefficients,
                keypoints=encoded.keypoints,
            )

    def finish(self, clips: Iterable[ClipFile]) -> None:
        """Remove all other clips, and write the lists of the splits."""
        kept = list(clips)
        for writer in self._writers.values():
            writer.keep(clip.name for clip in kept)
        write_lists(self._root, {split: [clip.name for clip in kept if clip.split == split] for split in SPLITS})
