"""What each person of a source does: the drivers' motions, fitted to them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..types import Motion
from . import steps
from .draw import Act
from .driven import Driven, Recorded
from .driving import save_driving
from .model import LoadedModel, model_options
from .motions import as_taken, held, with_angles
from .plan import Plan
from .roles import Cue, is_picture
from .scene import Person, Scene

if TYPE_CHECKING:
    from ..config.schema import Settings


def rehearse(
    model: LoadedModel, plan: Plan, scene: Scene, driven: Mapping[Cue, Driven], settings: Settings
) -> tuple[list[Act], tuple[str, ...]]:
    """(what each person does, notes). All acts are as long as the longest: who has less holds the last frame."""
    longest = max(one.length for one in driven.values())
    notes = [
        f"{one.path}: ends after {one.length} of {longest} frames; its last one is held"
        for one in driven.values()
        if one.length < longest
    ]
    acts = []
    for person in scene.people:
        moving = driven[person.cue]
        motion = moving.motion_for(person.seen)
        if settings.save_motion is not None and not isinstance(moving, Recorded):
            notes += save_spoken(settings.save_motion, moving, motion, person, scene, model, settings)
        motion = held(as_taken(motion, model.renderer.takes), longest)
        motion = with_angles(motion, settings.input_yaw, settings.input_pitch, settings.input_roll)
        options, said = movement(settings, plan, moving)
        motion = steps.retarget(model.plugin, model.driver, person.seen, motion, options, where=moving.path)
        acts.append(Act(person.state, motion))
        notes += said
    return acts, tuple(notes)


def save_spoken(
    path: Path, moving: Driven, motion: Motion, person: Person, scene: Scene, model: LoadedModel, settings: Settings
) -> list[str]:
    """Write what a voice made for the first person of a source; returns a note where others speak too."""
    if person is not scene.people[0]:
        return [f"{path}: holds the motion of the first of {len(scene.people)} people"]
    save_driving(path, moving, motion, model, settings)
    return []


def movement(settings: Settings, plan: Plan, driven: Driven) -> tuple[dict[str, Any], tuple[str, ...]]:
    """(the model's inference settings, notes): what the user asked for, where it makes sense.

    A change since the first frame needs a movement: a single driving picture has none. In same-identity the first frame
    is the source, so that the pose itself is right, and a voice speaks with the source's own face.
    """
    options = model_options(settings)
    if not isinstance(driven, Recorded):
        return options | {"relative": False}, ()
    single = is_picture(driven.path) or (driven.length == 1 and settings.frame_limit != 1)
    if plan.same_identity or single:
        options["relative"] = False
    if single and settings.relative and not plan.same_identity:
        return options, (f"{driven.path} is one frame: its pose itself is taken, as with --no-relative",)
    return options, ()
