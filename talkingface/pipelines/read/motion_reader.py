"""Reading the motion of pictures and videos, in the kind that one renderer draws."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ...errors import ConfigError, MediaError
from ...face.crop.crop import Crop
from ...face.face import Face
from ...face.track.people import nearest_of
from ...face.track.track import Track
from ...media.pictures import is_picture
from ...models.base import MotionExtractor
from ...types import Motion, Source, Square
from ..frames import Frame, chunked, to_tensor
from ..motions import check_layout
from ..progress import SILENT, Progress
from .video import CutFrames, read_crop

Size = tuple[int, int]


@dataclass(frozen=True)
class Place:
    """A part of a picture.

    Attributes:
        crop: cuts it at the renderer's or reader's size.
        number: of the face in it, from the left; 0 where no face was looked for.
        face: in pixels of the picture; None where none was found or looked for.
    """

    crop: Crop
    number: int = 0
    face: Face | None = None


@dataclass(frozen=True)
class SourceReading:
    """A part of a source, read.

    Attributes:
        drawn: what the renderer encodes.
        read: what retargeting reads the source's own motion off.
        row: (1, 260), float32, coefficients of the face; None for motions of another kind.
    """

    drawn: Source
    read: Source
    row: NDArray[np.float32] | None = None


class MotionReader(ABC):
    """Reads the motion of pictures and videos.

    Attributes:
        label: what reads, for the user; or "".
        size: (height, width) of the crops that it looks at.
        needs_face: whether a face has to be found in everything that it looks at.
        needs_mesh: whether faces must come with the face mesh.
        locates: whether `locate` searches.
    """

    label: str = ""
    size: Size
    needs_face: bool = False
    needs_mesh: bool = False
    locates: bool = False

    def locate(self, picture: Tensor) -> Square | None:
        """Part of a picture (1, 3, H, W), RGB, [0, 1], that shows the subject; None where there is none."""
        return None

    def fingerprint(self) -> str | None:
        """Word that is the same for the same numbers; None: motions are found so quickly that none is kept."""
        return None

    def check_file(self, path: Path) -> None:  # noqa: B027 (most readers take every file that has frames)
        """Refuse a driving file that cannot be read.

        Raises:
            ConfigError: the model takes no such file.
        """

    @abstractmethod
    def read_source(self, path: Path, picture: Frame, place: Place, cut: Frame, number: int) -> SourceReading:
        """Read a part of a source.

        Args:
            path: of the source.
            picture: (H, W, 3), uint8, RGB, all of it.
            place: the part.
            cut: (h, w, 3), uint8, the part at the renderer's size.
            number: of the frame, where the source is a video.
        """

    @abstractmethod
    def own_motion(self, source: Source, driving: Motion, where: object = None) -> Motion:
        """Motion of one frame that the source itself shows, laid out as `driving`.

        Raises:
            MotionError: ``driving`` is laid out in another way than this reader's motions; ``where`` is named.
        """

    @abstractmethod
    def read_video(
        self,
        path: Path,
        crop: Crop,
        track: Track | None,
        *,
        fps: Fraction | None = None,
        frame_limit: int | None = None,
        chunk: int = 4,
        progress: Progress = SILENT,
    ) -> tuple[Motion, tuple[str, ...]]:
        """Read all frames of a video once; none is kept.

        Args:
            crop: of its frames, the part to look at.
            track: the face, in pixels of the full frames; never None where a face is needed.
            fps, frame_limit: as for :func:`talkingface.media.video.open_video`.
            chunk: frames that networks see at once.

        Returns:
            (motion, one entry a frame; warnings about the video).

        Raises:
            MediaError: no frame could be read.
        """

    @abstractmethod
    def read_clip(self, frames: NDArray[np.uint8], fps: Fraction, *, chunk: int = 4) -> tuple[Source, Motion]:
        """Read a clip of square frames (T, S, S, 3), uint8, RGB, that are cut to a face already.

        Returns:
            (the first frame as a source, absolute motion of all frames).

        Raises:
            NoFaceError: a face is needed, and none is seen.
        """


def held_where_unseen(motion: Motion, track: Track) -> Motion:
    """Motion of a video with the nearest frame held where the face is not seen."""
    followed = track.followed[track.followed < len(motion)]
    if len(followed) in (0, len(motion)):
        return motion
    frames = torch.from_numpy(followed[nearest_of(followed, np.arange(len(motion)))])
    return replace(motion, values={name: value[frames.to(value.device)] for name, value in motion.values.items()})


class FrameReader(MotionReader):
    """Reads motion with a model's own extractor."""

    def __init__(self, extractor: MotionExtractor, device: torch.device | str = "cpu") -> None:
        """
        Args:
            extractor: of the model.
            device: where it runs.
        """
        self.extractor, self._device = extractor, device
        self.size, self.locates = extractor.size, extractor.locates

    def locate(self, picture: Tensor) -> Square | None:
        """Locate the subject by the extractor, see the base class."""
        return self.extractor.locate(picture)

    def check_file(self, path: Path) -> None:
        signals = {"video", "image"} if is_picture(path) else {"video"}
        if not self.extractor.takes & signals:
            raise ConfigError(
                f"this model is driven by {' or '.join(sorted(self.extractor.takes))}, not by a video",
                where=f"--video_source={path}",
                cure="Choose another --model.",
            )

    def read_source(self, path: Path, picture: Frame, place: Place, cut: Frame, number: int) -> SourceReading:
        drawn = read = Source(to_tensor([cut], self._device))
        if cut.shape[:2] != self.size:
            read = Source(to_tensor([read_crop(path, picture, place.crop.resized(self.size), number)], self._device))
        return SourceReading(drawn, read)

    def own_motion(self, source: Source, driving: Motion, where: object = None) -> Motion:
        own = self.extractor.extract([source.image], driving.fps)
        check_layout(driving, own, where)
        return own

    def read_video(
        self,
        path: Path,
        crop: Crop,
        track: Track | None,
        *,
        fps: Fraction | None = None,
        frame_limit: int | None = None,
        chunk: int = 4,
        progress: Progress = SILENT,
    ) -> tuple[Motion, tuple[str, ...]]:
        with CutFrames(path, crop, fps=fps, frame_limit=frame_limit) as frames:
            counted = progress.track(frames, "drive", frames.reader.frames)
            motion = self.read_frames(counted, frames.reader.fps, chunk=chunk)
            warnings = tuple(frames.reader.warnings)
        if len(motion) == 0:
            raise MediaError("no frame could be read", where=path)
        return motion if track is None else held_where_unseen(motion, track), warnings

    def read_frames(self, frames: Iterable[Frame], fps: Fraction, *, chunk: int = 4) -> Motion:
        """Motion of frames (H, W, 3), uint8, of the reader's size, read once and ``chunk`` at a time."""
        with torch.inference_mode():
            return self.extractor.extract((to_tensor(part, self._device) for part in chunked(frames, chunk)), fps)

    def read_clip(self, frames: NDArray[np.uint8], fps: Fraction, *, chunk: int = 4) -> tuple[Source, Motion]:
        """Read square frames (T, S, S, 3), uint8; those of another size are scaled."""
        with torch.inference_mode():
            motion = self.extractor.extract(self._scaled(frames, chunk), fps)
        return Source(to_tensor(list(frames[:1]), self._device)), motion

    def _scaled(self, frames: NDArray[np.uint8], chunk: int) -> Iterator[Tensor]:
        for part in chunked(frames, chunk):
            pictures = to_tensor(part, self._device)
            if tuple(pictures.shape[-2:]) != tuple(self.size):
                pictures = functional.interpolate(pictures, size=self.size, mode="bilinear", antialias=True)
            yield pictures
