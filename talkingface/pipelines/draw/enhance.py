"""Results with better faces and background: ``--enhancer``, ``--background_enhancer``, ``--upscale``.

What is missing for that is found before anything is drawn. The plain result is written first, whole and with its sound;
the enhanced one takes its place when it is whole itself, so that no failure on the way loses what was drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import torch

from ...enhance.frames import Enhancer, enhance_frames
from ...enhance.networks import open_restorer, open_upscaler
from ...errors import ConfigError, MediaError
from ...face.crop.framing import FULL_SIDE
from ...face.detect.analyser import FaceAnalyser, open_analyser, searching_backends
from ...face.track.track import Track, TrackSettings
from ...media.keep.folder import WorkFolder
from ...media.keep.writer import open_kept_writer
from ...media.video import open_video
from ...media.writer import open_writer
from ...part_files import temporary_folder
from ..frames import Frame
from ..model import choose_device
from ..progress import SILENT, Progress
from ..read.video import track_video
from . import render
from .drawing import Drawing

if TYPE_CHECKING:
    from ...config.schema import Settings
    from ...enhance.frames import Upscaler
    from ...enhance.restore import Restorer

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
    root, device = settings.weights_root, choose_device(settings.device)
    restorer = open_restorer(settings.enhancer, root, device) if settings.enhancer else None
    upscaler = open_upscaler(settings.background_enhancer, root, device) if settings.background_enhancer else None
    # Points that a file gives are those of the source; the faces of a result have to be looked for.
    backend = settings.landmarks if settings.landmarks in searching_backends() else "auto"
    analyser = open_analyser(backend, root=root, device=str(device)) if restorer else None
    return Enhancement(" and ".join(words), restorer, upscaler, analyser, settings.upscale, device)


def write(
    frames: Iterable[Frame] | Drawing,
    output: Path,
    enhancement: Enhancement | None,
    *,
    fps: Fraction,
    sound: Path | None = None,
    sound_s: Fraction | None = None,
    quality: str = "high",
    progress: Progress = SILENT,
    work: WorkFolder | None = None,
) -> tuple[int, list[str]]:
    """Write frames by :func:`render.write`, then enhanced; where that fails, the plain result stays, with a note."""
    how: dict[str, Any] = {"fps": fps, "sound": sound, "sound_s": sound_s, "quality": quality, "work": work}
    if enhancement is None:
        return render.write(frames, output, **how)
    with _folder_for_copy(output, work) as folder, Copy(folder / "plain.mp4", fps, _length(frames), work) as copy:
        count, notes = render.write(frames, output, **how, also=[copy])
        copy.finish()
        try:
            better, more = enhanced(copy, count, enhancement, progress)
            _, again = render.write(better, output, **how)
        except Exception as error:  # a bug, too, must not cost the result
            why = " ".join(str(error).split()) or "no reason given"
            return count, [*notes, f"{enhancement.name} failed ({type(error).__name__}: {why}); {output} is as drawn"]
    return count, [*dict.fromkeys([*notes, *more, *again])]


@contextmanager
def _folder_for_copy(output: Path, work: WorkFolder | None) -> Iterator[Path]:
    if work is not None:
        yield work.part("copied")
        return
    with temporary_folder(output.absolute().parent) as folder:
        yield folder


def _length(frames: Iterable[Frame] | Drawing) -> int | None:
    return frames.length if isinstance(frames, Drawing) else None


def enhanced(
    copy: Copy, count: int, enhancement: Enhancement, progress: Progress = SILENT
) -> tuple[Drawing, list[str]]:
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

    def made(first: int) -> Iterator[Frame]:
        done = first
        with open_video(copy.path) as reader:
            for frame in enhance_frames(islice(reader, first, None), tracks, enhancer, first):
                yield frame
                done += 1
        if done != count:
            raise MediaError(f"{done} of {count} frames came back", where=copy.path)

    return Drawing(made, count, "enhance", progress), notes


def faces_in(
    path: Path, size: tuple[int, int], count: int, analyser: FaceAnalyser, progress: Progress = SILENT
) -> list[Track]:
    """The faces of a result of (height, width), in its own pixels; smoothed over time, so that nothing trembles."""
    return track_video(path, size, analyser, TrackSettings(keep_mesh=False), count=count, progress=progress)


class Copy:
    """An exact copy of frames, kept in a file. That a frame cannot be kept is no error, but the copy's problem.

    Attributes:
        path: the file, there once `finish` was called.
        problem: why there is none; None if there is.
    """

    def __init__(self, path: Path, fps: Fraction, length: int | None, work: WorkFolder | None) -> None:
        """Args: length, work: as the drawing's, see :func:`render.write`."""
        self.path = path
        self.problem: MediaError | None = None
        if work is None or length is None:
            self._writer = open_writer(path, fps=fps, quality="lossless")
        else:
            self._writer = open_kept_writer(path, work, length, name="copy", fps=fps, quality="lossless")
        self.found = self._writer.found

    @property
    def frames(self) -> int:
        """Frames that need not be written again."""
        return self._writer.frames

    def __enter__(self) -> Copy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.abort()  # nothing happens to a file that is finished

    def goes_on_from(self, first: Frame) -> int:
        return self._writer.goes_on_from(first)

    def write(self, frame: Frame) -> None:
        """Keep a frame, if all before it could be kept."""
        if self.problem is None:
            try:
                self._writer.write(frame)
            except MediaError as error:
                self.problem = error

    def finish(self) -> None:
        """Complete the file."""
        if self.problem is None:
            try:
                self._writer.finish()
            except MediaError as error:
                self.problem = error
