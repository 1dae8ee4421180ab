"""The source: a picture, or a video's first frame."""

from __future__ import annotations

from pathlib import Path

from ..errors import MediaError
from ..face.crop import Crop
from ..media.image import read_image
from ..media.video import open_video
from .cut import CutFrames
from .frames import Frame
from .roles import is_picture


def read_picture(path: Path) -> Frame:
    """All of a picture or of a video's first frame, (H, W, 3), uint8, RGB, upright."""
    if is_picture(path):
        return read_image(path)
    with open_video(path, frame_limit=1) as frames:
        for frame in frames:
            return frame
    raise MediaError("no frame could be read", where=path)


def read_crop(path: Path, picture: Frame, crop: Crop) -> Frame:
    """A part of the source, undistorted.

    A video goes the same way as a driving video, so that its first frame is the same in both places.

    Args:
        picture: what :func:`read_picture` gave.
    """
    if is_picture(path):
        return crop.cut(picture, border="edge")
    with CutFrames(path, crop, frame_limit=1) as frames:
        for frame in frames:
            return frame
    raise MediaError("no frame could be read", where=path)
