"""The source, ready to be moved: its people, each encoded once, and how the result shows them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...face.crop.crop import Crop
from ...media.image import is_transparent
from ...media.pictures import is_picture
from ...media.video import probe
from ...models.base import Renderer
from ...types import Source
from ...weights.load import save_networks
from ..draw.compose import Compositor, open_compositor
from ..draw.render import encode_source
from ..drivers import DriverAssignment, DriverKey, DrivingMotion
from ..frames import Frame
from ..model import LoadedModel
from ..plan.inputs import Plan
from ..plan.options import OutputOptions
from .coefficients import Rows
from .crops import Cropper
from .motion_reader import Place
from .video import read_crop, read_picture


@dataclass(frozen=True)
class Person:
    """One who is moved.

    Attributes:
        key: of the driver that moves it.
        read: its part of the source as the motion reader sees it.
        state: what the renderer keeps of that part.
        row: (1, 260), coefficients of its face in that part; None for models that take none.
        crop: its part of the source, at the renderer's size.
    """

    key: DriverKey
    read: Source
    state: Any
    row: Rows | None
    crop: Crop


@dataclass(frozen=True)
class PreparedSource:
    """A source, ready to be moved.

    Attributes:
        people: from left to right.
        compositor: makes frames of the result.
        faces: what looked for faces.
        notes: what the user should know about them.
        elapsed_s: how long that took.
    """

    people: tuple[Person, ...]
    compositor: Compositor
    faces: str
    notes: tuple[str, ...]
    elapsed_s: float


def prepare_source(
    model: LoadedModel,
    cropper: Cropper,
    plan: Plan,
    options: OutputOptions,
    *,
    shared: DrivingMotion | None = None,
) -> PreparedSource:
    """Read a source, find who is to be moved, and let the renderer encode them.

    Args:
        shared: of the driving video, where that is the source as well.

    Raises:
        MediaError, FaceError: it cannot be read, or it is not clear whom to move.
    """
    began = time.perf_counter()
    notes: list[str] = []
    number = frame_of(plan.source, cropper, shared, notes.append)
    picture = read_picture(plan.source, number)
    if is_picture(plan.source) and is_transparent(plan.source):
        notes.append(f"{plan.source}: its transparent parts are white in the result, which has no transparency")
    places = None if shared is None else shared_places(shared, picture, cropper, model.renderer)
    if places is None:
        places = cropper.people(plan.source, picture, plan.assignments, model.renderer.size, notes.append)
    cuts = [read_crop(plan.source, picture, place.crop, number) for place in places]
    people = [_person(model, plan, picture, place, cut, number) for place, cut in zip(places, cuts, strict=True)]
    compositor = open_compositor(picture, [place.crop for place in places], cuts, options, plan.output)
    if compositor.note:
        notes.append(f"{plan.source}: {compositor.note}")
    return PreparedSource(tuple(people), compositor, cropper.name, tuple(notes), time.perf_counter() - began)


def frame_of(source: Path, cropper: Cropper, shared: DrivingMotion | None, notify: Callable[[str], None]) -> int:
    """Number of the frame of a source video that is animated, the first that shows a face well; 0 for a picture."""
    if is_picture(source):
        return 0
    number = cropper.first_good(source) if shared is None else own_number(source, shared)
    if number:
        notify(f"{source} is a video: its frame {number} is the source, the first with a face that can be used")
    elif shared is None:
        notify(f"{source} is a video: its first frame is the source")
    return number


def own_number(source: Path, shared: DrivingMotion) -> int:
    """Number, at the video's own rate, of the frame in which the driving face is first seen."""
    own = probe(source).fps
    if shared.fps is None or own is None or source.is_dir():
        return shared.start
    return round(shared.start * own / shared.fps)


def shared_places(shared: DrivingMotion, picture: Frame, cropper: Cropper, renderer: Renderer) -> list[Place] | None:
    """Places of whom a video moves that is the source as well; None where they have to be looked for."""
    if shared.crop is None:
        return None
    if shared.face is None or renderer.framing == "face":
        return [Place(shared.crop.resized(renderer.size), 0, shared.face)]
    return [cropper.place(shared.face, 0, renderer.size, (picture.shape[0], picture.shape[1]))]


def _person(model: LoadedModel, plan: Plan, picture: Frame, place: Place, cut: Frame, number: int) -> Person:
    reading = model.reader.read_source(plan.source, picture, place, cut, number)
    state = encode_source(model.renderer, reading.drawn)
    key = assignment_of(place.number, plan.assignments).key
    return Person(key, reading.read, state, reading.row, place.crop)


def assignment_of(face: int, assignments: Sequence[DriverAssignment]) -> DriverAssignment:
    """Assignment of a face: the one that names it, else the one for all others."""
    named = next((assignment for assignment in assignments if assignment.face == face), None)
    return named or next(assignment for assignment in assignments if assignment.face is None)


def keep_found(model: LoadedModel, source: PreparedSource, options: Mapping[str, Any]) -> None:
    """Write what took long to find in the first person of a source, where the model's options name a file for it."""
    path = model.plugin.file_for_kept(options)
    if path is None:
        return
    found = dict(model.renderer.kept(source.people[0].state))
    path.parent.mkdir(parents=True, exist_ok=True)
    save_networks(path, {"inversion": found}, {"model": model.plugin.name})
