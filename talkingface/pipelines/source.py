"""The source as the renderer sees it: a square of a picture, or of a video's first frame."""

from __future__ import annotations

from pathlib import Path

import torch

from ..errors import MediaError
from ..media.image import center_square, cut_square, read_image, resize
from ..media.video import open_video
from ..types import Source, Square
from .frames import Frame, to_tensor
from .plan import is_picture


def read_source(path: Path, size: tuple[int, int], square: Square | None = None) -> Frame:
    """A square of a picture or of a video's first frame, undistorted.

    A video goes the same way as a driving video, so that its first frame is the same in both places.

    Args:
        size: (height, width) of what comes out, uint8 (H, W, 3) RGB.
        square: the part to take; None is the central square.
    """
    if is_picture(path):
        picture = read_image(path)
        return resize(center_square(picture) if square is None else cut_square(picture, square), size)
    with open_video(path, frame_limit=1, size=size, square=square or True) as frames:
        for frame in frames:
            return frame
    raise MediaError("no frame could be read", where=path)


def prepare_source(
    path: Path, size: tuple[int, int], device: torch.device | str = "cpu", square: Square | None = None
) -> Source:
    """The :class:`~talkingface.types.Source` of a picture or video file, (1, 3, H, W) in [0, 1] on ``device``."""
    return Source(to_tensor([read_source(path, size, square)], device))
