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

from ...errors import MediaError
from ...media.formats import is_format
from ...media.image import PICTURE_ENDINGS, write_image
from ...media.keep.folder import WorkFolder
from ...media.keep.writer import open_kept_writer
from ...media.writer import Writer, open_writer
from ...models.base import ModelPlugin, Renderer
from ...types import Motion, Source
from ..drivers import DrivingMotion
from ..frames import Frame, to_frames, windows
from ..plan.options import OutputOptions
from ..read.motion_reader import MotionReader
from .compose import Compositor, grid, labelled, names_side_by_side, no_higher, side_by_side
from .drawing import Drawing, Sink


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


def render(renderer: Renderer, state: Any, motion: Motion, *, chunk: int = 4, first: int = 0) -> Iterator[Frame]:
    """Draw the frames of a motion, uint8 (H, W, 3), ``chunk`` at a time, which does not change the numbers.

    Args:
        first: number of the frame to begin with; it is drawn with the same others as if all were drawn.
    """
    renderer.check(motion)
    return islice(_rendered(renderer, state, motion, chunk, first // chunk), first % chunk, None)


def _rendered(renderer: Renderer, state: Any, motion: Motion, chunk: int, skipped: int) -> Iterator[Frame]:
    for window, keep in islice(windows(len(motion), chunk, renderer.radius), skipped, None):
        with torch.inference_mode():
            pictures = renderer.render_part(state, motion[window], keep)
        yield from to_frames(pictures)


def explain(
    renderer: Renderer, state: Any, motion: Motion, *, chunk: int = 4, first: int = 0
) -> Iterator[dict[str, Frame]]:
    """Draw for each frame the pictures, uint8 (H, W, 3) by name, that show how the renderer made it; as `render`."""
    return islice(_explained(renderer, state, motion, chunk, first // chunk), first % chunk, None)


def _explained(renderer: Renderer, state: Any, motion: Motion, chunk: int, skipped: int) -> Iterator[dict[str, Frame]]:
    for window, keep in islice(windows(len(motion), chunk, renderer.radius), skipped, None):
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
    first: int = 0,
) -> Iterator[Frame]:
    """Draw the frames of the result, (H, W, 3), uint8; with ``--compare`` or ``--visualize`` in a grid.

    People are drawn in turn, a chunk each. For the grid the driving videos are decoded a second time, so that no frame
    has to be kept.

    Args:
        people: from left to right.
        drivings: what the grid shows of them, in this order.
        first: number of the frame to begin with. A compositor fits its colours to the first frame that it shows, so
            that it must have shown frame 0 before.
    """
    parts = (render(renderer, p.state, p.motion, chunk=options.chunk, first=first) for p in people)
    results: Iterator[Frame] = map(compositor.show, zip(*parts, strict=True))
    if options.compare or options.visualize:
        results = _compared(renderer, compositor, people, drivings, results, options, first)
    return results if options.highest is None else (no_higher(frame, options.highest) for frame in results)


def _compared(
    renderer: Renderer,
    compositor: Compositor,
    people: Sequence[PersonMotion],
    drivings: Sequence[DrivingMotion],
    results: Iterator[Frame],
    options: OutputOptions,
    begin: int,
) -> Iterator[Frame]:
    """Grids: source | driving | result, and with ``--visualize`` the renderer's inner pictures, a row a person.

    Each picture has its name below it.
    """
    length = len(people[0].motion)
    readers = (driving.frames(renderer.size, length) for driving in drivings)
    shown = [islice(frames, begin, None) for frames in readers if frames is not None]
    driving: Iterator[tuple[Frame, ...]] = zip(*shown, strict=True) if shown else repeat((), length - begin)
    inner: Iterator[tuple[dict[str, Frame], ...]] = repeat((), length - begin)
    if options.visualize:
        explained = (explain(renderer, p.state, p.motion, chunk=options.chunk, first=begin) for p in people)
        inner = zip(*explained, strict=True)
    for frames, result, rows in zip(driving, results, inner, strict=True):
        row = labelled(side_by_side(compositor.picture, frames, result), names_side_by_side(len(frames)))
        yield grid([row, *(labelled([*pictures.values()], [*pictures]) for pictures in rows)])


def write(
    frames: Iterable[Frame] | Drawing,
    output: Path,
    *,
    fps: Fraction,
    sound: Path | None = None,
    sound_s: Fraction | None = None,
    quality: str = "high",
    work: WorkFolder | None = None,
    also: Sequence[Sink] = (),
) -> tuple[int, list[str]]:
    """Encode frames as they come.

    Args:
        frames: those of the result; a drawing can go on where an earlier run stopped.
        output: a file of one of the formats, a folder for png frames, or a picture file for a single frame.
        sound: file whose sound goes with the frames.
        sound_s: seconds of it to use.
        work: keeps what is finished of a drawing; None: nothing is kept.
        also: what gets the frames too.

    Returns:
        (how many frames, what was degraded, for example a sound that could not be added).

    Raises:
        MediaError: there is no frame, or the output cannot be written; nothing half-written stays.
    """
    drawing = frames if isinstance(frames, Drawing) else Drawing.of(frames)
    if output.suffix.lower() in PICTURE_ENDINGS:
        drawn = drawing.begin(0)
        first = list(islice(drawn, 2))
        if len(first) == 1 or not is_format(output):
            for sink in also:
                sink.write(first[0])
            return _write_picture(first, output), []
        drawing = Drawing.of(chain(first, drawn))
    how: dict[str, Any] = {"fps": fps, "audio": sound, "audio_duration_s": sound_s, "quality": quality}
    with _opened(drawing, output, work, how) as writer:
        drawing.pour([writer, *also])
    return writer.frames, list(writer.warnings)


def _opened(drawing: Drawing, output: Path, work: WorkFolder | None, how: Mapping[str, Any]) -> Writer:
    if work is None or drawing.length is None:
        return open_writer(output, **how)
    return open_kept_writer(output, work, drawing.length, name=drawing.step, **how)


def _write_picture(pictures: Sequence[Frame], output: Path) -> int:
    if len(pictures) != 1:
        count = "several" if pictures else "no"
        raise MediaError(f"{count} frames do not make one picture", where=output, cure="Write an .mp4.")
    write_image(output, pictures[0])
    return 1
