"""The frames of a result, as they are drawn; no frame is kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Any

from ..types import Motion
from . import steps
from .compose import grid, side_by_side
from .driven import Driven
from .frames import Frame
from .model import LoadedModel
from .roles import Cue
from .scene import Scene

if TYPE_CHECKING:
    from ..config.schema import Settings


@dataclass(frozen=True)
class Act:
    """What one person does.

    Attributes:
        state: what the renderer keeps of that person.
        motion: fitted to the person; all acts of a scene are equally long.
    """

    state: Any
    motion: Motion


def draw(
    model: LoadedModel, scene: Scene, acts: Sequence[Act], driven: Mapping[Cue, Driven], settings: Settings
) -> Iterator[Frame]:
    """The frames of the result, uint8; with ``--compare`` or ``--visualize`` in a grid.

    People are drawn in turn, a chunk each. For the grid the driving videos are decoded a second time, so that no frame
    has to be kept.
    """
    chunk = settings.batch_size
    drawn = zip(*(steps.render(model.renderer, act.state, act.motion, chunk=chunk) for act in acts), strict=True)
    results = map(scene.stage.show, drawn)
    if not (settings.compare or settings.visualize):
        return results
    return _compared(model, scene, acts, results, driven, settings)


def _compared(
    model: LoadedModel,
    scene: Scene,
    acts: Sequence[Act],
    results: Iterator[Frame],
    driven: Mapping[Cue, Driven],
    settings: Settings,
) -> Iterator[Frame]:
    """Grids: source | driving | result, and with ``--visualize`` the renderer's inner pictures, a row a person."""
    length = len(acts[0].motion)
    readers = (one.frames(model.renderer.size, length) for one in driven.values())
    shown = [frames for frames in readers if frames is not None]
    driving: Iterator[tuple[Frame, ...]] = zip(*shown, strict=True) if shown else repeat((), length)
    inner: Iterator[tuple[list[Frame], ...]] = repeat((), length)
    if settings.visualize:
        chunk = settings.batch_size
        inner = zip(*(steps.explain(model.renderer, act.state, act.motion, chunk=chunk) for act in acts), strict=True)
    for frames, result, rows in zip(driving, results, inner, strict=True):
        yield grid([side_by_side(scene.stage.picture, frames, result), *rows])
