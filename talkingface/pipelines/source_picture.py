"""Pixels of a source: a picture, or a frame of a video."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from ..errors import FaceError, MediaError
from ..face.crop.crop import Crop
from ..face.detect.analyser import FaceAnalyser
from ..face.face import Face
from ..face.track.select import check_face, ignore
from ..media.image import read_image
from ..media.pictures import is_picture
from ..media.video import open_video
from .frames import Frame
from .video import CutFrames

GOOD_LOOKS, GOOD_EVERY = 50, 5  # frames of a source video that are searched, and how many lie from one to the next


def read_picture(path: Path, number: int = 0) -> Frame:
    """Read all of a picture, or of a video's frame ``number``: (H, W, 3), uint8, RGB, upright."""
    if is_picture(path):
        return read_image(path)
    with open_video(path, frame_limit=number + 1) as frames:
        for frame in islice(frames, number, None):
            return frame
    raise MediaError("no frame could be read", where=path)


def read_crop(path: Path, picture: Frame, crop: Crop, number: int = 0) -> Frame:
    """Cut a part of the source, undistorted: (h, w, 3), uint8, of the crop's size.

    A video goes the same way as a driving video, so that its first frame is the same in both places.

    Args:
        picture: what :func:`read_picture` gave.
        number: of the video's frame.
    """
    if is_picture(path):
        return crop.cut(picture, border="edge")
    with CutFrames(path, crop, frame_limit=number + 1) as frames:
        for frame in islice(frames, number, None):
            return frame
    raise MediaError("no frame could be read", where=path)


def first_good_frame(path: Path, analyser: FaceAnalyser) -> int | None:
    """Number of the first frame of a video in which a face can be used; None where a few seconds show none."""
    with open_video(path, frame_limit=(GOOD_LOOKS - 1) * GOOD_EVERY + 1) as frames:
        for number, frame in enumerate(frames):
            if number % GOOD_EVERY == 0 and any(is_usable(face, frame) for face in analyser.faces(frame)):
                return number
    return None


def is_usable(face: Face, picture: Frame) -> bool:
    """True where enough of a face can be seen to work with it."""
    try:
        check_face(face, (picture.shape[0], picture.shape[1]), None, ignore)
    except FaceError:
        return False
    return True
