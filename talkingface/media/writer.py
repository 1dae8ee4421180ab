"""Results: a video or animation with its sound, or a folder of png; written in one pass, there whole or not at all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import cast

import numpy as np
from PIL import Image

from ..errors import MediaError, ShapeError
from ..part_files import atomic_file
from .ffmpeg import Child, address, input_arguments, output_of
from .formats import FRAME_NAME, HIGHEST_CRF, Encoding, Format, PartialOutput, output_format
from .image import Picture, check_picture, over_background
from .sounds.track import SoundTrack, sound_track

QUALITIES = {"low": 28, "medium": 23, "high": 18, "lossless": 0}


class Writer(ABC):
    """An open result. Leaving the ``with`` block finishes it; leaving by an error removes what was written.

    Attributes:
        path: the result, there once the block is left.
        frames: frames written so far.
        warnings: what was asked for and is not in the result, a sentence each.
        found: frames that an earlier run has left, see `goes_on_from`.
    """

    found = 0

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
        self._append(self._shown(frame))
        self.frames += 1

    def goes_on_from(self, first: Picture) -> int:
        """Number of the frame to be written next, where an earlier run has kept those before it; here always 0.

        Args:
            first: the first frame, (H, W, 3) or (H, W, 4), uint8, drawn anew; where it is another one than before,
                nothing of that run is used.
        """
        return 0

    def _shown(self, frame: Picture) -> Picture:
        """A frame as the result keeps it."""
        if frame.shape[2] == 4 and not self._alpha:
            frame = over_background(frame)
        return np.ascontiguousarray(frame)

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
    plan = plan_output(output, fps, audio, audio_duration_s, audio_start_s, quality)
    part = PartialOutput(Path(output), folder=plan.format is None)
    writer: Writer = FolderWriter(part, fps, alpha=True) if plan.format is None else EncodingWriter(part, fps, plan)
    writer.warnings += plan.warnings
    return writer


@dataclass(frozen=True)
class OutputPlan:
    """Choices about a result, checked before anything is written.

    Attributes:
        format: of the file; None: a folder of png.
        crf: constant rate factor of the encoder.
        lossless: the frames are to come back exactly.
        track: sound that goes with the pictures.
        warnings: what was asked for and will not be in the result.
    """

    format: Format | None
    crf: int
    lossless: bool
    track: SoundTrack | None
    warnings: tuple[str, ...]


def plan_output(
    output: str | Path,
    fps: Fraction,
    audio: str | Path | None = None,
    audio_duration_s: float | Fraction | None = None,
    audio_start_s: float | Fraction = 0,
    quality: int | str = "high",
) -> OutputPlan:
    """Decide how a result is written; arguments and errors as for :func:`open_writer`."""
    target, lossless = output_format(output), quality == "lossless"
    crf = _crf(quality)
    if fps <= 0:
        raise MediaError(f"a frame rate of {fps} is not possible", where=output, cure="Use a rate above 0.")
    if target is None:
        lost = () if audio is None else ("a folder of png holds no sound; write .mp4 to keep it",)
        return OutputPlan(None, crf, lossless, None, lost)
    target.check(Path(output))
    track, warnings = _sound_for(target, Path(output), audio, audio_duration_s, audio_start_s)
    if target.fastest is not None and fps > target.fastest:
        warnings.append(f"{_article(Path(output))} cannot show {fps} frames/s; it is written at {target.fastest}")
    return OutputPlan(target, crf, lossless, track, tuple(warnings))


class FolderWriter(Writer):
    """Numbered png files."""

    def _append(self, frame: Picture) -> None:
        path = self._part.path / FRAME_NAME.format(self.frames)
        try:
            with atomic_file(path) as part:
                Image.fromarray(frame).save(part, format="PNG", compress_level=3)
        except OSError as error:
            raise MediaError(f"cannot be written ({error.strerror or error})", where=self.path) from error

    def _complete(self) -> None:
        """Each file is whole as soon as it is written."""

    def _stop(self) -> None:
        """Nothing runs in the background."""


class EncodingWriter(Writer):
    """A file that one ffmpeg process encodes from the frames on its standard input; sound is its second input."""

    def __init__(self, part: PartialOutput, fps: Fraction, plan: OutputPlan) -> None:
        self._format, self._plan = cast(Format, plan.format), plan
        super().__init__(part, fps, alpha=self._format.alpha)
        self._track = plan.track
        self._child: Child | None = None

    def _append(self, frame: Picture) -> None:
        if self._child is None:
            self._child = self._encoder(frame.shape, self._part.path, self._track)
        self._feed(self._child, frame)

    def _feed(self, child: Child, frame: Picture) -> None:
        """Hand a frame to an encoder."""
        try:
            child.write(self._padded(frame).data.cast("B"))
        except OSError as error:
            child.wait()
            raise self._failed(child) from error

    def _complete(self) -> None:
        child = cast(Child, self._child)  # started by the first frame
        self._close(child)
        self._await(child)
        self._cut_sound_to_pictures()

    def _close(self, child: Child) -> None:
        """Tell an encoder that no frame follows."""
        try:
            child.stdin.close()
        except OSError as error:
            child.wait()
            raise self._failed(child) from error

    def _await(self, child: Child) -> None:
        """Wait until an encoder has written everything."""
        if child.wait(None) != 0:  # it may copy all that it wrote, to put the index in front
            raise self._failed(child)

    def _cut_sound_to_pictures(self) -> None:
        pictures_s = self.frames / self.fps
        if self._track is not None and self._track.may_outlast(pictures_s):
            self._cut_sound(pictures_s)
        if self._format.complete is not None:
            self._format.complete(self._part.path, self.frames, self.fps)

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

    def _padded(self, frame: Picture) -> Picture:
        return _pad_to_even(frame) if self._format.even and not self._plan.lossless else frame

    def _encoder(self, shape: tuple[int, ...], path: Path, track: SoundTrack | None) -> Child:
        """Start an encoder of frames of a shape into a file, with its sound."""
        padding = 1 if self._format.even and not self._plan.lossless else 0
        height, width = (side + side % 2 * padding for side in shape[:2])
        return Child(self._arguments((height, width, shape[2]), path, track), feed=True)

    @property
    def _rate(self) -> str:
        return f"{self.fps.numerator}/{self.fps.denominator}"

    def _arguments(self, shape: tuple[int, int, int], path: Path, track: SoundTrack | None) -> list[str]:
        height, width, channels = shape
        pixels = "rgba" if channels == 4 else "rgb24"
        frames = ["-f", "rawvideo", "-pix_fmt", pixels, "-s", f"{width}x{height}"]
        frames += ["-framerate", self._rate, "-i", "pipe:0"]
        sound, heard = [], []
        if track is not None:
            sound, heard = track.input_arguments(), track.output_arguments(self._format.sound)
        # No tags of the sound's file (titles, places, people) in the result.
        plain = ["-map", "0:v:0", "-map_metadata", "-1"]
        encoder = self._format.encode(Encoding(self._plan.crf, self._plan.lossless, channels == 4, self.fps))
        return ["-y", *frames, *sound, *plain, *heard, *encoder, *self._muxer(path)]

    def _muxer(self, path: Path) -> list[str]:
        """Arguments that write a file of this format."""
        # Without it Matroska files hold random numbers, and no two runs give the same bytes.
        return [*self._format.muxing, "-fflags", "+bitexact", "-f", self._format.container, address(path)]


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
