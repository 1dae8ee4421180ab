"""Frames of a video, cut by a crop while they are read, and the faces tracked through them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from types import TracebackType

import numpy as np

from ...errors import FaceError, MediaError
from ...face.crop.crop import Crop
from ...face.crop.framing import Size, moved_to, within
from ...face.detect.analyser import FaceAnalyser
from ...face.face import Box, Face
from ...face.track.select import ignore, validate_face
from ...face.track.track import Track, TrackSettings, track_faces
from ...media.image import Picture, read_image
from ...media.pictures import is_picture
from ...media.video import VideoReader, open_video, probe
from ..frames import Frame
from ..progress import SILENT, Progress

LOOKS, LOOK_EVERY = 3, 12  # frames of a video that a quick look takes, and how many lie from one to the next
TRACKED_SIDE = 960  # pixels: the longer side of the frames in which faces are tracked


def picture_size(path: Path) -> Size:
    """(height, width) of the upright frames of a video, gif, folder of pictures or picture."""
    info = probe(path)
    return info.height, info.width


class CutFrames:
    """An open video whose frames come out as one crop of them; iterate as often as needed.

    A square of whole pixels is cut and scaled by the decoder. Otherwise the decoder at least reduces the frames to
    about the crop's scale, so that the cost of large videos stays small.

    Attributes:
        reader: the open video, with its rate, number of frames and warnings.
    """

    reader: VideoReader

    def __init__(self, path: Path, crop: Crop, *, fps: Fraction | None = None, frame_limit: int | None = None) -> None:
        """Open a video.

        Args:
            crop: part of its upright frames, and the size that it is cut at.
            fps, frame_limit: as for :func:`talkingface.media.video.open_video`.

        Raises:
            MediaError: if there is no video in it, or it cannot be read.
        """
        size = picture_size(path)
        square = within(crop, size)
        self._crop: Crop | None = None
        if square is not None:
            self.reader = open_video(path, fps=fps, frame_limit=frame_limit, size=crop.size, square=square)
            return
        reduction = max(1.0, crop.scale)
        reduced = max(1, round(size[0] / reduction)), max(1, round(size[1] / reduction))
        self._crop = moved_to(crop, size, reduced)
        self.reader = open_video(path, fps=fps, frame_limit=frame_limit, size=reduced)

    def __enter__(self) -> CutFrames:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.reader.close()

    def __iter__(self) -> Iterator[Frame]:
        for frame in self.reader:
            yield frame if self._crop is None else self._crop.cut(frame, border="edge")


def first_looks(path: Path) -> Iterator[Frame]:
    """A few frames from the beginning of a video."""
    with open_video(path, frame_limit=LOOKS * LOOK_EVERY) as frames:
        yield from islice(frames, 0, None, LOOK_EVERY)


SHEET_LOOKS, SHEET_FRAMES = 6, 600  # frames of a video on a sheet, and the first ones that they are taken from


def spread_looks(path: Path, frames: int | None) -> Iterator[Frame]:
    """A few frames (H, W, 3), uint8, spread over a video of so many; all beginnings where that is not known."""
    length = min(frames or LOOKS * LOOK_EVERY, SHEET_FRAMES)
    with open_video(path, frame_limit=length) as reader:
        yield from islice(reader, 0, None, -(-length // SHEET_LOOKS))


class FaceInBox(FaceAnalyser):
    """Finds the face in a box, and once it is found, at its last place; for one video."""

    def __init__(self, analyser: FaceAnalyser, box: Box) -> None:
        """
        Args:
            analyser: looks at the place.
            box: where the face is at first, in pixels.
        """
        self._analyser, self._box = analyser, box
        self.name = analyser.name

    def faces(self, picture: Picture) -> list[Face]:
        face = self._analyser.face_in(picture, self._box)
        return [] if face is None else [face]

    def follow(self, picture: Picture, previous: Sequence[Face]) -> list[Face | None]:
        followed = self._analyser.follow(picture, previous)
        self._box = next((face.box for face in followed if face is not None), self._box)
        return followed


def track_video(
    path: Path,
    size: Size,
    analyser: FaceAnalyser,
    settings: TrackSettings,
    *,
    fps: Fraction | None = None,
    frame_limit: int | None = None,
    count: int | None = None,
    box: Box | None = None,
    progress: Progress = SILENT,
) -> list[Track]:
    """Track the faces of a video; tracks are in pixels of its full frames; it is decoded once, and no frame is kept.

    Args:
        path: video, gif, folder of frames or picture.
        size: (height, width) of its frames.
        fps, frame_limit: as for :func:`talkingface.media.video.open_video`.
        count: how many frames there will be, where that is known better than by the file.
        box: where the face is at first; no other is tracked. None: all faces are.
    """
    factor = min(1.0, TRACKED_SIDE / max(size))
    small = max(1, round(size[0] * factor)), max(1, round(size[1] * factor))
    if box is not None:
        x, y = small[1] / size[1], small[0] / size[0]
        edges = box.left + 0.5, box.top + 0.5, box.right + 0.5, box.bottom + 0.5
        analyser = FaceInBox(analyser, Box(*(n * s - 0.5 for n, s in zip(edges, (x, y, x, y), strict=True))))
    with open_video(path, fps=fps, frame_limit=frame_limit, size=small) as reader:
        frames = progress.track(reader, "faces", reader.frames if count is None else count)
        tracks = track_faces(frames, analyser, settings)
    return [enlarged(track, size[1] / small[1], size[0] / small[0]) for track in tracks]


def enlarged(track: Track, x: float, y: float) -> Track:
    """A track in a video that is so many times larger."""
    scale, shift = np.array([x, y], np.float32), np.array([(x - 1) / 2, (y - 1) / 2], np.float32)

    def moved(points: np.ndarray | None) -> np.ndarray | None:
        if points is None:
            return None
        larger = points * scale
        larger += shift
        return larger

    boxes = (track.boxes.reshape(-1, 2, 2) * scale + shift).reshape(-1, 4)
    mesh = None
    if track.mesh is not None:
        mesh = track.mesh * np.append(scale, scale.mean())
        mesh += np.append(shift, np.float32(0))
    return replace(track, boxes=boxes, landmarks=moved(track.landmarks), five=moved(track.five), mesh=mesh)


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
        validate_face(face, (picture.shape[0], picture.shape[1]), None, ignore)
    except FaceError:
        return False
    return True
