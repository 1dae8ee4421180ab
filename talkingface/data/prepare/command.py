"""Common parts of the scripts that run single steps: engine flags, clips of a folder, one step, exit status."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ...console import exit_status, lasting_streams, stop_in_order
from ...errors import ConfigError, DataError, TalkingFaceError
from ...paths import user_path
from ..store import identity_of
from ..stores import VIDEO_ENDINGS, pictures
from .chain import Folders, exclusive
from .engine import open_engine
from .items import SPLITS, ClipFile
from .run_step import PreparationReport, run_step
from .settings import PrepareSettings
from .step import Step
from .steps.lists import split_of
from .steps.lmdb import EncodeClip, store_clips
from .tools import PrepareTools


def add_engine(parser: argparse.ArgumentParser, workers: Sequence[str] = ("--workers",)) -> None:
    """Add the flags that every script has: engine, devices, landmark backend and weights."""
    from ...face.detect.analyser import searching_backends

    group = parser.add_argument_group("engine")
    group.add_argument(*workers, dest="workers", type=int, help="processes at work; none: one for each core")
    group.add_argument("--device_ids", help="GPUs that they share, such as 0,1; none: the CPU")
    group.add_argument("--engine", choices=("process", "ray"), default="process", help="this machine, or a Ray cluster")
    group.add_argument("--ray_address", help="address of the Ray cluster; none: one on this machine")
    group.add_argument("--landmarks", choices=("auto", *searching_backends()), default="auto", help="finds faces")
    group.add_argument("--checkpoint_root", type=user_path, help="folder with weights; none: checkpoints/ of the clone")
    group.add_argument("--retry_failed", action="store_true", help="try again what failed before")


def settings_of(options: argparse.Namespace, **values: Any) -> PrepareSettings:
    """Settings from the flags of :func:`add_engine` and others.

    Raises:
        ConfigError: if a value is out of its range.
    """
    engine = {name: getattr(options, name) for name in ("workers", "engine", "ray_address", "retry_failed")}
    devices = tuple(options.device_ids.split(",")) if options.device_ids else ()
    try:
        return PrepareSettings(**engine, device_ids=devices, **values)
    except ValidationError as error:
        problem = error.errors()[0]
        raise ConfigError(problem["msg"], where="--" + ".".join(map(str, problem["loc"]))) from error


def tools_of(options: argparse.Namespace, space: str = "auto") -> PrepareTools:
    """Landmark backend and reconstructor from the flags."""
    device = "cuda" if options.device_ids else "cpu"
    return PrepareTools(options.landmarks, space, options.checkpoint_root, device)


def square(text: str) -> int:
    """Parse a square size such as ``256,256``; returns its side. For argparse."""
    sides = {int(word) for word in text.split(",")}
    if len(sides) != 1:
        raise argparse.ArgumentTypeError("must be square, such as 256,256")
    return sides.pop()


def clips_in(folder: Path, test_share: float = 0.05) -> list[ClipFile]:
    """Find the clips below a folder: videos, and folders of pictures.

    A folder ``train`` or ``test`` above a clip is its split; else the split follows from the identity.

    Raises:
        DataError: if there is no clip, or two have the same name.
    """
    if not folder.is_dir():
        raise DataError("no such folder", where=folder)
    clips: dict[str, ClipFile] = {}
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder)
        if any(part.startswith(".") for part in inner.parts):
            continue
        is_video = path.suffix.lower() in VIDEO_ENDINGS and path.is_file()
        if not is_video and not (path.is_dir() and pictures(path)):
            continue
        name = path.stem if is_video else path.name
        if name in clips:
            raise DataError(f"two clips have the name '{name}'", where=path, cure=f"The other is {clips[name].path}.")
        split = next((part for part in inner.parts[:-1] if part in SPLITS), None)
        clips[name] = ClipFile(name, split or split_of(identity_of(name), test_share), path.absolute())
    if not clips:
        raise DataError("no clips", where=folder, cure="It has to hold videos or folders of pictures.")
    return list(clips.values())


def run_one(step: Step[ClipFile], clips: Sequence[ClipFile], out: Path, settings: PrepareSettings) -> PreparationReport:
    """Run one step over clips; manifests and report go to ``.prepare`` in the output folder."""
    folders = Folders.flat(out)
    report = PreparationReport(folders.root)
    with exclusive(folders.root), open_engine(settings) as engine:
        done, _ = run_step(step, clips, lambda: engine, folders.manifests, retry_failed=settings.retry_failed)
    report.steps.append(done)
    report.save(folders.manifests.parent / "report.json")
    return report


def store_all(step: EncodeClip, clips: Sequence[ClipFile], out: Path, settings: PrepareSettings) -> PreparationReport:
    """Write clips to the LMDB in a folder and remove all others from it."""
    folders = Folders.flat(out)
    report = PreparationReport(folders.root)
    with exclusive(folders.root), open_engine(settings) as engine:
        done, kept, frames = store_clips(
            step, clips, lambda: engine, folders.manifests, retry_failed=settings.retry_failed
        )
    report.steps.append(done)
    report.count(kept, frames)
    report.save(folders.manifests.parent / "report.json")
    return report


def ending_in(folder: Path | None, ours: str, published: str) -> str:
    """Ending of the files in a folder: the published one if there are only such files, else ours."""
    if folder is None or any(folder.rglob(f"*{ours}")) or not any(folder.rglob(f"*{published}")):
        return ours
    return published


def finish(work: Callable[[], PreparationReport]) -> int:
    """Run a script, print its report and return the exit status: 0, 2 without usable results, 130 if interrupted."""
    with lasting_streams(), stop_in_order():
        return _finish(work)


def _finish(work: Callable[[], PreparationReport]) -> int:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        report = work()
    except TalkingFaceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print("\nstopped: everything that was finished is kept; the same command goes on", file=sys.stderr)
        return exit_status(stop)
    print(report.table())
    return 0 if report.usable else 2
