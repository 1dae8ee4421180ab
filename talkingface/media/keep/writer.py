"""Results whose frames are kept while they are written, so that the same run goes on after a kill.

Files of formats whose pieces can be joined are encoded in pieces of a fixed number of frames, whether anything happens
or not, so that a run that goes on gives the bytes of an undisturbed one. Frames of the piece in work, and all frames of
other formats, are kept as they are and encoded again. A folder of png is its own store.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import MediaError
from ..ffmpeg import Child, address, output_of
from ..formats import FRAME_NAME, PartialOutput
from ..image import Picture, read_image
from ..sounds.track import SoundTrack
from ..writer import EncodingWriter, FolderWriter, OutputPlan, Writer, plan_output
from .folder import WorkFolder
from .store import Store

_LIST, _SOUND = "pieces.ffconcat", "sound"
_MICRO = 1_000_000


def open_kept_writer(
    output: Path,
    work: WorkFolder,
    total: int,
    *,
    name: str,
    fps: Fraction,
    audio: Path | None = None,
    audio_duration_s: float | Fraction | None = None,
    quality: int | str = "high",
) -> Writer:
    """Open a result for writing that goes on where an earlier run stopped; ask `Writer.goes_on_from` for the place.

    Args:
        output, fps, audio, audio_duration_s, quality: as for :func:`~talkingface.media.writer.open_writer`.
        work: of the run.
        total: how many frames the result will have.
        name: of this stream of frames in the run.
    """
    plan = plan_output(output, fps, audio, audio_duration_s or total / fps, quality=quality)
    part = PartialOutput(output, folder=plan.format is None)
    writer: Writer
    if plan.format is None:
        writer = _KeptFolderWriter(part, fps, work, name)
    else:
        writer = _KeptEncodingWriter(part, fps, plan, work, name, total)
    writer.warnings += plan.warnings
    return writer


class _KeptFolderWriter(FolderWriter):
    """Numbered png files, each complete as soon as it has its name."""

    def __init__(self, part: PartialOutput, fps: Fraction, work: WorkFolder, name: str) -> None:
        super().__init__(part, fps, alpha=True)
        part.discard()
        part.path = work.part(name)
        self._work = work
        names = {file.name for file in part.path.iterdir()}
        self.found = next(number for number in range(len(names) + 1) if FRAME_NAME.format(number) not in names)

    def goes_on_from(self, first: Picture) -> int:
        self.frames = self.found
        if self.frames and not np.array_equal(read_image(self._part.path / FRAME_NAME.format(0)), first):
            self.frames = 0
        known = set(map(FRAME_NAME.format, range(self.frames)))
        for file in self._part.path.iterdir():
            if file.name not in known:
                file.unlink()
        return self.frames

    def _append(self, frame: Picture) -> None:
        super()._append(frame)
        self._work.commit()

    def abort(self) -> None:
        """Give up; the work folder decides what stays."""


class _KeptEncodingWriter(EncodingWriter):
    """A file that is encoded in pieces, or as one where it is short or its format cannot be joined."""

    def __init__(
        self, part: PartialOutput, fps: Fraction, plan: OutputPlan, work: WorkFolder, name: str, total: int
    ) -> None:
        super().__init__(part, fps, plan)
        segment = min(self._format.segment or total, total)
        self._single = segment == total
        self._work = work
        self._store = Store(work.part(name), total, segment, commit_s=work.commit_s)
        self.found = self._store.done
        self._fed: int | None = None  # frames that encoders have; None before the first
        self._ending: tuple[int, Child] | None = None  # the piece before, which an encoder still finishes
        self._sound: Child | None = None

    def goes_on_from(self, first: Picture) -> int:
        if self._store.done and not self._store.begins_with(self._shown(first)):
            self._store.reset()
        self.frames = self._store.done
        return self.frames

    def _append(self, frame: Picture) -> None:
        self._guarded(self._append_kept, frame)

    def _append_kept(self, frame: Picture) -> None:
        fed = self._caught_up()
        if self._child is None:
            self._begin_piece(fed, frame.shape)
        self._feed(self._running, frame)
        self._store.keep(frame, fed // self._store.segment)
        self._fed = fed + 1
        self._end_full_piece()
        self._enter_ended(wait=False)
        if self._store.keeps:
            self._work.commit()

    def _guarded(self, step: Callable[..., None], *arguments: Any) -> None:
        try:
            step(*arguments)
        except OSError as error:
            what = f"cannot be written ({error.strerror or error})"
            raise MediaError(
                what, where=self.path, cure="Check the free space; then the same command goes on."
            ) from error

    @property
    def _running(self) -> Child:
        assert self._child is not None  # noqa: S101 (begun by the caller)
        return self._child

    def _caught_up(self) -> int:
        """Give the encoders what an earlier run kept; returns how many frames they have."""
        if self._fed is not None:
            return self._fed
        self._fed = min(self._store.pieces * self._store.segment, self._store.total)
        while self._fed < self._store.done and self._store.shape is not None:
            self._begin_piece(self._fed, self._store.shape)
            self._end_full_piece()
        return self._fed

    def _begin_piece(self, fed: int, shape: tuple[int, ...]) -> None:
        number = fed // self._store.segment
        file = self._part.path if self._single else self._piece(number)
        self._child = self._encoder(shape, file, self._track if self._single else None)
        self._begin_sound()
        for frame in self._store.begin_piece(number, shape):
            self._feed(self._child, frame)
            fed += 1
        self._fed = fed

    def _end_full_piece(self) -> None:
        """Close the piece in work if it has all its frames; an encoder finishes it while the next one begins."""
        if not self._single and self._fed in (self._store.total, (self._number + 1) * self._store.segment):
            self._end_piece()

    def _end_piece(self) -> None:
        number = self._number
        self._close(self._running)
        self._enter_ended(wait=True)
        self._ending, self._child = (number, self._running), None
        self._store.end_piece()

    @property
    def _number(self) -> int:
        """Number of the piece of the last frame that encoders have."""
        return max((self._fed or 0) - 1, 0) // self._store.segment

    def _enter_ended(self, *, wait: bool) -> None:
        if self._ending is not None and (wait or self._ending[1].ended):
            number, child = self._ending
            self._await(child)
            self._ending = None
            self._store.add_piece(number, self._piece(number))

    def _complete(self) -> None:
        self._guarded(self._complete_kept)

    def _complete_kept(self) -> None:
        self._caught_up()
        if self._single:
            super()._complete()
            return
        if self._child is not None:
            self._end_piece()
        self._enter_ended(wait=True)
        self._join(self._finished_sound())
        self._cut_sound_to_pictures()

    def _begin_sound(self) -> None:
        """Encode the sound while the pictures are drawn."""
        if self._single or self._track is None or self._sound is not None:
            return
        track: SoundTrack = self._track
        heard = track.output_arguments(self._format.sound, number=0)
        file = self._store.path / f"{_SOUND}{self._ending_of_name}"
        self._sound = Child(["-y", *track.input_arguments(), "-map_metadata", "-1", *heard, *self._muxer(file)])

    def _finished_sound(self) -> list[str]:
        """Arguments that open the encoded sound; none where there is none."""
        self._begin_sound()
        if self._sound is None:
            return []
        if self._sound.wait(None) != 0:
            self.warnings.append(f"the sound could not be added ({self._sound.first_message()}); the result is silent")
            self._track = None
            return []
        return ["-i", address(self._store.path / f"{_SOUND}{self._ending_of_name}")]

    def _join(self, sound: list[str]) -> None:
        """Put pieces and sound together; nothing is encoded again."""
        numbers = range(self._store.pieces)
        edges = [round(min(n * self._store.segment, self.frames) / self.fps * _MICRO) for n in (*numbers, len(numbers))]
        lasts = (edges[number + 1] - edges[number] for number in numbers)
        lines = [f"file {self._piece(n).name}\nduration {last}us\n" for n, last in zip(numbers, lasts, strict=True)]
        (self._store.path / _LIST).write_text("ffconcat version 1.0\n" + "".join(lines), encoding="ascii")
        # The stream's own notes say whether it is transparent.
        plain = ["-map_metadata", "-1", "-map_metadata:s:v:0", "0:s:v:0", "-map", "0:v:0"]
        heard = ["-map", "1:a:0"] if sound else []
        # Relative names: ffmpeg would take a ? or # in those of the folders for parts of a URL.
        inputs = ["-protocol_whitelist", "file,pipe", "-f", "concat", "-i", _LIST, *sound]
        # Else ffmpeg moves a sound that begins before the first picture, as Opus does, onto it.
        joined = [*plain, *heard, "-copyts", "-c", "copy", "-r", self._rate, *self._muxer(self._part.path)]
        status, _, messages = output_of(["-y", *inputs, *joined], folder=self._store.path)
        if status != 0:
            why = " ".join(messages[:1]) or "ffmpeg gave no reason"
            raise MediaError(f"its pieces could not be joined ({why})", where=self.path, cure="Check the free space.")

    def _piece(self, number: int) -> Path:
        return self._store.piece(number, self._ending_of_name)

    @property
    def _ending_of_name(self) -> str:
        return self.path.suffix.lower()

    def _stop(self) -> None:
        super()._stop()
        for child in (self._sound, None if self._ending is None else self._ending[1]):
            if child is not None:
                child.kill()
        self._store.close()
