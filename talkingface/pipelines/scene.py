"""The source, ready to be moved: its people, each encoded once, and how the result shows them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ..face.crop.crop import Crop
from ..models.base import Renderer
from ..motion.coefficients import Coefficients, row73
from ..types import Source
from . import steps
from .coefficients import Rows
from .driven import Recorded
from .finder import Finder, Place
from .frames import Frame, to_tensor
from .model import LoadedModel
from .plan import Plan
from .roles import Cue, Role, is_picture
from .source import read_crop, read_picture
from .stage import Stage, make_stage

if TYPE_CHECKING:
    from ..config.schema import Settings


@dataclass(frozen=True)
class Person:
    """One who is moved.

    Attributes:
        cue: what moves it.
        seen: its part of the source as the driver sees it.
        state: what the renderer keeps of that part.
        row: (1, 260), coefficients of its face in that part; None for models that take none.
        crop: its part of the source, at the renderer's size.
    """

    cue: Cue
    seen: Source
    state: Any
    row: Rows | None
    crop: Crop


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
    model: LoadedModel, finder: Finder, plan: Plan, settings: Settings, *, shared: Recorded | None = None
) -> Scene:
    """Read a source, find who is to be moved, and let the renderer encode them.

    Args:
        shared: the driving video, where that is the source as well.

    Raises:
        MediaError, FaceError: it cannot be read, or it is not clear whom to move.
    """
    start = time.perf_counter()
    told: list[str] = []
    number = frame_of(plan.source, finder, shared, told.append)
    picture = read_picture(plan.source, number)
    places = None if shared is None else shared_places(shared, picture, finder, model.renderer)
    if places is None:
        places = finder.people(plan.source, picture, plan.roles, model.renderer.size, told.append)
    sources = [read_crop(plan.source, picture, place.crop, number) for place in places]
    people = [
        _person(model, plan, picture, place, source, number) for place, source in zip(places, sources, strict=True)
    ]
    stage = make_stage(picture, [place.crop for place in places], sources, settings, plan.output)
    notes = (*told, f"{plan.source}: {stage.note}") if stage.note else tuple(told)
    return Scene(tuple(people), stage, finder.name, notes, time.perf_counter() - start)


def frame_of(source: Path, finder: Finder, shared: Recorded | None, tell: Callable[[str], None]) -> int:
    """Number of the frame of a source video that is animated, the first that shows a face well; 0 for a picture."""
    if is_picture(source):
        return 0
    number = finder.first_good(source) if shared is None else shared.start
    if number:
        tell(f"{source} is a video: its frame {number} is the source, the first with a face that can be used")
    elif shared is None:
        tell(f"{source} is a video: its first frame is the source")
    return number


def shared_places(shared: Recorded, picture: Frame, finder: Finder, renderer: Renderer) -> list[Place] | None:
    """Whom a video moves that is the source as well; None where that has to be looked for."""
    if shared.crop is None:
        return None
    if shared.face is None or renderer.framing == "face":
        return [Place(shared.crop.resized(renderer.size), 0, shared.face)]
    return [finder.place(shared.face, 0, renderer.size, (picture.shape[0], picture.shape[1]))]


def _person(model: LoadedModel, plan: Plan, picture: Frame, place: Place, source: Frame, number: int) -> Person:
    drawn = Source(to_tensor([source], model.device))
    seen, row = drawn, None
    if model.reader is not None:
        assert place.face is not None  # noqa: S101 (a finder for coefficients gives one, or raises)
        row = model.reader.of_picture(picture, place.crop, place.face)
        seen = drawn = Source(drawn.image, torch.from_numpy(row73(row)), torch.from_numpy(Coefficients(row).id))
    elif model.driver is not None and model.driver.size != model.renderer.size:
        small = read_crop(plan.source, picture, place.crop.resized(model.driver.size), number)
        seen = Source(to_tensor([small], model.device))
    state = steps.encode_source(model.renderer, drawn)
    return Person(role_of(place.number, plan.roles).cue, seen, state, row, place.crop)


def role_of(face: int, roles: Sequence[Role]) -> Role:
    """What moves a face: the role that names it, else the one for all others."""
    named = next((role for role in roles if role.face == face), None)
    return named or next(role for role in roles if role.face is None)
