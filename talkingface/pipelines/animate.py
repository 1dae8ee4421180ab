"""Animate one picture, or each picture of a folder, as the settings say."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import save_settings
from ..config.schema import Movement
from ..errors import TalkingFaceError
from . import enhanced, steps
from .draw import Act, draw
from .driving import Driven, drive, save_driving
from .face_video import write_face_video
from .finder import Finder
from .model import LoadedModel, load_model
from .motions import held
from .plan import Plan, plan_each, plan_one
from .progress import SILENT, Progress
from .roles import is_picture
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
    """Animate one picture by a video or a saved motion, or re-enact a video by its own first frame.

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


class Cast:
    """The drivers of a run; the motion of each is made when it is first needed, and kept for all sources."""

    def __init__(self, model: LoadedModel, finder: Finder, settings: Settings, progress: Progress) -> None:
        self._model, self._finder, self._settings, self._progress = model, finder, settings, progress
        self._driven: dict[Path, Driven] = {}

    def of(self, path: Path) -> Driven:
        """A driver's motion. All have the rate of the first that was asked for."""
        if path not in self._driven:
            fps = next((driven.motion.fps for driven in self._driven.values()), None)
            driven = drive(self._model, self._finder, path, self._settings, self._progress, fps=fps)
            if self._settings.save_motion is not None:
                save_driving(self._settings.save_motion, driven, self._model, self._settings)
            self._driven[path] = driven
        return self._driven[path]


def _animate_plans(plans: list[Plan], settings: Settings, progress: Progress) -> Batch:
    enhancement = enhanced.open_enhancement(settings)
    model = load_model(settings)
    finder = Finder(settings, model.driver, model.device)
    progress.note(model.weights)
    progress.note(f"faces: {finder.name}")
    cast = Cast(model, finder, settings, progress)
    batch = Batch()
    for plan in plans:
        shared = cast.of(plan.driving).crop if plan.same_identity else None
        try:
            scene = set_scene(model, finder, plan, settings, shared=shared)
        except TalkingFaceError as error:
            batch.failures.append((plan.source, error))
            continue
        # The long part begins only once there is a source to move.
        paths = [role.driving for role in plan.roles if role.driving in {one.driving for one in scene.people}]
        driven = {path: cast.of(path) for path in paths}
        try:
            batch.results.append(animate_scene(model, plan, scene, driven, settings, progress, enhancement))
        except TalkingFaceError as error:
            batch.failures.append((plan.source, error))
    return batch


def animate_scene(
    model: LoadedModel,
    plan: Plan,
    scene: Scene,
    driven: Mapping[Path, Driven],
    settings: Settings,
    progress: Progress = SILENT,
    enhancement: enhanced.Enhancement | None = None,
) -> Result:
    """Carry the drivers' movement over to the people of the source and write the result.

    Args:
        driven: the drivers of these people; the first one sets the rate.
    """
    start = time.perf_counter()
    fps = next(iter(driven.values())).motion.fps
    acts, notes = rehearse(model, plan, scene, driven, settings)
    length = len(acts[0].motion)
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
        progress.note(write_face_video(next(iter(driven.values())), plan.output, settings, progress))
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


def rehearse(
    model: LoadedModel, plan: Plan, scene: Scene, driven: Mapping[Path, Driven], settings: Settings
) -> tuple[list[Act], tuple[str, ...]]:
    """(what each person does, notes). All acts are as long as the longest: who has less holds the last frame."""
    lengths = {path: len(one.motion) for path, one in driven.items()}
    longest = max(lengths.values())
    notes = [
        f"{path}: ends after {length} of {longest} frames; its last one is held"
        for path, length in lengths.items()
        if length < longest
    ]
    acts = []
    for person in scene.people:
        moving = driven[person.driving]
        options, said = movement(settings, plan, moving)
        motion = steps.retarget(model.plugin, model.driver, person.seen, moving.motion, options, where=person.driving)
        acts.append(Act(person.state, held(motion, longest)))
        notes += said
    return acts, tuple(notes)


def movement(settings: Settings, plan: Plan, driven: Driven) -> tuple[dict[str, Any], tuple[str, ...]]:
    """(the model's inference settings, notes): what the user asked for, where it makes sense.

    A change since the first frame needs a movement: a single driving picture has none, and in same-identity the first
    frame is the source, so that the pose itself is right.
    """
    options = {name: getattr(settings, name) for name in Movement.model_fields}
    single = is_picture(driven.path) or (len(driven.motion) == 1 and settings.frame_limit != 1)
    if plan.same_identity or single:
        options["relative"] = False
    if single and settings.relative and not plan.same_identity:
        return options, (f"{driven.path} is one frame: its pose itself is taken, as with --no-relative",)
    return options, ()
