"""``--run_mode=compare``: one input through every model and all weights that are there, side by side, with a report."""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import registry
from ..config import settings_from
from ..config.checks import drivers_in, speaks
from ..errors import ConfigError, TalkingFaceError
from ..evaluation.clips.folders import FrameStream
from ..evaluation.measure import Shot, measure
from ..evaluation.metric import ClipFacts, MetricTools, choose_metrics, lacking_metrics
from ..evaluation.report import Report
from ..evaluation.results.protocol import file_hash, protocol
from ..evaluation.results.write import directions, write_reports
from ..media.image import center_square, read_image, resize
from ..media.video import VideoReader, open_video
from ..media.writer import open_writer
from ..part_files import temporary_folder
from ..pipelines.animate import Result, animate
from ..pipelines.draw.compose import grid, labelled
from ..pipelines.frames import Frame, to_tensor
from ..pipelines.progress import progress_for
from ..weights import load_catalogue

if TYPE_CHECKING:
    from ..config import Settings

WHEN_STOPPED = "nothing was written"
IN_A_ROW = 4
SIDE = 256  # pixels at which results are measured
OF_A_VOICE = ("diversity", "beats", "sharpness", "cpbd")
"""Metrics that need no face to follow."""
_OWN = frozenset(
    (
        "run_mode",
        "model",
        "checkpoint",
        "variant",
        "output",
        "output_dir",
        "quality",
        "compare",
        "preprocess",
        "preview",
    )
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Contestant:
    """A model with one set of weights.

    Attributes:
        label: of its panel.
        model, checkpoint: names.
    """

    label: str
    model: str
    checkpoint: str


def run(settings: Settings) -> int:
    """Print the paths of the report and of the video, which comes last.

    Raises:
        ConfigError: if a picture or its driver is missing, or no model can be driven so.
    """
    if settings.image_source is None or not drivers_in(settings):
        cure = "Give --image_source=PICTURE and --video_source=VIDEO or --audio_path=SOUND."
        raise ConfigError("a picture and what drives it are compared through all models", cure=cure)
    output = settings.output or (settings.output_dir or Path("results")) / "compare" / f"{_names(settings)}.mp4"
    with temporary_folder(output.parent) as folder:
        results, notes = _results(settings, folder)
        if not results:
            raise ConfigError("no model could be compared: " + "; ".join(notes), cure="See --run_mode=doctor.")
        frames = _write_grid(settings, results, output)
        report = _report(settings, results, output, notes)
    for note in notes:
        logger.warning("%s", note)
    logger.info("%d frames, %s", frames, ", ".join(results))
    print(report.table())
    print(output.with_name(f"{output.stem}_report") / "report.json")
    print(output, flush=True)
    return 0


def contestants(root: Path) -> list[Contestant]:
    """Every model with each set of weights whose files are there."""
    catalogue, found = load_catalogue(), []
    for model in registry.models():
        for item in catalogue.choices(model):
            needed = (*catalogue.parts_of(item), *catalogue.needs_of(item))
            if all(entry.path(root).is_file() for entry in needed):
                kind = "compact" if item.variant == "compact" else item.name
                found.append(Contestant(f"{model} {kind}", model, item.name))
    return found


def _results(settings: Settings, folder: Path) -> tuple[dict[str, Result], list[str]]:
    """Results by label, and why others are missing."""
    results: dict[str, Result] = {}
    notes: list[str] = []
    given = _given(settings)
    for number, one in enumerate(contestants(settings.weights_root)):
        own = {"model": one.model, "checkpoint": one.checkpoint, "output": folder / f"{number}.mp4"}
        try:
            chosen = settings_from({**given, **own, "quality": "lossless", "preprocess": "crop"})
            logger.info("%s", one.label)
            results[one.label] = animate(chosen, progress_for(sys.stderr, quiet=settings.quiet))
        except TalkingFaceError as error:
            notes.append(f"{one.label} is left out: {' '.join(str(error).split())}")
    return results, notes


def _given(settings: Settings) -> dict[str, Any]:
    """Settings that were chosen, but for those that the comparison makes itself."""
    names = (name for name in type(settings).model_fields if name not in _OWN)
    return {name: getattr(settings, name) for name in names if settings.origin(name) != "default"}


def _names(settings: Settings) -> str:
    flag = next(iter(drivers_in(settings)))
    driver = getattr(settings, flag)
    picture = settings.image_source
    return f"{picture.stem if picture else 'picture'}_{driver.stem if isinstance(driver, Path) else flag}"


def _write_grid(settings: Settings, results: Mapping[str, Result], output: Path) -> int:
    """Source, driving and results with their names below; returns the number of frames."""
    assert settings.image_source is not None  # noqa: S101 (checked by `run`)
    rate = next(iter(results.values())).fps
    with ExitStack() as stack:
        readers = {label: stack.enter_context(open_video(result.path)) for label, result in results.items()}
        height = max(reader.height for reader in readers.values())
        still = _of_height(read_image(settings.image_source), height)
        panels: dict[str, Iterator[Frame]] = {"source": repeat(still)}
        if settings.video_source is not None:
            driving = stack.enter_context(_driving(settings.video_source, rate, height))
            panels["driving"] = _held(driving)
        panels |= {label: (_of_height(frame, height) for frame in _held(reader)) for label, reader in readers.items()}
        sound = settings.audio_path or settings.video_source
        writer = stack.enter_context(open_writer(output, fps=rate, audio=sound, quality=settings.quality))
        count = max(result.frames for result in results.values())
        across = math.ceil(len(panels) / math.ceil(len(panels) / IN_A_ROW))
        for _ in range(count):
            row = labelled([next(frames) for frames in panels.values()], list(panels))
            writer.write(grid([row[start : start + across] for start in range(0, len(row), across)]))
    return count


def _driving(path: Path, rate: Fraction, height: int) -> VideoReader:
    return open_video(path, fps=rate, size=(height, height), square=True)


def _held(frames: VideoReader) -> Iterator[Frame]:
    """Frames of a video, the last one for ever."""
    last = None
    for last in frames:
        yield last
    yield from repeat(last) if last is not None else ()


def _of_height(frame: Frame, height: int) -> Frame:
    return resize(frame, (height, max(2, round(height * frame.shape[1] / frame.shape[0]) // 2 * 2)))


def _report(settings: Settings, results: Mapping[str, Result], output: Path, notes: list[str]) -> Report:
    """Measure the results against the driver's face, or by themselves where a voice moves them."""
    assert settings.image_source is not None  # noqa: S101 (checked by `run`)
    tools = MetricTools(root=settings.checkpoint_root)
    chosen = choose_metrics(["all"], tools)
    by_voice = speaks(settings) or settings.video_source is None
    metrics = {
        name: metric
        for name, metric in chosen.items()
        if not metric.aligned and metric.over == "clip" and (name in OF_A_VOICE or not by_voice)
    }
    rate, count = next(iter(results.values())).fps, min(result.frames for result in results.values())
    streams = {
        label: FrameStream(open_video(result.path, size=(SIDE, SIDE), square=True), result.path)
        for label, result in results.items()
    }
    source = to_tensor([resize(center_square(read_image(settings.image_source)), (SIDE, SIDE))], "cpu")
    first = next(iter(streams.values())).peek()
    driver = settings.video_source if not by_voice else None
    reader = None if driver is None else FrameStream(_driving(driver, rate, SIDE), driver)
    real = reader.take if reader is not None else lambda part: first.expand(part.stop - part.start, -1, -1, -1)
    facts = ClipFacts(rate, source, None, settings.audio_path or settings.video_source)
    shot = Shot(output.stem, output.stem, count, facts, real, {label: s.take for label, s in streams.items()})
    measured = measure("compare", [(output.stem, lambda: shot)], metrics, tools, chunk=settings.evaluate.chunk)
    report = Report.of(measured.scores, {"better": directions(metrics)}, notes, measured.of_sets)
    inputs = [path for path in (settings.image_source, settings.video_source, settings.audio_path) if path is not None]
    described = protocol(
        ["compare"],
        {path.name: file_hash(path) for path in inputs},
        metrics,
        {label: result.weights for label, result in results.items()},
        {"seed": settings.seed},
    )
    folder = output.with_name(f"{output.stem}_report")
    speeds = {"compare": {label: (result.elapsed_s, result.frames) for label, result in results.items()}}
    title = f"{settings.image_source.name} through all models"
    write_reports(folder, title, {"compare": report}, measured.stills, speeds, described, lacking_metrics(tools), notes)
    return report
