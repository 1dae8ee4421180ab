"""Videos as streams of upright RGB frames at an exact constant rate; memory does not grow with their length."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from types import TracebackType

import numpy as np

from ..errors import MediaError
from ..types import Square
from .ffmpeg import Child, input_arguments
from .frame_rate import DEFAULT_FPS
from .image import Picture, center_square, cut_square, over_background, read_image, resize
from .pictures import describe_pictures, is_pictures, picture_files
from .probe import MediaInfo
from .probe import probe as probe_file

_SCALE_FLAGS = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
_HD_LINES = 720  # untagged colours of this height and more are BT.709 by custom, below it BT.601


class VideoReader(ABC):
    """An open video: iterate for (H, W, 3) RGB uint8 frames. Each iteration starts at the first frame.

    Attributes:
        path: where the frames come from.
        fps: exact rate of the frames.
        height, width: size of the frames.
        frames: how many there will be; an upper bound where the file is damaged, None where nothing is known.
        warnings: what the user should know (one sentence each); complete after an iteration.
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
        """Keep a warning, once."""
        if sentence not in self.warnings:
            self.warnings.append(sentence)

    @abstractmethod
    def _decode(self) -> Generator[Picture, None, None]: ...


def probe(path: str | Path) -> MediaInfo:
    """What a video, sound file, picture or folder of pictures holds.

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

    Frames come turned upright, with square pixels, transparent parts over white. Where the file's frames are
    irregular, they are repeated or left out so that each is shown at its time.

    Args:
        path: the file or folder.
        fps: rate wanted; default: the file's own constant rate, its average where that varies, 25 for pictures.
            A folder is not resampled: ``fps`` says how fast its pictures follow each other.
        frame_limit: stop after so many frames.
        size: (height, width) of the frames; default: as in the file.
        square: take this square of the frames before scaling; true takes the largest in the middle.

    Raises:
        MediaError: if there is no video in it, or it cannot be read.
    """
    _check_wishes(fps, frame_limit, path)
    if is_pictures(path):
        return _PictureReader(Path(path), fps or DEFAULT_FPS, frame_limit, size, square)
    info = probe_file(path)
    if not info.has_video:
        raise MediaError(
            "holds sound but no video", where=path, cure="Give a video here, or use this file as the sound."
        )
    return _FileReader(info, fps, frame_limit, size, square)


def _check_wishes(fps: Fraction | None, frame_limit: int | None, path: str | Path) -> None:
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
        bounds = [bound for bound in (known, limit) if bound is not None]
        super().__init__(info, rate, size or shown, min(bounds, default=None))
        if fps is None and not info.constant_rate:
            self.warn(f"the frame rate varies; read at its average, {rate} frames/s")

    def _decode(self) -> Generator[Picture, None, None]:
        channels = 4 if self.info.has_alpha else 3
        shape = (self.height, self.width, channels)
        done = 0
        with Child(self._arguments("rgba" if channels == 4 else "rgb24"), collect=True) as child:
            while True:
                frame = np.empty(shape, np.uint8)
                if not _fill(child, frame):
                    break
                done += 1
                yield over_background(frame) if channels == 4 else frame
            status = child.wait()
            self._check_whole(done, status, child)

    def _check_whole(self, done: int, status: int, child: Child) -> None:
        if done == 0:
            raise MediaError(
                f"no picture could be decoded ({child.complaint()})", where=self.path, cure="Fetch or record it again."
            )
        if status != 0 or child.messages or self.info.damaged:
            reason = f" ({child.complaint()})" if child.messages else ""
            self.warn(f"the video is damaged or cut off: {done} frames could be read{reason}")

    def _arguments(self, pixels: str) -> list[str]:
        limit = [] if self.frames is None else ["-frames:v", str(self.frames)]
        picture = ["-map", "0:V:0", "-vf", f"{self._filters()},format={pixels}", "-fps_mode", "passthrough", *limit]
        # Whatever share of the frames is damaged, the rest is wanted.
        return [
            "-max_error_rate",
            "1",
            *input_arguments(self.path),
            *picture,
            "-f",
            "rawvideo",
            "-pix_fmt",
            pixels,
            "pipe:1",
        ]

    def _filters(self) -> str:
        # The start is given as a number: STARTPTS would begin anew wherever the stream changes its size.
        times = f"setpts=PTS-({self.info.start_s})/TB,fps=fps={self.fps}:start_time=0:round=near"
        matrix = "" if self.info.matrix_known else f":in_color_matrix={self._customary_matrix()}"
        scale = f"scale={self.width}:{self.height}:flags={_SCALE_FLAGS}{matrix},setsar=1"
        return ",".join([times, *([self._crop()] if self._square else []), scale])

    def _customary_matrix(self) -> str:
        return "bt709" if min(self.info.stored_size) >= _HD_LINES else "bt601"

    def _crop(self) -> str:
        """The crop in stored pixels, which are not square where the aspect is not 1."""
        height, width = self.info.stored_size
        across, down = Fraction(width, self.info.width), Fraction(height, self.info.height)
        if isinstance(self._square, Square):
            square = self._square
            numbers = [square.side * across, square.side * down, square.left * across, square.top * down]
        else:
            side = min(self.info.height, self.info.width)
            numbers = [side * across, side * down]
        return "crop=" + ":".join(str(round(number)) for number in numbers)


def _fill(child: Child, frame: Picture) -> bool:
    """Read one whole frame from the child; False at the end."""
    view = frame.data.cast("B")
    filled = 0
    while filled < len(view):
        count = child.stdout.readinto(view[filled:])  # type: ignore[attr-defined]
        if not count:
            return False
        filled += count
    return True
