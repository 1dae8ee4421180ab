"""Videos as streams of upright RGB frames at an exact constant rate, with memory independent of their length."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from types import TracebackType

import numpy as np
from PIL import Image

from ..errors import MediaError
from ..types import Square
from .animation import is_animated, read_animation
from .ffmpeg import Child, input_arguments
from .frame_rate import DEFAULT_FPS
from .image import BROKEN, MAX_PIXELS, Picture, center_square, cut_square, over_background, read_image, resize
from .pictures import describe_pictures, is_pictures, picture_files
from .probe import MediaInfo, check_size, shorten_pauses
from .probe import probe as probe_file


class VideoReader(ABC):
    """An open video: iterate over its (H, W, 3) RGB uint8 frames. Each iteration starts at the first frame.

    Attributes:
        path: the file or folder.
        fps: exact frame rate.
        height, width: size of the frames in pixels.
        frames: number of frames; an upper bound if the file is damaged, None if unknown.
        warnings: sentences for the user; complete after an iteration.
    """

    def __init__(self, info: MediaInfo, fps: Fraction, size: tuple[int, int], frames: int | None) -> None:
        self.path = info.path
        self.info = info
        self.fps = fps
        self.height, self.width = size
        self.frames = frames
        self.warnings: list[str] = []
        self._running: Generator[Picture, None, None] | None = None

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Picture]:
        self.close()
        self._running = self._decode()
        return self._running

    def close(self) -> None:
        """Stop decoding; a later iteration starts again."""
        if self._running is not None:
            self._running.close()  # runs the generator's clean-up, which ends the ffmpeg child
            self._running = None

    def warn(self, sentence: str) -> None:
        """Add a warning unless it exists already."""
        if sentence not in self.warnings:
            self.warnings.append(sentence)

    @abstractmethod
    def _decode(self) -> Generator[Picture, None, None]: ...


def probe(path: str | Path) -> MediaInfo:
    """Describe a video, sound file, picture or folder of pictures; reads the packets of a file once.

    Raises:
        MediaError: if it cannot be read as any of these.
    """
    if not is_pictures(path):
        return probe_file(path)
    height, width = read_image(picture_files(path)[0]).shape[:2]
    return describe_pictures(path, height, width)


def open_video(
    path: str | Path,
    *,
    fps: Fraction | None = None,
    frame_limit: int | None = None,
    size: tuple[int, int] | None = None,
    square: bool | Square = False,
) -> VideoReader:
    """Open a video, gif, folder of pictures (natural order, scaled to the first) or single picture (one frame).

    Frames are turned upright, with square pixels and transparent parts over white. Irregular frames are repeated or
    dropped so that each is shown at its time.

    Args:
        path: the file or folder.
        fps: frame rate of the result; default: the file's own rate, its average if that varies, 25 for pictures.
            A folder is not resampled: ``fps`` is the rate of its pictures.
        frame_limit: largest number of frames.
        size: (height, width) of the frames in pixels; default: as in the file.
        square: crop the frames to this square before scaling; True: to the largest one in the middle.

    Raises:
        MediaError: if there is no video in it, or it cannot be read.
    """
    _check_options(fps, frame_limit, path)
    if is_pictures(path):
        return _PictureReader(Path(path), fps or DEFAULT_FPS, frame_limit, size, square)
    if is_animated(path):
        return _AnimationReader(probe_file(path), fps, frame_limit, size, square)
    info = probe_file(path)
    if not info.has_video:
        raise MediaError(
            "holds sound but no video", where=path, cure="Give a video here, or use this file as the sound."
        )
    return _FileReader(info, fps, frame_limit, size, square)


def _check_options(fps: Fraction | None, frame_limit: int | None, path: str | Path) -> None:
    if fps is not None and fps <= 0:
        raise MediaError(f"a frame rate of {fps} is not possible", where=path, cure="Use a rate above 0.")
    if frame_limit is not None and frame_limit < 1:
        raise MediaError(f"a limit of {frame_limit} frames leaves none", where=path, cure="Use 1 or more.")


class _PictureReader(VideoReader):
    """Still pictures, read one by one; all get the size of the first."""

    def __init__(
        self, path: Path, fps: Fraction, frame_limit: int | None, size: tuple[int, int] | None, square: bool | Square
    ) -> None:
        self._files = picture_files(path)
        self._square = square
        first = self._read(self._files[0])
        info = describe_pictures(path, *first.shape[:2])
        super().__init__(info, fps, size or first.shape[:2], min(len(self._files), frame_limit or len(self._files)))

    def _read(self, file: Path) -> Picture:
        picture = read_image(file)
        if isinstance(self._square, Square):
            return cut_square(picture, self._square)
        return center_square(picture) if self._square else picture

    def _decode(self) -> Generator[Picture, None, None]:
        for file in islice(self._files, self.frames):
            picture = self._read(file)
            if picture.shape[0] * self.info.width != picture.shape[1] * self.info.height:
                self.warn("some pictures have another shape than the first and are stretched to it")
            yield np.ascontiguousarray(resize(picture, (self.height, self.width)))


class _FileReader(VideoReader):
    """A video file, decoded, turned, resampled and scaled by ffmpeg in one process."""

    def __init__(
        self,
        info: MediaInfo,
        fps: Fraction | None,
        limit: int | None,
        size: tuple[int, int] | None,
        square: bool | Square,
    ) -> None:
        self._square = square
        side = square.side if isinstance(square, Square) else min(info.height, info.width)
        shown = (side, side) if square else (info.height, info.width)
        rate = fps or info.fps or DEFAULT_FPS
        known = max(1, round(info.duration_s * rate)) if info.frames and info.duration_s else None
        if known is None and info.duration_s:
            known = math.ceil(info.duration_s * rate) + 1
        bounds = [bound for bound in (known, limit) if bound is not None]
        super().__init__(info, rate, size or shown, min(bounds, default=None))
        if fps is None and not info.constant_rate:
            self.warn(f"the frame rate varies; read at its average, {rate} frames/s")
        for note in info.storage.notes():
            self.warn(note)
        if info.gaps:
            count = "a pause" if info.gaps == 1 else f"{info.gaps} pauses"
            self.warn(f"{count} of more than a minute between frames left out; the sound does not fit after that")

    def _decode(self) -> Generator[Picture, None, None]:
        channels = 4 if self.info.has_alpha else 3
        shape = (self.height, self.width, channels)
        done = 0
        with Child(self._arguments("rgba" if channels == 4 else "rgb24"), collect=True) as child:
            while True:
                frame = np.empty(shape, np.uint8)
                if not child.read_into(frame.data.cast("B")):
                    break
                done += 1
                yield over_background(frame) if channels == 4 else frame
            status = child.wait()
            self._check_whole(done, status, child)

    def _check_whole(self, done: int, status: int, child: Child) -> None:
        if done == 0:
            raise MediaError(
                f"no picture could be decoded ({child.first_message()})",
                where=self.path,
                cure="Fetch or record it again.",
            )
        if status != 0 or child.messages or self.info.damaged:
            reason = f" ({child.first_message()})" if child.messages else ""
            self.warn(f"the video is damaged or cut off: {done} frames could be read{reason}")

    def _arguments(self, pixels: str) -> list[str]:
        limit = [] if self.frames is None else ["-frames:v", str(self.frames)]
        picture = ["-map", "0:V:0", "-vf", f"{self._filters()},format={pixels}", "-fps_mode", "passthrough", *limit]
        # Whatever share of the frames is damaged, the rest is wanted.
        return [
            "-max_error_rate",
            "1",
            *(["-c:v", self.info.decoder] if self.info.decoder else []),
            *input_arguments(self.path),
            *picture,
            "-f",
            "rawvideo",
            "-pix_fmt",
            pixels,
            "pipe:1",
        ]

    def _filters(self) -> str:
        # The start is given as a number: STARTPTS would restart wherever the stream changes its size.
        start = f"setpts=PTS-({self.info.start_s})/TB"
        pauses = shorten_pauses(1 / (self.info.fps or DEFAULT_FPS))
        rate = f"fps=fps={self.fps}:start_time=0:round=near"
        storage = self.info.storage
        scale = storage.scale(self.height, self.width, min(self.info.stored_size))
        crop = [self._crop()] if self._square else []
        return ",".join([start, pauses, *storage.whole_frames(), rate, *crop, *scale])

    def _crop(self) -> str:
        """Crop filter in stored pixels, which are not square if the pixel aspect is not 1."""
        height, width = self.info.stored_size
        across, down = Fraction(width, self.info.width), Fraction(height, self.info.height)
        if isinstance(self._square, Square):
            square = self._square
            numbers = [square.side * across, square.side * down, square.left * across, square.top * down]
        else:
            side = min(self.info.height, self.info.width)
            numbers = [side * across, side * down]
        return "crop=" + ":".join(str(round(number)) for number in numbers)


class _AnimationReader(_FileReader):
    """An animated webp or png, decoded by Pillow; each frame is repeated or left out to be shown at its time."""

    def _decode(self) -> Generator[Picture, None, None]:
        animation, wanted = read_animation(self.path), self.frames or 0
        if animation.shortened:
            self.warn(f"{animation.shortened} frames that stand for more than a minute are shown for a minute")
        check_size((self.info.width, self.info.height), MAX_PIXELS, self.path)
        try:
            with Image.open(self.path, formats=[animation.format]) as image:
                for number, shown in enumerate(animation.places(self.fps), animation.first):
                    image.seek(number)
                    frame = self._part(over_background(np.array(image.convert("RGBA"))))
                    for _ in range(shown.start, min(shown.stop, wanted)):
                        yield frame.copy()
        except BROKEN as error:
            self.warn(f"the animation is damaged or cut off ({error})")

    def _part(self, picture: Picture) -> Picture:
        if isinstance(self._square, Square):
            picture = cut_square(picture, self._square)
        elif self._square:
            picture = center_square(picture)
        return np.ascontiguousarray(resize(picture, (self.height, self.width)))
