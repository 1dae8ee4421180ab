"""Results: h264 video with sound, gif, or a folder of png; written in one pass, there whole or not at all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import cast

import numpy as np
from PIL import Image

from ..errors import MediaError, ShapeError
from .ffmpeg import Child, address, input_arguments, output_of
from .image import Picture, check_picture
from .output import FRAME_NAME, Kind, Part, output_kind
from .sound import SoundTrack, sound_track

QUALITIES = {"low": 28, "medium": 23, "high": 18, "lossless": 0}
_HIGHEST_CRF = 51
_GIF_FASTEST = Fraction(50)  # viewers show frames of under 2/100 s as if they lasted 10/100 s
_TO_709 = "scale=out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
_TAGS_709 = ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"]


class Writer(ABC):
    """An open result. Leaving the ``with`` block finishes it; leaving by an error removes what was written.

    Attributes:
        path: the result, there once the block is left.
        frames: frames written so far.
        warnings: what was asked for and is not in the result, a sentence each.
    """

    def __init__(self, part: Part, fps: Fraction) -> None:
        self.path = part.target
        self.fps = fps
        self.frames = 0
        self.warnings: list[str] = []
        self._part = part
        self._shape: tuple[int, ...] | None = None

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.finish()
        else:
            self.abort()

    def write(self, frame: Picture) -> None:
        """Append a frame.

        Args:
            frame: (H, W, 3), RGB, uint8; all frames have the size of the first.

        Raises:
            ShapeError: if the frame is none, or of another size.
            MediaError: if it cannot be written.
        """
        check_picture(frame)
        if self._shape is None:
            self._shape = frame.shape
        if frame.shape != self._shape:
            raise ShapeError(f"frame {self.frames} is {frame.shape}, the first was {self._shape}", where=self.path)
        self._append(np.ascontiguousarray(frame))
        self.frames += 1

    def finish(self) -> Path:
        """Complete the result and put it in its place; returns its path.

        Raises:
            MediaError: if no frame was written or the result cannot be completed; nothing is left behind then.
        """
        try:
            if self.frames == 0:
                raise MediaError("no frame was written, so there is no result", where=self.path)
            self._complete()
        except BaseException:
            self.abort()
            raise
        return self._part.finish()

    def abort(self) -> None:
        """Give up: nothing of this result stays; a file of the same name is as it was."""
        self._stop()
        self._part.discard()

    @abstractmethod
    def _append(self, frame: Picture) -> None: ...

    @abstractmethod
    def _complete(self) -> None: ...

    @abstractmethod
    def _stop(self) -> None: ...


def open_writer(
    output: str | Path,
    *,
    fps: Fraction,
    audio: str | Path | None = None,
    audio_duration_s: float | Fraction | None = None,
    audio_start_s: float | Fraction = 0,
    quality: int | str = "high",
) -> Writer:
    """Open a result for writing; its ending decides the format, missing folders are made.

    .mp4 is h264, yuv420p, BT.709, streamable, with AAC sound; an odd side grows by repeating the last row or column.
    With ``quality="lossless"`` it is h264 in RGB, exact, which few players show. .gif has a palette for each frame.
    A folder gets 000000.png, 000001.png, ...

    Args:
        output: target; replaced at the end where it exists. A folder is replaced only if it holds nothing but frames.
        fps: frames per second, exact.
        audio: file whose sound goes with the pictures, in step with that file's own first picture where it has any.
        audio_duration_s: use only so much of the sound. In any case it ends with the pictures.
        audio_start_s: begin so far into the sound; for a part of a video, the time of its first picture.
        quality: "low", "medium", "high", "lossless", or the encoder's constant rate factor, 0 (best) to 51.

    Raises:
        MediaError: if the ending is unknown, the target cannot be written, the quality is none, or the file given as
            ``audio`` cannot be read. A file without usable sound only leads to a warning.
    """
    kind = output_kind(output)
    crf = _crf(quality)
    if fps <= 0:
        raise MediaError(f"a frame rate of {fps} is not possible", where=output, cure="Use a rate above 0.")
    track, warnings = (None, []) if audio is None else _sound_for(kind, audio, audio_duration_s, audio_start_s)
    part = Part(Path(output), kind)
    writer: Writer
    if kind is Kind.FOLDER:
        writer = _FolderWriter(part, fps)
    elif kind is Kind.GIF:
        writer = _EncodingWriter(part, fps, ["-vf", _gif_filters(fps), "-loop", "0", "-f", "gif"], None)
        if fps > _GIF_FASTEST:
            warnings = [*warnings, f"a gif cannot show {fps} frames/s; it is written at {_GIF_FASTEST}"]
    else:
        lossless = quality == "lossless"
        writer = _EncodingWriter(part, fps, _h264(crf, lossless), track, even=not lossless)
    writer.warnings.extend(warnings)
    return writer


class _FolderWriter(Writer):
    """Numbered png files."""

    def _append(self, frame: Picture) -> None:
        try:
            Image.fromarray(frame).save(self._part.path / FRAME_NAME.format(self.frames), compress_level=3)
        except OSError as error:
            raise MediaError(f"cannot be written ({error.strerror or error})", where=self.path) from error

    def _complete(self) -> None:
        """Each file is whole as soon as it is written."""

    def _stop(self) -> None:
        """Nothing runs in the background."""


class _EncodingWriter(Writer):
    """A file that one ffmpeg process encodes from the frames on its standard input; sound is its second input."""

    def __init__(
        self, part: Part, fps: Fraction, encoder: list[str], track: SoundTrack | None, *, even: bool = False
    ) -> None:
        super().__init__(part, fps)
        self._encoder, self._track, self._even = encoder, track, even
        self._child: Child | None = None

    def _append(self, frame: Picture) -> None:
        if self._even:
            frame = _pad_to_even(frame)
        if self._child is None:
            self._child = Child(self._arguments(*frame.shape[:2]), feed=True)
        try:
            self._child.stdin.write(frame.data.cast("B"))
        except OSError as error:
            self._child.wait()
            raise self._failed(self._child) from error

    def _complete(self) -> None:
        child = cast(Child, self._child)  # started by the first frame
        try:
            child.stdin.close()
        except OSError as error:
            child.wait()
            raise self._failed(child) from error
        if child.wait() != 0:
            raise self._failed(child)
        pictures_s = self.frames / self.fps
        if self._track is not None and self._track.may_outlast(pictures_s):
            self._cut_sound(pictures_s)

    def _cut_sound(self, pictures_s: Fraction) -> None:
        """Copy the finished part without the sound that goes on after the last picture; nothing is encoded again."""
        whole, cut = self._part.path, self._part.path.with_suffix(".cut.mp4")
        copy = ["-map", "0", "-c", "copy", "-t", f"{float(pictures_s):.6f}", "-movflags", "+faststart", "-f", "mp4"]
        status, _, messages = output_of(["-y", *input_arguments(whole), *copy, address(cut)])
        if status == 0:
            cut.replace(whole)
        else:
            cut.unlink(missing_ok=True)
            self.warnings.append(f"the sound could not be cut to the pictures ({' '.join(messages[:1])})")

    def _stop(self) -> None:
        if self._child is not None:
            self._child.kill()

    def _failed(self, child: Child) -> MediaError:
        return MediaError(
            f"the encoder stopped ({child.first_message()})",
            where=self.path,
            cure="Check the free space; a smaller picture or another ending may do.",
        )

    def _arguments(self, height: int, width: int) -> list[str]:
        rate = f"{self.fps.numerator}/{self.fps.denominator}"
        frames = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-framerate", rate, "-i", "pipe:0"]
        heard = ([], []) if self._track is None else (self._track.input_arguments(), self._track.output_arguments())
        # No tags of the sound's file (titles, places, people) in the result.
        plain = ["-map", "0:v:0", "-map_metadata", "-1"]
        return ["-y", *frames, *heard[0], *plain, *heard[1], *self._encoder, address(self._part.path)]


def _sound_for(
    kind: Kind, audio: str | Path, duration_s: float | Fraction | None, start_s: float | Fraction
) -> tuple[SoundTrack | None, list[str]]:
    if kind is Kind.MP4:
        return sound_track(audio, duration_s, start_s)
    return None, [f"a {'gif' if kind is Kind.GIF else 'folder of png'} holds no sound; write .mp4 to keep it"]


def _crf(quality: int | str) -> int:
    if isinstance(quality, str) and quality in QUALITIES:
        return QUALITIES[quality]
    if str(quality).isdecimal() and int(quality) <= _HIGHEST_CRF:
        return int(quality)
    raise MediaError(
        f"quality '{quality}' is unknown", cure=f"Use {', '.join(QUALITIES)}, or a number from 0 (best) to 51."
    )


def _h264(crf: int, lossless: bool) -> list[str]:
    if lossless:
        codec = ["-c:v", "libx264rgb", "-preset", "veryfast", "-qp", "0"]
    else:
        codec = ["-vf", f"{_TO_709},format=yuv420p", "-c:v", "libx264", "-preset", "veryfast", "-crf", str(crf)]
        codec += _TAGS_709
    return [*codec, "-movflags", "+faststart", "-f", "mp4"]


def _gif_filters(fps: Fraction) -> str:
    # A palette for each frame: one for the whole clip would have to keep all frames in memory.
    palette = "split[frame][copy];[copy]palettegen=stats_mode=single[palette];[frame][palette]paletteuse=new=1"
    return f"fps={_GIF_FASTEST},{palette}" if fps > _GIF_FASTEST else palette


def _pad_to_even(frame: Picture) -> Picture:
    height, width = frame.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return frame
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
