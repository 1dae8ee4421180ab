"""Results: a video or animation with its sound, or a folder of png; written in one pass, there whole or not at all."""

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
from .formats import FRAME_NAME, HIGHEST_CRF, Encoding, Format, PartialOutput, output_format
from .image import Picture, check_picture, over_background
from .sound import SoundTrack, sound_track

QUALITIES = {"low": 28, "medium": 23, "high": 18, "lossless": 0}


class Writer(ABC):
    """An open result. Leaving the ``with`` block finishes it; leaving by an error removes what was written.

    Attributes:
        path: the result, there once the block is left.
        frames: frames written so far.
        warnings: what was asked for and is not in the result, a sentence each.
    """

    def __init__(self, part: PartialOutput, fps: Fraction, *, alpha: bool) -> None:
        """Args: alpha: whether the result keeps transparency."""
        self.path = part.target
        self.fps = fps
        self.frames = 0
        self.warnings: list[str] = []
        self._part, self._alpha = part, alpha
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
            frame: (H, W, 3) RGB or (H, W, 4) RGBA with straight alpha, uint8; all frames have the shape of the first.
                Where the result keeps no transparency, transparent parts are composed over white.

        Raises:
            ShapeError: if the frame is none, or of another size.
            MediaError: if it cannot be written.
        """
        check_picture(frame[..., :3] if frame.ndim == 3 and frame.shape[2] == 4 else frame)
        if self._shape is None:
            self._shape = frame.shape
        if frame.shape != self._shape:
            raise ShapeError(f"frame {self.frames} is {frame.shape}, the first was {self._shape}", where=self.path)
        if frame.shape[2] == 4 and not self._alpha:
            frame = over_background(frame)
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

    .mp4 and .mov are h264, yuv420p, BT.709, streamable, with AAC sound; an odd side grows by repeating the last row or
    column. With ``quality="lossless"`` they are h264 in RGB, exact, which few players show. .webm is VP9 with Opus
    sound and keeps transparency; lossless it is exact too, but for colours of half size where there is transparency.
    .webp is an animation that keeps transparency and has no sound; .gif has a palette for each frame. Both run for
    ever. A folder gets 000000.png, 000001.png, ... Other packages add further endings.

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
        DependencyError: if the ffmpeg lacks an encoder.
    """
    target = output_format(output)
    crf = _crf(quality)
    if fps <= 0:
        raise MediaError(f"a frame rate of {fps} is not possible", where=output, cure="Use a rate above 0.")
    if target is None:
        writer: Writer = _FolderWriter(PartialOutput(Path(output), folder=True), fps, alpha=True)
        writer.warnings += ["a folder of png holds no sound; write .mp4 to keep it"] if audio is not None else []
        return writer
    target.check(Path(output))
    track, warnings = _sound_for(target, Path(output), audio, audio_duration_s, audio_start_s)
    part = PartialOutput(Path(output), folder=False)
    writer = _EncodingWriter(part, fps, target, crf, track, lossless=quality == "lossless")
    writer.warnings += warnings
    if target.fastest is not None and fps > target.fastest:
        what = f"{_article(part.target)} cannot show {fps} frames/s; it is written at {target.fastest}"
        writer.warnings.append(what)
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
        self, part: PartialOutput, fps: Fraction, target: Format, crf: int, track: SoundTrack | None, *, lossless: bool
    ) -> None:
        super().__init__(part, fps, alpha=target.alpha)
        self._format, self._crf, self._lossless, self._track = target, crf, lossless, track
        self._child: Child | None = None

    def _append(self, frame: Picture) -> None:
        if self._format.even and not self._lossless:
            frame = _pad_to_even(frame)
        if self._child is None:
            self._child = Child(self._arguments(*frame.shape), feed=True)
        try:
            self._child.write(frame.data.cast("B"))
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
        if child.wait(None) != 0:  # it may copy all that it wrote, to put the index in front
            raise self._failed(child)
        pictures_s = self.frames / self.fps
        if self._track is not None and self._track.may_outlast(pictures_s):
            self._cut_sound(pictures_s)

    def _cut_sound(self, pictures_s: Fraction) -> None:
        """Copy the finished part without the sound that goes on after the last picture; nothing is encoded again."""
        whole, cut = self._part.path, self._part.path.with_suffix(f".cut{self._part.path.suffix}")
        copy = ["-map", "0", "-c", "copy", "-t", f"{float(pictures_s):.6f}"]
        status, _, messages = output_of(["-y", *input_arguments(whole), *copy, *self._muxer(cut)])
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

    def _arguments(self, height: int, width: int, channels: int) -> list[str]:
        rate = f"{self.fps.numerator}/{self.fps.denominator}"
        pixels = "rgba" if channels == 4 else "rgb24"
        frames = ["-f", "rawvideo", "-pix_fmt", pixels, "-s", f"{width}x{height}", "-framerate", rate, "-i", "pipe:0"]
        sound, heard = [], []
        if self._track is not None:
            sound, heard = self._track.input_arguments(), self._track.output_arguments(self._format.sound)
        # No tags of the sound's file (titles, places, people) in the result.
        plain = ["-map", "0:v:0", "-map_metadata", "-1"]
        encoder = self._format.encode(Encoding(self._crf, self._lossless, channels == 4, self.fps))
        return ["-y", *frames, *sound, *plain, *heard, *encoder, *self._muxer(self._part.path)]

    def _muxer(self, path: Path) -> list[str]:
        """Arguments that write a file of this format."""
        return [*self._format.muxing, "-f", self._format.container, address(path)]


def _sound_for(
    target: Format,
    output: Path,
    audio: str | Path | None,
    duration_s: float | Fraction | None,
    start_s: float | Fraction,
) -> tuple[SoundTrack | None, list[str]]:
    if audio is None:
        return None, []
    if target.sound:
        return sound_track(audio, duration_s, start_s)
    return None, [f"{_article(output)} holds no sound; write .mp4 to keep it"]


def _article(output: Path) -> str:
    """Name of a format in a sentence: "a gif"."""
    return f"a {output.suffix.lower()[1:]}"


def _crf(quality: int | str) -> int:
    if isinstance(quality, str) and quality in QUALITIES:
        return QUALITIES[quality]
    if str(quality).isdecimal() and int(quality) <= HIGHEST_CRF:
        return int(quality)
    raise MediaError(
        f"quality '{quality}' is unknown", cure=f"Use {', '.join(QUALITIES)}, or a number from 0 (best) to 51."
    )


def _pad_to_even(frame: Picture) -> Picture:
    height, width = frame.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return frame
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
