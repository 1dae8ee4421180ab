"""Animate one picture, or each picture of a folder, as the settings say."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import save_settings
from ..config.schema import Movement
from ..errors import ConfigError, TalkingFaceError
from ..media.frame_rate import DEFAULT_FPS
from ..media.keep.names import ReservedNames
from ..media.pictures import is_picture
from ..media.probe import probe
from ..motion.kinds import of_coefficients
from .draw import enhance
from .draw.drawing import Drawing
from .draw.face_video import write_face_video
from .draw.kept import kept_work
from .draw.render import PersonMotion, draw
from .drivers import Driver, DriverContext, DriverKey
from .drivers.opened import OpenedDrivers
from .drivers.voices import VoiceLoader
from .model import LoadedModel, load_model, model_options
from .plan.checks import check_settings
from .plan.finished import mark, settings_file
from .plan.inputs import Plan, plan_each, plan_one
from .plan.options import (
    PREVIEW_HEIGHT,
    CropOptions,
    MovementOptions,
    OutputOptions,
    SpeechOptions,
    VideoOptions,
    preview_of,
)
from .progress import SILENT, Progress
from .read.crops import Cropper
from .read.source import Person, PreparedSource, keep_found, prepare_source
from .retarget import retarget_all

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
        faces: what looked for faces: a backend's name, or what took its place.
        warnings: what was degraded, and what the user should know.
        settings: the settings of the run.
        elapsed_s: how long it took to make, without loading the model.
        kept: true if an earlier run made it, of the same inputs and settings.
    """

    path: Path
    frames: int
    fps: Fraction
    seconds: float
    weights: str
    faces: str
    warnings: tuple[str, ...]
    settings: Settings
    elapsed_s: float
    kept: bool = False


@dataclass(frozen=True)
class BatchResult:
    """The finished animations of several pictures, and the pictures that failed with their errors."""

    results: list[Result] = field(default_factory=list)
    failures: list[tuple[Path, TalkingFaceError]] = field(default_factory=list)


@dataclass(frozen=True)
class Run:
    """A run: what all its sources share, and the slices of its settings.

    Attributes:
        model: with its weights.
        cropper: finds and cuts faces.
        drivers: opened when they are first needed.
        movement, output: slices of the settings.
        settings: all of them.
        asked: those that the result is saved with, if others: a preview is saved as the run that it is of.
        progress: shows how far the run is.
        enhancement: of finished frames, or None.
    """

    model: LoadedModel
    cropper: Cropper
    drivers: OpenedDrivers
    movement: MovementOptions
    output: OutputOptions
    settings: Settings
    progress: Progress = SILENT
    enhancement: enhance.Enhancement | None = None
    asked: Settings | None = None


def animate(settings: Settings, progress: Progress = SILENT) -> Result:
    """Animate one picture by a video, a sound, a saved motion or by itself, or re-enact a video by its own first frame.

    Raises:
        TalkingFaceError: anything the user can mend; no half-written output stays.
    """
    check_settings(settings)
    with ReservedNames() as names:
        batch = animate_plans([plan_one(settings, names)], settings, progress)
    for _, error in batch.failures:
        raise error
    return batch.results[0]


def animate_each(settings: Settings, progress: Progress = SILENT) -> BatchResult:
    """Animate every picture of the folder ``image_source`` by one video, whose motion is made once.

    A picture that fails is noted and left out; the others go on, and finished results stay. A plain picture is a
    folder of one.

    Raises:
        TalkingFaceError: what concerns all of them: settings, weights, the driving video.
    """
    check_settings(settings)
    with ReservedNames() as names:
        return animate_plans(plan_each(settings, names), settings, progress)


def animate_plans(plans: list[Plan], settings: Settings, progress: Progress) -> BatchResult:
    """Animate as planned; errors as :func:`animate_each`."""
    finished = {plan.output: _kept_result(plan, settings) for plan in plans if plan.finished}
    for path in finished:
        progress.note(f"{path}: finished by an earlier run of the same command, and kept (--restart makes it anew)")
    made = _animate_rest([plan for plan in plans if not plan.finished], settings, progress)
    there = finished | {result.path: result for result in made.results}
    return BatchResult([there[plan.output] for plan in plans if plan.output in there], made.failures)


def _kept_result(plan: Plan, settings: Settings) -> Result:
    """A result that was there, as it is found."""
    frames, fps = 1, DEFAULT_FPS
    if not is_picture(plan.output):
        info = probe(plan.output)
        frames, fps = info.frames or 1, info.fps or DEFAULT_FPS
    about: dict[str, Any] = {"weights": "", "faces": "", "warnings": (), "settings": settings, "elapsed_s": 0.0}
    return Result(plan.output, frames, fps, float(frames / fps), kept=True, **about)


def _animate_rest(plans: list[Plan], settings: Settings, progress: Progress) -> BatchResult:
    """Animate what no earlier run has finished."""
    if not plans:
        return BatchResult()
    asked = settings
    if settings.preview:
        settings = preview_of(settings)
        size = f"{settings.frame_limit} frames at most, {PREVIEW_HEIGHT} pixels high at most"
        progress.note(f"preview: {size}; the whole result without --preview")
    enhancement = enhance.open_enhancement(settings)
    model = load_model(settings)
    check_coefficient_settings(settings, model)
    run = replace(open_run(model, settings, progress, enhancement), asked=asked)
    progress.note(model.weights)
    progress.note("; ".join(filter(None, [f"faces: {run.cropper.name}", model.reader.label])))
    batch = BatchResult()
    for plan in plans:
        shared = run.drivers.get(plan.assignments[0]).recorded if plan.same_identity else None
        try:
            with progress.waiting(f"{plan.source}: looking at it"):
                source = prepare_source(model, run.cropper, plan, run.output, shared=shared)
        except TalkingFaceError as error:
            batch.failures.append((plan.source, error))
            continue
        keep_found(model, source, run.movement.model)
        # The long part begins only once there is a source to move.
        keys = {person.key for person in source.people}
        drivers = {one.key: run.drivers.get(one) for one in plan.assignments if one.key in keys}
        try:
            batch.results.append(animate_source(run, plan, source, drivers))
        except TalkingFaceError as error:
            batch.failures.append((plan.source, error))
    return batch


def open_run(
    model: LoadedModel,
    settings: Settings,
    progress: Progress = SILENT,
    enhancement: enhance.Enhancement | None = None,
) -> Run:
    """Open what all sources of a run share, and cut the settings into slices."""
    crop, video = CropOptions.of(settings), VideoOptions.of(settings)
    cropper = Cropper(crop, model.reader, model.device, framing=model.renderer.framing)
    voices = VoiceLoader(model, settings, progress)
    brought = {name: getattr(settings, name) for group in settings.DriverOptions for name in group.model_fields}
    context = DriverContext(model, cropper, video, SpeechOptions.of(settings), voices, progress, brought)
    return Run(
        model=model,
        cropper=cropper,
        drivers=OpenedDrivers(context, settings.save_motion),
        movement=MovementOptions.of(settings, model_options(settings)),
        output=OutputOptions.of(settings),
        settings=settings,
        progress=progress,
        enhancement=enhancement,
    )


def check_coefficient_settings(settings: Settings, model: LoadedModel) -> None:
    """Refuse settings that need coefficients where the model has motions of another kind.

    Raises:
        ConfigError: names the flag.
    """
    if of_coefficients(model.renderer.takes):
        return
    usual = Movement()
    for name in ("expression_scale", "still", "input_yaw", "input_pitch", "input_roll"):
        if getattr(settings, name) != getattr(usual, name):
            what = f"{settings.model} moves points of its own, which no flag can tell head from expression"
            raise ConfigError(what, where=f"--{name}", cure="Choose a --model with face coefficients, or leave it out.")


def animate_source(run: Run, plan: Plan, source: PreparedSource, drivers: Mapping[DriverKey, Driver]) -> Result:
    """Carry the drivers' movement over to the people of the source and write the result.

    Args:
        drivers: of these people; the first one sets the rate.
    """
    began = time.perf_counter()
    model, settings, progress = run.model, run.settings, run.progress
    fps = next(iter(drivers.values())).fps
    people, notes = retarget_all(model, plan, source, drivers, run.movement)
    length = len(people[0].motion)
    note = model.renderer.expect(length, settings.compile)
    if note:
        progress.note(note)
    drivings = [driver.recorded for driver in drivers.values() if driver.recorded is not None]
    shown = partial(draw, model.renderer, source.compositor, people, drivings, run.output)
    with kept_work(settings, plan, people, model.weights, progress) as work:
        count, degraded = enhance.write(
            Drawing(shown, length, progress=progress),
            plan.output,
            run.enhancement,
            fps=fps,
            sound=plan.sound,
            sound_s=length / fps,
            quality=settings.quality,
            progress=progress,
            work=work,
        )
        degraded = [*degraded, *_write_side_files(run, plan, source.people[0], people[0])]
    return Result(
        path=plan.output,
        frames=count,
        fps=fps,
        seconds=float(count / fps),
        weights=model.weights,
        faces=source.faces,
        warnings=tuple(dict.fromkeys((*plan.notes, *source.notes, *notes, *degraded))),
        settings=settings,
        elapsed_s=source.elapsed_s + sum(driver.elapsed_s for driver in drivers.values()) + time.perf_counter() - began,
    )


def _write_side_files(run: Run, plan: Plan, person: Person, moving: PersonMotion) -> list[str]:
    """Write what belongs beside a result; returns why something is missing, which costs nobody the result."""
    settings, notes = run.settings, []
    if settings.face3dvis:
        root = settings.weights_root
        how: dict[str, Any] = {"root": root, "quality": settings.quality, "progress": run.progress}
        try:
            run.progress.note(write_face_video(person, moving, plan.output, **how))
        except TalkingFaceError as error:
            notes.append(f"the face is not shown (--face3dvis): {error}")
    try:
        comment = mark(plan.output, plan.made_of) if plan.made_of else ""
        save_settings(run.asked or settings, settings_file(plan.output), comment)
    except OSError as error:
        notes.append(f"{settings_file(plan.output)}: the settings could not be saved ({error.strerror or error})")
    return notes
