"""Fitting the drivers' motions to each person of a source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..media.pictures import is_picture
from .draw.render import PersonMotion, retarget
from .drivers import Driver, DriverKey, DrivingMotion
from .model import LoadedModel
from .motions import as_taken, held, with_angles
from .plan.inputs import Plan
from .plan.options import MovementOptions
from .read.source import PreparedSource


def retarget_all(
    model: LoadedModel,
    plan: Plan,
    source: PreparedSource,
    drivers: Mapping[DriverKey, Driver],
    options: MovementOptions,
) -> tuple[list[PersonMotion], tuple[str, ...]]:
    """Fit motions to the people of a source.

    Returns:
        (motions, all as long as the longest, where those that are shorter hold their last frame; notes).
    """
    longest = max(driver.length for driver in drivers.values())
    notes = [
        f"{driver.key.path}: ends after {driver.length} of {longest} frames; its last one is held"
        for driver in drivers.values()
        if driver.length < longest
    ]
    people = []
    for person in source.people:
        driving = drivers[person.key].drive(person.read)
        if options.save_motion is not None and driving.for_source:
            if person is source.people[0]:
                driving.save(options.save_motion, model.weights, options.face_scale)
            else:
                notes.append(f"{options.save_motion}: holds the motion of the first of {len(source.people)} people")
        motion = held(as_taken(driving.motion, model.renderer.takes), longest)
        motion = with_angles(motion, options.yaw, options.pitch, options.roll)
        wanted, more = movement(options, plan, driving)
        motion = retarget(model.plugin, model.reader, person.read, motion, wanted, where=driving.path)
        people.append(PersonMotion(person.state, motion, driving))
        notes += (*driving.notes, *more)
    return people, tuple(dict.fromkeys(notes))


def movement(options: MovementOptions, plan: Plan, driving: DrivingMotion) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Inference settings of the model where they make sense, and notes.

    A change since the first frame needs a movement: a single driving picture has none. In same-identity the first frame
    is the source, so that the pose itself is right, and a voice speaks with the source's own face.
    """
    model = dict(options.model)
    if driving.for_source:
        return model | {"relative": False}, ()
    single = is_picture(driving.path) or (len(driving.motion) == 1 and not options.single_frame)
    relative = model.get("relative", True)
    if plan.same_identity or single:
        model["relative"] = False
    if single and relative and not plan.same_identity:
        return model, (f"{driving.path} is one frame: its pose itself is taken, as with --no-relative",)
    return model, ()
