"""Animate one picture, or each picture of a folder, as the settings say."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import save_settings
from ..config.schema import Movement
from ..errors import ConfigError, TalkingFaceError
from . import enhanced
from .cast import Cast
from .checks import check_settings
from .draw import draw
from .driven import Driven
from .face_video import write_face_video
from .finder import Finder
from .inversion import keep_inversion
from .model import LoadedModel, load_model
from .plan import Plan, plan_each, plan_one
from .progress import SILENT, Progress
from .rehearsal import rehearse
from .roles import Cue
from .scene import Scene, set_scene

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


@dataclass(frozen=True)
class Batch:
    """The finished animations of several pictures, and the pictures that failed with their errors."""

    results: list[Result] = field(default_factory=list)
    failures: list[tuple[Path, TalkingFaceError]] = field(default_factory=list)


def animate(settings: Settings, progress: Progress = SILENT) -> Result:
    """Animate one picture by a video, a sound, a saved motion or by itself, or re-enact a video by its own first frame.

    Raises:
        TalkingFaceError: anything the user can mend; no half-written output stays.
    """
    check_settings(settings)
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
    check_settings(settings)
    return _animate_plans(plan_each(settings), settings, progress)


def _animate_plans(plans: list[Plan], settings: Settings, progress: Progress) -> Batch:
    enhancement = enhanced.open_enhancement(settings)
    model = load_model(settings)
    check_wishes(settings, model)
    reader = model.reader
    keep_mesh = reader is not None and reader.needs_mesh
    finder = Finder(settings, model.driver, model.device, framing=model.renderer.framing, keep_mesh=keep_mesh)
    progress.note(model.weights)
    progress.note(f"faces: {finder.name}" + (f"; {reader.label}" if reader is not None else ""))
    cast = Cast(model, finder, settings, progress)
    batch = Batch()
    for plan in plans:
        shared = cast.shared(plan.roles[0]) if plan.same_identity else None
        try:
            scene = set_scene(model, finder, plan, settings, shared=shared)
        except TalkingFaceError as error:
            batch.failures.append((plan.source, error))
            continue
        keep_inversion(model, scene, settings)
        # The long part begins only once there is a source to move.
        cues = {person.cue for person in scene.people}
        driven = {role.cue: cast.of(role) for role in plan.roles if role.cue in cues}
        try:
            batch.results.append(animate_scene(model, plan, scene, driven, settings, progress, enhancement))
        except TalkingFaceError as error:
            batch.failures.append((plan.source, error))
    return batch


def check_wishes(settings: Settings, model: LoadedModel) -> None:
    """Refuse wishes that need coefficients where the model has motions of another kind.

    Raises:
        ConfigError: names the flag.
    """
    if model.reader is not None:
        return
    usual = Movement()
    for name in ("expression_scale", "still", "input_yaw", "input_pitch", "input_roll"):
        if getattr(settings, name) != getattr(usual, name):
            what = f"{settings.model} moves points of its own, which no flag can tell head from expression"
            raise ConfigError(what, where=f"--{name}", cure="Choose a --model with face coefficients, or leave it out.")


def animate_scene(
    model: LoadedModel,
    plan: Plan,
    scene: Scene,
    driven: Mapping[Cue, Driven],
    settings: Settings,
    progress: Progress = SILENT,
    enhancement: enhanced.Enhancement | None = None,
) -> Result:
    """Carry the drivers' movement over to the people of the source and write the result.

    Args:
        driven: the drivers of these people; the first one sets the rate.
    """
    start = time.perf_counter()
    fps = next(iter(driven.values())).rate
    acts, notes = rehearse(model, plan, scene, driven, settings)
    length = len(acts[0].motion)
    note = model.renderer.expect(length, settings.compile)
    if note:
        progress.note(note)
    frames = progress.track(draw(model, scene, acts, driven, settings), "render", length)
    count, degraded = enhanced.write(
        frames,
        plan.output,
        enhancement,
        fps=fps,
        sound=plan.sound,
        sound_s=length / fps,
        quality=settings.quality,
        progress=progress,
    )
    if settings.face3dvis:
        first = scene.people[0]
        progress.note(write_face_video(driven[first.cue], first, acts[0].motion, plan.output, settings, progress))
    save_settings(settings, plan.output.with_name(f"{plan.output.name}.yaml"))
    said = (note for one in driven.values() for note in one.notes)
    return Result(
        path=plan.output,
        frames=count,
        fps=fps,
        seconds=float(count / fps),
        weights=model.weights,
        faces=scene.faces,
        warnings=tuple(dict.fromkeys((*plan.notes, *scene.notes, *said, *notes, *degraded))),
        settings=settings,
        elapsed_s=scene.elapsed_s + sum(one.elapsed_s for one in driven.values()) + time.perf_counter() - start,
    )
