"""The steps of an animation, each callable alone: drive, retarget, render, explain, write.

The driving video is decoded once and only its motion is kept; the frames drawn go straight into the encoder, so that
memory does not grow with the length of the clip.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from ..errors import ConfigError, MediaError
from ..media.image import PICTURE_ENDINGS, write_image
from ..media.writer import open_writer
from ..models.base import Driver, ModelPlugin, Renderer
from ..types import Motion, Source
from .frames import Frame, chunked, to_frames, to_tensor, windows
from .motions import ROWS, check_layout
from .roles import is_picture


def check_drivable(driver: Driver, path: Path) -> None:
    """Refuse a driving file that the driver does not take.

    Raises:
        ConfigError: the driver takes no pictures, only other signals such as sound.
    """
    signals = {"video", "image"} if is_picture(path) else {"video"}
    if not driver.takes & signals:
        raise ConfigError(
            f"this model is driven by {' or '.join(sorted(driver.takes))}, not by a video",
            where=f"--video_source={path}",
            cure="Choose another --model.",
        )


def drive(
    driver: Driver, frames: Iterable[Frame], fps: Fraction, *, chunk: int = 4, device: torch.device | str = "cpu"
) -> Motion:
    """The motion of driving frames, uint8 (H, W, 3), read once, ``chunk`` of them at a time."""
    batches = (to_tensor(batch, device) for batch in chunked(frames, chunk))
    with torch.inference_mode():
        return driver.drive(batches, fps)


def retarget(
    plugin: ModelPlugin,
    driver: Driver | None,
    source: Source,
    driving: Motion,
    options: Mapping[str, Any],
    *,
    where: object = None,
) -> Motion:
    """The driving's movement fitted to the source.

    Args:
        driver: None where motions are coefficients, which the source then has.
        source: the source picture in the driver's size.
        options: the model's inference settings, as named by its flags.
        where: what the motion came from, for errors.

    Raises:
        MotionError: the motion is not laid out as the driver's own.
    """
    with torch.inference_mode():
        if driver is None:
            assert source.coefficients is not None  # noqa: S101 (models of coefficients have them)
            own = Motion("3dmm.73", driving.fps, {ROWS: source.coefficients}, driving.space)
        else:
            own = driver.drive([source.image], driving.fps)
            check_layout(driving, own, where)
        return plugin.retarget(own, driving, options)


def encode_source(renderer: Renderer, source: Source) -> Any:
    """Everything that depends on the source alone, in the renderer's own form."""
    with torch.inference_mode():
        return renderer.encode_source(source)


def render(renderer: Renderer, state: Any, motion: Motion, *, chunk: int = 4) -> Iterator[Frame]:
    """The frames of a motion, uint8 (H, W, 3), drawn ``chunk`` at a time; the chunk does not change the numbers."""
    renderer.check(motion)
    for window, keep in windows(len(motion), chunk, renderer.radius):
        with torch.inference_mode():
            pictures = renderer.render_part(state, motion[window], keep)
        yield from to_frames(pictures)


def explain(renderer: Renderer, state: Any, motion: Motion, *, chunk: int = 4) -> Iterator[list[Frame]]:
    """For each frame the pictures, uint8 (H, W, 3), that show how the renderer made it."""
    for window, keep in windows(len(motion), chunk, renderer.radius):
        with torch.inference_mode():
            inner = renderer.explain_part(state, motion[window], keep)
        columns = [to_frames(pictures) for pictures in inner.values()]
        yield from ([column[frame] for column in columns] for frame in range(keep.stop - keep.start))


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
        output: .mp4, .gif, a folder for png frames, or a picture file for a single frame.
        sound: file whose sound goes with the frames.
        sound_s: seconds of it to use.

    Returns:
        (how many frames, what was degraded, for example a sound that could not be added).

    Raises:
        MediaError: there is no frame, or the output cannot be written; nothing half-written stays.
    """
    if output.suffix.lower() in PICTURE_ENDINGS:
        return _write_picture(frames, output), []
    with open_writer(output, fps=fps, audio=sound, audio_duration_s=sound_s, quality=quality) as writer:
        for frame in frames:
            writer.write(frame)
    return writer.frames, list(writer.warnings)


def _write_picture(frames: Iterable[Frame], output: Path) -> int:
    pictures = list(islice(frames, 2))
    if len(pictures) != 1:
        count = "several" if pictures else "no"
        raise MediaError(f"{count} frames do not make one picture", where=output, cure="Write an .mp4.")
    write_image(output, pictures[0])
    return 1
