"""Results with better faces and background: ``--enhancer``, ``--background_enhancer``, ``--upscale``.

What is missing for that is found before anything is drawn. The plain result is written first, whole and with its sound;
the enhanced one takes its place when it is whole itself, so that no failure on the way loses what was drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ..enhance.frames import Enhancer, enhance_frames
from ..enhance.networks import open_restorer, open_upscaler
from ..errors import ConfigError, MediaError
from ..face.crop.framing import FULL_SIDE
from ..face.detect.analyser import FaceAnalyser, open_analyser, searching_backends
from ..face.track.track import Track, TrackSettings
from ..media.video import open_video
from ..media.writer import Writer, open_writer
from ..part_files import temporary_folder
from ..paths import default_checkpoint_root
from . import render
from .frames import Frame
from .model import choose_device
from .progress import SILENT, Progress
from .video import track_video

if TYPE_CHECKING:
    from ..config.schema import Settings
    from ..enhance.frames import Upscaler
    from ..enhance.restore import Restorer

LARGEST = 2  # times the size of the plain result


@dataclass(frozen=True)
class Enhancement:
    """Networks that make results better, ready to be used.

    Attributes:
        name: the flags' words, for the user.
        restorer, upscaler: of faces and of all else; at least one of them.
        analyser: finds the faces; None where none is restored.
        upscale: the result is so many times larger; None: twice, where that is not too large.
        device: where the networks are.
    """

    name: str
    restorer: Restorer | None
    upscaler: Upscaler | None
    analyser: FaceAnalyser | None
    upscale: int | None
    device: torch.device

    def enhancer(self, size: tuple[int, int]) -> Enhancer:
        """For frames of (height, width)."""
        factor = self.upscale or (LARGEST if max(size) * LARGEST <= FULL_SIDE else 1)
        return Enhancer(self.restorer, self.upscaler, factor, self.device)


def open_enhancement(settings: Settings) -> Enhancement | None:
    """Load the enhancement that the settings ask for; None if they ask for none.

    Raises:
        ConfigError: if settings contradict each other.
        DependencyError, WeightsError: if a package or file is missing.
    """
    words = [word for word in (settings.enhancer, settings.background_enhancer) if word is not None]
    if not words:
        if settings.upscale is not None:
            what = "enlarges what an enhancer makes, and there is none"
            raise ConfigError(what, where=f"--upscale={settings.upscale}", cure="Add --enhancer=gfpgan.")
        return None
    if settings.compare or settings.visualize:
        flag = "--compare" if settings.compare else "--visualize"
        what = f"shows frames as the model draws them, so they cannot be enhanced ({', '.join(words)})"
        raise ConfigError(what, where=flag, cure="Leave one of the two out.")
    root, device = settings.checkpoint_root or default_checkpoint_root(), choose_device(settings.device)
    restorer = open_restorer(settings.enhancer, root, device) if settings.enhancer else None
    upscaler = open_upscaler(settings.background_enhancer, root, device) if settings.background_enhancer else None
    # Points that a file gives are those of the source; the faces of a result have to be looked for.
    backend = settings.landmarks if settings.landmarks in searching_backends() else "auto"
    analyser = open_analyser(backend, root=root, device=str(device)) if restorer else None
    return Enhancement(" and ".join(words), restorer, upscaler, analyser, settings.upscale, device)


def write(
    frames: Iterable[Frame],
    output: Path,
    enhancement: Enhancement | None,
    *,
    fps: Fraction,
    sound: Path | None = None,
    sound_s: Fraction | None = None,
    quality: str = "high",
    progress: Progress = SILENT,
) -> tuple[int, list[str]]:
    """Write frames by :func:`render.write`, then enhanced; where that fails, the plain result stays, with a note."""
    if enhancement is None:
        return render.write(frames, output, fps=fps, sound=sound, sound_s=sound_s, quality=quality)
    with temporary_folder(output.absolute().parent) as folder:
        copy = Copy(folder / "plain.mp4", fps)
        how: dict[str, Any] = {"fps": fps, "sound": sound, "sound_s": sound_s, "quality": quality}
        count, notes = render.write(copy.passing(frames), output, **how)
        try:
            better, more = enhanced(copy, count, enhancement, progress)
            _, again = render.write(better, output, **how)
        except Exception as error:  # a bug, too, must not cost the result
            why = " ".join(str(error).split()) or "no reason given"
            return count, [*notes, f"{enhancement.name} failed ({type(error).__name__}: {why}); {output} is as drawn"]
    return count, [*dict.fromkeys([*notes, *more, *again])]


def enhanced(
    copy: Copy, count: int, enhancement: Enhancement, progress: Progress = SILENT
) -> tuple[Iterator[Frame], list[str]]:
    """(the frames enhanced, notes); faces are tracked at once, frames are made as they are asked for.

    Args:
        count: how many frames there are.

    Raises:
        MediaError: if the copy of the frames is not whole.
    """
    if copy.problem is not None:
        raise copy.problem
    with open_video(copy.path) as reader:
        size = reader.height, reader.width
    tracks, notes = [], []
    if enhancement.analyser is not None:
        tracks = faces_in(copy.path, size, count, enhancement.analyser, progress)
        notes = [] if tracks else [f"no face was found in the result, so {enhancement.name} restored none"]
    enhancer = enhancement.enhancer(size)

    def made() -> Iterator[Frame]:
        done = 0
        with open_video(copy.path) as reader:
            for frame in enhance_frames(reader, tracks, enhancer):
                yield frame
                done += 1
        if done != count:
            raise MediaError(f"{done} of {count} frames came back", where=copy.path)

    return iter(progress.track(made(), "enhance", count)), notes


def faces_in(
    path: Path, size: tuple[int, int], count: int, analyser: FaceAnalyser, progress: Progress = SILENT
) -> list[Track]:
    """The faces of a result of (height, width), in its own pixels; smoothed over time, so that nothing trembles."""
    return track_video(path, size, analyser, TrackSettings(keep_mesh=False), count=count, progress=progress)


class Copy:
    """An exact copy of frames, kept in a file while they pass.

    Attributes:
        path: the file, there once all have passed.
        problem: why there is none; None if there is.
    """

    def __init__(self, path: Path, fps: Fraction) -> None:
        self.path, self._fps = path, fps
        self.problem: MediaError | None = None

    def passing(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The frames, each kept before it is handed on; that one cannot be kept stops no other."""
        writer = open_writer(self.path, fps=self._fps, quality="lossless")
        whole = False
        try:
            for frame in frames:
                self._keep(writer, frame)
                yield frame
            whole = self.problem is None and writer.frames > 0
        finally:
            if not whole:
                writer.abort()
        if whole:
            self._finish(writer)

    def _keep(self, writer: Writer, frame: Frame) -> None:
        if self.problem is None:
            try:
                writer.write(frame)
            except MediaError as error:
                self.problem = error

    def _finish(self, writer: Writer) -> None:
        try:
            writer.finish()
        except MediaError as error:
            self.problem = error
