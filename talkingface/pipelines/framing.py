"""Which square of a picture or video the model is shown: the part around its subject, else the central one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch

from ..media.image import read_image
from ..media.video import open_video
from ..models.base import Driver
from ..types import Square
from .frames import Frame, to_tensor
from .plan import is_picture

NEARLY_ALL = 0.8  # of the central square's side: a subject this large is shown as it is
LOOKS, LOOK_EVERY = 3, 12  # frames of a video that are searched at most, and how many lie from one to the next


@dataclass(frozen=True)
class View:
    """The part that is shown.

    Attributes:
        square: in pixels of the upright picture; None is the central square.
        note: what the user should know, or "".
    """

    square: Square | None = None
    note: str = ""


def view_of(driver: Driver, path: Path, device: torch.device | str = "cpu") -> View:
    """Where the subject of a picture or of a video's beginning is; one place for the whole video.

    Drivers that cannot search take the central square without a word.
    """
    if not driver.locates:
        return View()
    for frame in [read_image(path)] if is_picture(path) else first_looks(path):
        square = driver.locate(to_tensor([frame], device))
        if square is not None:
            return _shown(square, frame, path)
    return View(note=f"{path}: no subject was found, its central square is taken")


def _shown(square: Square, frame: Frame, path: Path) -> View:
    if square.side >= NEARLY_ALL * min(frame.shape[:2]):
        return View()
    place = f"{square.side} x {square.side} pixels at ({square.left}, {square.top})"
    return View(square, f"{path}: cut to {place}, where the subject is (--no-if_align takes the central square)")


def first_looks(path: Path) -> Iterator[Frame]:
    """A few frames from the beginning of a video."""
    with open_video(path, frame_limit=LOOKS * LOOK_EVERY) as frames:
        yield from islice(frames, 0, None, LOOK_EVERY)
