"""Work that a run keeps, so that it goes on after a kill: whose it is, and how long it stays."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import __version__
from ...media.image import PICTURE_ENDINGS
from ...media.keep.folder import WorkFolder
from ..progress import Progress

if TYPE_CHECKING:
    from ...config.schema import Settings
    from ..plan.inputs import Plan
    from .render import PersonMotion

# Settings that say where things go and what is reported, not what the frames are.
_NOT_OF_FRAMES = {
    *("output", "output_dir", "overwrite", "save_motion", "debug_dir", "restart", "commit_seconds"),
    *("config", "quiet", "verbose", "print_config", "offline", "if_extract"),
}
_PACKAGES = ("torch", "numpy", "pillow")


def run_key(settings: Settings, files: Iterable[Path]) -> str:
    """Digest of what the user decided about the frames of a run: settings, files, and versions of the program.

    Args:
        files: that the run reads, or folders of such; told apart by path, size and time of change.
    """
    decided = {name: value for name, value in settings.model_dump(mode="json").items() if name not in _NOT_OF_FRAMES}
    named = [value for name, value in settings if isinstance(value, Path) and name not in _NOT_OF_FRAMES]
    stats = sorted({stat for path in {*files, *named} for stat in file_facts(path)})
    versions = [__version__, *(version(name) for name in _PACKAGES)]
    return hashlib.sha256(json.dumps([decided, stats, versions], sort_keys=True).encode()).hexdigest()


@contextmanager
def kept_work(
    settings: Settings, plan: Plan, people: Sequence[PersonMotion], weights: str, progress: Progress
) -> Iterator[WorkFolder | None]:
    """Give the folder that keeps the work on a result; it goes when the block is left without an error.

    Args:
        people: whose motions the result shows; work on other motions is not used.
        weights: in use, in one line.

    Yields:
        None where there is nothing worth keeping: a picture, or a single frame.
    """
    length = len(people[0].motion)
    if length == 1 or plan.output.suffix.lower() in PICTURE_ENDINGS:
        yield None
        return
    facts = {"frames": length, "motion": _digest(people), "weights": weights}
    with WorkFolder(plan.output, plan.key, facts, commit_s=settings.commit_seconds, restart=settings.restart) as work:
        try:
            yield work
        except BaseException:
            if work.committed:
                what = "the frames so far are kept, and the same command goes on from there (--restart begins anew)"
                progress.note(f"{plan.output}: {what}")
            raise
        work.finish()


def file_facts(path: Path) -> Iterator[tuple[str, int, int]]:
    """Path, bytes and time of change in nanoseconds of a file, or of each file of a folder; nothing if it is absent."""
    if path.is_dir():
        files = sorted(Path(entry.path) for entry in os.scandir(path) if entry.is_file())
    else:
        files = [path] if path.is_file() else []
    for file in files:
        stat = file.stat()
        yield str(file.resolve()), stat.st_size, stat.st_mtime_ns


def _digest(people: Sequence[PersonMotion]) -> str:
    found = hashlib.sha256()
    for person in people:
        facts: list[Any] = [person.motion.kind, person.motion.space, str(person.motion.fps)]
        found.update(json.dumps(facts).encode())
        for name, value in sorted(person.motion.values.items()):
            found.update(f"{name} {tuple(value.shape)}".encode())
            found.update(value.detach().cpu().double().contiguous().numpy().tobytes())
    return found.hexdigest()
