"""One concept for everything that drives: a driver is opened once and gives each source its motion."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import repeat
from pathlib import Path
from typing import Any

from ...config.schema import Settings
from ...face.crop.crop import Crop
from ...face.face import Face
from ...face.track.track import Track
from ...motion.file import save_motion
from ...types import Motion, Source
from ..frames import Frame
from ..model import LoadedModel
from ..plan.assignment import DriverAssignment, DriverKey
from ..plan.options import SpeechOptions, VideoOptions
from ..progress import Progress
from ..read.crops import Cropper
from ..read.video import CutFrames, Size
from .voices import VoiceLoader


@dataclass(frozen=True)
class DriverContext:
    """Everything that drivers are opened with.

    Attributes:
        model: whose renderer draws the motion.
        cropper: finds faces in driving videos.
        video, speech: slices of the settings.
        voices: loads voices where one is needed.
        options: values of the settings that drivers of other packages bring, by name.
        progress: shows how far reading is.
    """

    model: LoadedModel
    cropper: Cropper
    video: VideoOptions
    speech: SpeechOptions
    voices: VoiceLoader
    progress: Progress
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class DrivingMotion:
    """Motion that one driver gives to a source.

    Attributes:
        path: of the driving file.
        motion: one entry a frame, before it is fitted to the source.
        notes: what the user should know, for example about a truncated tail.
        for_source: whether it is meant for the source already, as a voice's is: then it is not taken relatively.
        crop: the part of the driving frames that was read; None where there are no frames.
        fps: the rate at which the frames are read; None is their own.
        face: the first that is seen, in pixels of the full frame; None where there is none, or no frames.
        start: number of the frame in which it is.
        track: the face in the full frames; None where there is none, no frames, or nobody will look at it.
    """

    path: Path
    motion: Motion
    notes: tuple[str, ...] = ()
    for_source: bool = False
    crop: Crop | None = None
    fps: Fraction | None = None
    face: Face | None = None
    start: int = 0
    track: Track | None = None

    def frames(self, size: Size, count: int) -> Iterator[Frame] | None:
        """Read ``count`` driving frames again, (h, w, 3), uint8; the last is held where there are fewer.

        Args:
            size: (height, width) of what comes out.

        Returns:
            None where there are no frames.
        """
        return None if self.crop is None else self._read(self.crop.resized(size), count)

    def _read(self, crop: Crop, count: int) -> Iterator[Frame]:
        last: Frame | None = None
        with CutFrames(self.path, crop, fps=self.fps, frame_limit=count) as frames:
            for last in frames:
                yield last
                count -= 1
        yield from repeat(last, count) if last is not None else ()

    def save(self, path: Path, weights: str, face_scale: float) -> None:
        """Write the motion to a file.

        Args:
            weights: in use, in one line.
            face_scale: see :class:`~talkingface.pipelines.plan.options.VideoOptions`.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        extra: dict[str, object] = {"driving": self.path.name, "weights": weights, "face_scale": face_scale}
        if self.crop is not None:
            extra |= {"crop": self.crop.matrix.tolist(), "crop_size": list(self.crop.size)}
        save_motion(path, self.motion, extra)


class Driver(ABC):
    """Makes motion of one driving signal; opened once, it serves all sources.

    A further signal is a subclass in a file of its own, and an entry in :data:`talkingface.plugins.DRIVERS`.

    Attributes:
        key: what is driven by.
        fps: frames per second of its motions, which are those of the result.
        length: frames of its motions; the settings may ask for fewer.
        elapsed_s: seconds that opening took.
    """

    key: DriverKey
    fps: Fraction
    length: int
    elapsed_s: float = 0.0

    @classmethod
    def assigned(cls, settings: Settings, flag: str, signal: str) -> DriverAssignment:
        """Assignment of a setting, checked as far as it can be without reading all of the file.

        Args:
            flag: the setting that asks for the driver.
            signal: name of the driver in the registry.

        Raises:
            ConfigError, MediaError: the file is missing or of another kind.
        """
        return DriverAssignment(Path(str(getattr(settings, flag))), signal=signal)

    @classmethod
    @abstractmethod
    def open(cls, key: DriverKey, context: DriverContext, fps: Fraction | None) -> Driver:
        """Read the driving signal as far as it is the same for all sources.

        Args:
            fps: the rate wanted, of the settings or of the first driver; None: the signal's own.

        Raises:
            FaceError, MediaError, MotionError, ConfigError, WeightsError: it cannot drive this model.
        """

    @abstractmethod
    def drive(self, source: Source) -> DrivingMotion:
        """Motion for a source, `length` frames at `fps`, before it is fitted to it."""

    @property
    def recorded(self) -> DrivingMotion | None:
        """Motion that is the same for every source; None where it depends on the source."""
        return None


class RecordedDriver(Driver):
    """Driver whose motion is the same for every source."""

    def __init__(self, key: DriverKey, driving: DrivingMotion, elapsed_s: float) -> None:
        self.key, self._driving, self.elapsed_s = key, driving, elapsed_s
        self.fps, self.length = driving.motion.fps, len(driving.motion)

    def drive(self, source: Source) -> DrivingMotion:
        return self._driving

    @property
    def recorded(self) -> DrivingMotion:
        return self._driving
