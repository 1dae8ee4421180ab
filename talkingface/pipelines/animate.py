"""Animate one picture, or each picture of a folder, as the settings say."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import save_settings
from ..config.schema import Movement
from ..errors import MediaError, TalkingFaceError
from ..media.video import VideoReader
from ..types import Motion, Source
from . import steps
from .compose import compose
from .frames import Frame, to_frames
from .framing import View, view_of
from .model import LoadedModel, load_model
from .plan import Plan, is_picture, plan_each, plan_one
from .progress import SILENT, Progress
from .source import prepare_source

if TYPE_CHECKING:
    from ..config.schema import Settings


@dataclass(frozen=True)
class Result:
    """One finished animation.

    Attributes:
        path: the file or folder written.
        frames: how many frames it has.
        fps: frames per second, exact.
        seconds: its length, ``frames / fps``.
        weights: the weights used, in one line.
        warnings: what was degraded, and what the user should know.
        settings: the settings of the run.
        elapsed_s: how long it took to make, without loading the model.
    """

    path: Path
    frames: int
    fps: Fraction
    seconds: float
    weights: str
    warnings: tuple[str, ...]
    settings: Settings
    elapsed_s: float


@dataclass(frozen=True)
class Batch:
    """The finished animations of several pictures, and the pictures that failed with their errors."""

    results: list[Result] = field(default_factory=list)
    failures: list[tuple[Path, TalkingFaceError]] = field(default_factory=list)


@dataclass(frozen=True)
class Scene:
    """A source, ready to be moved.

    Attributes:
        source: in the renderer's size.
        seen: the same in the driver's size.
        state: what the renderer keeps of it.
        view: the part of the picture that it is.
        elapsed_s: how long that took.
    """

    source: Source
    seen: Source
    state: Any
    view: View
    elapsed_s: float


@dataclass(frozen=True)
class Driven:
    """The motion of a driving video; the same for every source.

    Attributes:
        motion: one entry per frame.
        view: the part of the frames that was looked at.
        warnings: what decoding had to say, for example about a truncated tail.
        elapsed_s: how long it took.
    """

    motion: Motion
    view: View
    warnings: tuple[str, ...]
    elapsed_s: float


def animate(settings: Settings, progress: Progress = SILENT) -> Result:
    """Animate one picture by a video, or re-enact a video by its own first frame.

    Raises:
        TalkingFaceError: anything the user can mend; no half-written output stays.
    """
    batch = _animate_plans([plan_one(settings)], settings, progress)
    for _, error in batch.failures:
        raise error
    return batch.results[0]


def animate_each(settings: Settings, progress: Progress = SILENT) -> Batch:
    """Animate every picture of the folder ``image_source`` by one video, whose motion is made once.

    A picture that fails is noted and left out; the others go on, and finished results stay. A plain picture is a
    folder of one.

    Raises:
        TalkingFaceError: what concerns all of them: settings, weights, the driving video.
    """
    return _animate_plans(plan_each(settings), settings, progress)


def _animate_plans(plans: list[Plan], settings: Settings, progress: Progress) -> Batch:
    model = load_model(settings)
    progress.note(model.weights)
    batch = Batch()
    driven: Driven | None = None
    for plan in plans:
        try:
            scene = set_scene(model, plan.source, settings)
        except TalkingFaceError as error:
            batch.failures.append((plan.source, error))
            continue
        # The long part begins only once there is a source to move.
        driven = driven or drive_video(model, plan.driving, settings, progress)
        try:
            batch.results.append(animate_scene(model, plan, scene, driven, settings, progress))
        except TalkingFaceError as error:
            batch.failures.append((plan.source, error))
    return batch


def set_scene(model: LoadedModel, path: Path, settings: Settings) -> Scene:
    """Read a source and let the renderer encode it."""
    start = time.perf_counter()
    view = look_at(model, path, settings)
    source = seen = prepare_source(path, model.renderer.size, model.device, view.square)
    if model.driver.size != model.renderer.size:
        seen = prepare_source(path, model.driver.size, model.device, view.square)
    state = steps.encode_source(model.renderer, source)
    return Scene(source, seen, state, view, time.perf_counter() - start)


def look_at(model: LoadedModel, path: Path, settings: Settings) -> View:
    """The part of a picture or video to show the model: with ``if_align`` the subject, else the central square."""
    return view_of(model.driver, path, model.device) if settings.if_align else View()


def drive_video(model: LoadedModel, path: Path, settings: Settings, progress: Progress = SILENT) -> Driven:
    """The motion of a driving video, gif, folder of frames or picture."""
    start = time.perf_counter()
    steps.check_drivable(model.driver, path)
    view = look_at(model, path, settings)
    with open_frames(path, model.driver.size, view, settings) as reader:
        frames = progress.track(reader, "drive", reader.frames)
        motion = steps.drive(model.driver, frames, reader.fps, chunk=settings.batch_size, device=model.device)
    if len(motion) == 0:
        raise MediaError("no frame could be read", where=path)
    return Driven(motion, view, tuple(reader.warnings), time.perf_counter() - start)


def animate_scene(
    model: LoadedModel, plan: Plan, scene: Scene, driven: Driven, settings: Settings, progress: Progress = SILENT
) -> Result:
    """Carry the driving's movement over to the source and write the result."""
    start = time.perf_counter()
    options, notes = movement(settings, plan, frames=len(driven.motion))
    motion = steps.retarget(model.plugin, model.driver, scene.seen, driven.motion, options)
    frames = progress.track(draw(model, scene, motion, driven.view, plan, settings), "render", len(motion))
    count, degraded = steps.write(
        frames,
        plan.output,
        fps=motion.fps,
        sound=plan.sound,
        sound_s=len(motion) / motion.fps,
        quality=settings.quality,
    )
    save_settings(settings, plan.output.with_name(f"{plan.output.name}.yaml"))
    return Result(
        path=plan.output,
        frames=count,
        fps=motion.fps,
        seconds=float(count / motion.fps),
        weights=model.weights,
        warnings=(*plan.notes, *views(plan, scene, driven), *driven.warnings, *notes, *degraded),
        settings=settings,
        elapsed_s=scene.elapsed_s + driven.elapsed_s + time.perf_counter() - start,
    )


def views(plan: Plan, scene: Scene, driven: Driven) -> tuple[str, ...]:
    """What there is to say about the parts shown; source and driving of the same file share one."""
    notes = [scene.view.note] if plan.same_identity else [scene.view.note, driven.view.note]
    return tuple(note for note in notes if note)


def movement(settings: Settings, plan: Plan, *, frames: int) -> tuple[dict[str, Any], tuple[str, ...]]:
    """(the model's inference settings, notes): what the user asked for, where it makes sense.

    A change since the first frame needs a movement: a single driving picture has none, and in same-identity the first
    frame is the source, so that the pose itself is right.

    Args:
        frames: how many driving frames there are.
    """
    options = {name: getattr(settings, name) for name in Movement.model_fields}
    single = is_picture(plan.driving) or (frames == 1 and settings.frame_limit != 1)
    if plan.same_identity or single:
        options["relative"] = False
    if single and settings.relative and not plan.same_identity:
        return options, (f"{plan.driving} is one frame: its pose itself is taken, as with --no-relative",)
    return options, ()


def draw(
    model: LoadedModel, scene: Scene, motion: Motion, view: View, plan: Plan, settings: Settings
) -> Iterator[Frame]:
    """The frames of the result, uint8, as they are drawn; with ``--compare`` or ``--visualize`` in a grid.

    For the grid the driving video is decoded a second time, so that no frame has to be kept.

    Args:
        view: the part of the driving frames that was looked at.
    """
    results = steps.render(model.renderer, scene.state, motion, chunk=settings.batch_size)
    if not (settings.compare or settings.visualize):
        return results
    inner: Iterator[list[Frame]] = repeat([], len(motion))
    if settings.visualize:
        inner = steps.explain(model.renderer, scene.state, motion, chunk=settings.batch_size)
    driving = _driving_frames(plan.driving, model.renderer.size, view, settings)
    return compose(to_frames(scene.source.image)[0], driving, results, inner)


def _driving_frames(path: Path, size: tuple[int, int], view: View, settings: Settings) -> Iterator[Frame]:
    with open_frames(path, size, view, settings) as reader:
        yield from reader


def open_frames(path: Path, size: tuple[int, int], view: View, settings: Settings) -> VideoReader:
    """The driving frames that the settings ask for, cut to the view and scaled to ``size`` (height, width)."""
    return steps.open_driving(path, size, fps=settings.fps, frame_limit=settings.frame_limit, square=view.square)
