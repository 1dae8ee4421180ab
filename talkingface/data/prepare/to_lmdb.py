"""Step ``lmdb``, the half that writes: one process alone writes what the workers encode.

A clip is one transaction, so a kill leaves it there whole or not at all. Which clips are there is asked of the LMDB
itself, and not of the manifest alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from ...errors import TalkingFaceError
from ..lmdb_forecast import check_room, stored_size
from ..lmdb_write import LMDBWriter, write_lists
from .encode import EncodeClip, Encoded
from .engine import Engine
from .items import SPLITS, Clip
from .report import StepReport
from .run_step import run_step
from .step import Answer

LOOKED_AT = 4  # clips of which the size of all is forecast


def store_clips(
    step: EncodeClip,
    clips: Sequence[Clip],
    engine: Callable[[], Engine],
    manifests: Path,
    *,
    retry_failed: bool = False,
) -> tuple[StepReport, list[Clip], dict[str, int]]:
    """Do the step: workers encode, this process writes.

    Returns:
        The report; the clips that are in the LMDB now, these and no others; and how many frames each has.
    """
    with LMDBSink(step.root, step.resolutions) as sink:
        if missing := [clip for clip in clips if not sink.has(clip)]:
            check_room(step.root, expected_size(step, missing))
        report, records = run_step(
            step, clips, engine, manifests, retry_failed=retry_failed, take=sink.take, there=sink.has
        )
        frames = {record.item: int(record.facts["frames"]) for record in records if record.outcome == "done"}
        kept = [clip for clip in clips if clip.name in frames]
        sink.finish(kept)
    return report, kept, frames


def expected_size(step: EncodeClip, clips: Sequence[Clip]) -> int:
    """About how many bytes some clips will take, from a few of them that are encoded to see."""
    sizes = []
    for clip in clips[:: -(-len(clips) // LOOKED_AT)]:
        try:
            encoded: Encoded = step.perform(clip).payload
        except (TalkingFaceError, OSError):
            continue  # the step itself will say what is wrong with it
        sizes += [sum(stored_size(clip.name, pictures) for pictures in encoded.pictures.values())]
    return round(sum(sizes) / max(len(sizes), 1) * len(clips))


class LMDBSink:
    """Takes encoded clips and keeps an LMDB for each resolution.

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

    def has(self, clip: Clip) -> bool:
        """Whether a clip is there in all resolutions."""
        return all(writer.digest(clip.name) is not None for writer in self._writers.values())

    def take(self, clip: Clip, answer: Answer) -> None:
        """Write what a worker has encoded."""
        encoded: Encoded = answer.payload
        for side, writer in self._writers.items():
            writer.write(
                clip.name,
                encoded.pictures[side],
                coefficients=encoded.coefficients,
                keypoints=encoded.keypoints,
            )

    def finish(self, clips: Iterable[Clip]) -> None:
        """Remove all other clips, and write the lists of the splits."""
        kept = list(clips)
        for writer in self._writers.values():
            writer.keep(clip.name for clip in kept)
        write_lists(self._root, {split: [clip.name for clip in kept if clip.split == split] for split in SPLITS})
