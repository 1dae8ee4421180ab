"""The source, ready to be moved: its people, each encoded once, and how the result shows them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..face.crop import Crop
from ..types import Source
from . import steps
from .finder import Finder, Place
from .frames import Frame, to_tensor
from .model import LoadedModel
from .plan import Plan
from .roles import Role
from .source import read_crop, read_picture
from .stage import Stage, make_stage

if TYPE_CHECKING:
    from ..config.schema import Settings


@dataclass(frozen=True)
class Person:
    """One who is moved.

    Attributes:
        driving: what moves it.
        seen: its part of the source in the driver's size.
        state: what the renderer keeps of that part.
    """

    driving: Path
    seen: Source
    state: Any


@dataclass(frozen=True)
class Scene:
    """A source, ready to be moved.

    Attributes:
        people: from left to right.
        stage: how the result shows them.
        faces: what looked for faces.
        notes: what the user should know about them.
        elapsed_s: how long that took.
    """

    people: tuple[Person, ...]
    stage: Stage
    faces: str
    notes: tuple[str, ...]
    elapsed_s: float


def set_scene(
    model: LoadedModel, finder: Finder, plan: Plan, settings: Settings, *, shared: Crop | None = None
) -> Scene:
    """Read a source, find who is to be moved, and let the renderer encode them.

    Args:
        shared: the part that was looked at in the driving video, where that is the source as well.

    Raises:
        MediaError, FaceError: it cannot be read, or it is not clear whom to move.
    """
    start = time.perf_counter()
    told: list[str] = []
    picture = read_picture(plan.source)
    if shared is not None:
        places = [Place(shared.resized(model.renderer.size))]
    else:
        places = finder.people(plan.source, picture, plan.roles, model.renderer.size, told.append)
    sources = [read_crop(plan.source, picture, place.crop) for place in places]
    people = [_person(model, plan, picture, place, source) for place, source in zip(places, sources, strict=True)]
    stage = make_stage(picture, [place.crop for place in places], sources, settings, plan.output)
    notes = (*told, f"{plan.source}: {stage.note}") if stage.note else tuple(told)
    return Scene(tuple(people), stage, finder.name, notes, time.perf_counter() - start)


def _person(model: LoadedModel, plan: Plan, picture: Frame, place: Place, source: Frame) -> Person:
    drawn = seen = Source(to_tensor([source], model.device))
    if model.driver.size != model.renderer.size:
        small = read_crop(plan.source, picture, place.crop.resized(model.driver.size))
        seen = Source(to_tensor([small], model.device))
    return Person(driver_of(place.number, plan.roles), seen, steps.encode_source(model.renderer, drawn))


def driver_of(face: int, roles: Sequence[Role]) -> Path:
    """What moves a face: the role that names it, else the one for all others."""
    named = next((role for role in roles if role.face == face), None)
    return (named or next(role for role in roles if role.face is None)).driving
