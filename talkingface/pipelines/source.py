"""The source as the renderer sees it: the central square of a picture, or of a video's first frame."""

from __future__ import annotations

from pathlib import Path

import torch

from ..errors import MediaError
from ..media.image import center_square, read_image, resize
from ..media.video import open_video
from ..types import Source
from .frames import Frame, to_tensor
from .plan import is_picture


def read_source(path: Path, size: tuple[int, int]) -> Frame:
    """The central square of a picture or of a video's first frame, undistorted.

    A video goes the same way as a driving video, so that its first frame is the same in both places.

    Args:
        size: (height, width) of the square that comes out, uint8 (H, W, 3) RGB.
    """
    if is_picture(path):
        return resize(center_square(read_image(path)), size)
    with open_video(path, frame_limit=1, size=size, square=True) as frames:
        for frame in frames:
            return frame
    raise MediaError("no frame could be read", where=path)


def prepare_source(path: Path, size: tuple[int, int], device: torch.device | str = "cpu") -> Source:
    """The :class:`~talkingface.types.Source` of a picture or video file, (1, 3, H, W) in [0, 1] on ``device``."""
    return Source(to_tensor([read_source(path, size)], device))
