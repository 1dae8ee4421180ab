"""Steps of an animation, each callable alone: retarget, encode, render, explain, draw, write.

The driving video is decoded once and only its motion is kept; the frames drawn go straight into the encoder, so that
memory does not grow with the length of the clip.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any

import torch

from ..errors import MediaError
from ..media.formats import is_format
from ..media.image import PICTURE_ENDINGS, write_image
from ..media.writer import open_writer
from ..models.base import ModelPlugin, Renderer
from ..types import Motion, Source
from .compose import Compositor, grid, labelled, names_side_by_side, no_higher, side_by_side
from .drivers import DrivingMotion
from .frames import Frame, to_frames, windows
from .motion_reader import MotionReader
from .options import OutputOptions


@dataclass(frozen=True)
class PersonMotion:
    """Motion of one person of a source.

    Attributes:
        state: what the renderer keeps of that person.
        motion: fitted to the person; those of all people of a source are equally long.
        driving: what the motion was made of.
    """

    state: Any
    motion: Motion
    driving: DrivingMotion


def retarget(
    plugin: ModelPlugin,
    reader: MotionReader,
    source: Source,
    driving: Motion,
    options: Mapping[str, Any],
    *,
    where: object = None,
) -> Motion:
    """Fit the driving's movement to the source.

    Args:
        reader: reads the source's own motion.
        source: the source picture as the reader sees it.
        options: the model's inference settings, as named by its flags.
        where: what the motion came from, for errors.

    Raises:
        MotionError: the motion is not laid out as the model's own.
    """
    with torch.inference_mode():
        own = reader.own_motion(source, driving, where)
        return plugin.retarget(own, driving, options)


def encode_source(renderer: Renderer, source: Source) -> Any:
    """Encode all that depends on the source alone, in the renderer's own form."""
    with torch.inference_mode():
        return renderer.encode_source(source)


def render(renderer: Renderer, state: Any, motion: Motion, *, chunk: int = 4) -> Iterator[Frame]:
    """Draw the frames of a motion, uint8 (H, W, 3), ``chunk`` at a time, which does not change the numbers."""
    renderer.check(motion)
    for window, keep in windows(len(motion), chunk, renderer.radius):
        with torch.inference_mode():
            pictures = renderer.render_part(state, motion[window], keep)
        yield from to_frames(pictures)


def explain(renderer: Renderer, state: Any, motion: Motion, *, chunk: int = 4) -> Iterator[dict[str, Frame]]:
    """Draw for each frame the pictures, uint8 (H, W, 3) by name, that show how the renderer made it."""
    for window, keep in windows(len(motion), chunk, renderer.radius):
        with torch.inference_mode():
            inner = renderer.explain_part(state, motion[window], keep)
        columns = {name: to_frames(pictures) for name, pictures in inner.items()}
        for frame in range(keep.stop - keep.start):
            yield {name: column[frame] for name, column in columns.items()}


def draw(
    renderer: Renderer,
    compositor: Compositor,
    people: Sequence[PersonMotion],
    drivings: Sequence[DrivingMotion],
    options: OutputOptions,
) -> Iterator[Frame]:
    """Draw the frames of the result, (H, W, 3), uint8; with ``--compare`` or ``--visualize`` in a grid.

    People are drawn in turn, a chunk each. For the grid the driving videos are decoded a second time, so that no frame
    has to be kept.

    Args:
        people: from left to right.
        drivings: what the grid shows of them, in this order.
    """
    drawn = zip(*(render(renderer, p.state, p.motion, chunk=options.chunk) for p in people), strict=True)
    results: Iterator[Frame] = map(compositor.show, drawn)
    if options.compare or options.visualize:
        results = _compared(renderer, compositor, people, drivings, results, options)
    return results if options.highest is None else (no_higher(frame, options.highest) for frame in results)


def _compared(
    renderer: Renderer,
    compositor: Compositor,
    people: Sequence[PersonMotion],
    drivings: Sequence[DrivingMotion],
    results: Iterator[Frame],
    options: OutputOptions,
) -> Iterator[Frame]:
    """Grids: source | driving | result, and with ``--visualize`` the renderer's inner pictures, a row a person.

    Each picture has its name below it.
    """
    length = len(people[0].motion)
    readers = (driving.frames(renderer.size, length) for driving in drivings)
    shown = [frames for frames in readers if frames is not None]
    driving: Iterator[tuple[Frame, ...]] = zip(*shown, strict=True) if shown else repeat((), length)
    inner: Iterator[tuple[dict[str, Frame], ...]] = repeat((), length)
    if options.visualize:
        inner = zip(*(explain(renderer, p.state, p.motion, chunk=options.chunk) for p in people), strict=True)
    for frames, result, rows in zip(driving, results, inner, strict=True):
        row = labelled(side_by_side(compositor.picture, frames, result), names_side_by_side(len(frames)))
        yield grid([row, *(labelled([*pictures.values()], [*pictures]) for pictures in rows)])


def write(
    frames: Iterable[Frame],
    output: Path,
    *,
    fps: Fraction,
    sound: Path | None = None,
    sound_s: Fraction | None = None,
    quality: str = "high",
) -> tuple[int, list[str]]:
    """Encode frames as they come.

    Args:
        output: a file of one of the formats, a folder for png frames, or a picture file for a single frame.
        sound: file whose sound goes with the frames.
        sound_s: seconds of it to use.

    Returns:
        (how many frames, what was degraded, for example a sound that could not be added).

    Raises:
        MediaError: there is no frame, or the output cannot be written; nothing half-written stays.
    """
    if output.suffix.lower() in PICTURE_ENDINGS:
        first = list(islice(frames := iter(frames), 2))
        if len(first) == 1 or not is_format(output):
            return _write_picture(first, output), []
        frames = chain(first, frames)
    with open_writer(output, fps=fps, audio=sound, audio_duration_s=sound_s, quality=quality) as writer:
        for frame in frames:
            writer.write(frame)
    return writer.frames, list(writer.warnings)


def _write_picture(pictures: Sequence[Frame], output: Path) -> int:
    if len(pictures) != 1:
        count = "several" if pictures else "no"
        raise MediaError(f"{count} frames do not make one picture", where=output, cure="Write an .mp4.")
    write_image(output, pictures[0])
    return 1
