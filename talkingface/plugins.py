"""Parts that have names, ours and those of other packages: listed without loading any, loaded one at a time.

A package adds a part through an entry point of the group of its kind; the entry point's name is the word that the user
writes. A broken package leaves the other parts alone, and a name with two owners is an error that names both.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from .errors import ConfigError, UnknownNameError, did_you_mean

if TYPE_CHECKING:
    from pydantic import BaseModel

    from .evaluation.metric import Metric
    from .face.detect.analyser import Backend
    from .face.paste.blend import Blend
    from .media.formats import Format

OURS = "talkingface"
logger = logging.getLogger("talkingface")
PartT = TypeVar("PartT")

# What importing a broken module may raise, an attempt to end the program among it: a fault of somebody else's module
# becomes one line, never the end of our parts.
IMPORT_FAILURES = (Exception, SystemExit)


class Plugins(Generic[PartT]):
    """All parts of one kind.

    Attributes:
        group: of the entry points.
        noun: its name in messages.
        own: names of our parts, in their order.
    """

    def __init__(self, group: str, noun: str, kind: str, own: Mapping[str, PartT | str]) -> None:
        """
        Args:
            kind: import string ``module:class`` of what every part is: an instance, or a class below it.
            own: our parts by name, or their import strings, in the order in which they are listed.
        """
        self.group, self.noun, self.own = group, noun, tuple(own)
        self._kind, self._own = kind, own

    def names(self) -> list[str]:
        """Names of all parts: ours in their order, then other people's by name; broken ones are still named."""
        return list(dict.fromkeys([*self._own, *(point.name for point in points_of(self.group))]))

    def owns(self, name: str) -> bool:
        """True if a part is one of ours."""
        return name in self.own

    def get(self, name: str, *, where: object = None) -> PartT:
        """The part of a name; faults of our own modules keep their traceback.

        Args:
            where: the flag or file that names it, for messages.

        Raises:
            UnknownNameError: if there is none of the name, or its package is broken (with the reason).
            ConfigError: if two packages offer the name.
        """
        others = [point for point in points_of(self.group) if point.name == name]
        owners = [*([OURS] if self.owns(name) else []), *map(owner_of, others)]
        if len(owners) > 1:
            cure = f"Uninstall {' or '.join(owner for owner in owners if owner != OURS)}."
            raise ConfigError(f"{self.noun} '{name}' is offered by {' and by '.join(owners)}", where=where, cure=cure)
        if self.owns(name):
            part = self._own[name]
            return cast(PartT, load(part) if isinstance(part, str) else part)
        if not others:
            cure = did_you_mean(name, self.names())
            raise UnknownNameError(f"unknown {self.noun} '{name}'", where=where, cure=cure)
        reason = fault_of(others[0], self.noun, self._kind)
        if reason is not None:
            what = f"{self.noun} '{name}' of {owners[0]} is broken: {reason}"
            raise UnknownNameError(what, where=where, cure="Update or uninstall it.")
        return cast(PartT, others[0].load())

    def usable(self) -> dict[str, PartT]:
        """All parts that can be used, by name. Ours is taken where another package offers its name too."""
        found: dict[str, PartT] = {}
        for name in self.names():
            if self.owns(name):
                part = self._own[name]
                found[name] = cast(PartT, load(part) if isinstance(part, str) else part)
                continue
            with suppress(UnknownNameError, ConfigError):  # reported where the part is asked for, and by doctor
                found[name] = self.get(name)
        return found

    def broken(self) -> dict[str, str]:
        """Parts of other packages that cannot be used -> the reason; faults are also logged, once."""
        reasons = {}
        for point in points_of(self.group):
            reason = fault_of(point, self.noun, self._kind)
            try:
                self.get(point.name)
            except (UnknownNameError, ConfigError) as error:
                reasons[point.name] = reason or error.what
        return reasons


@dataclass(frozen=True)
class DriverEntry:
    """Facts of a driving signal that are known before anything is loaded.

    Attributes:
        driver: import string of its :class:`~talkingface.pipelines.drivers.Driver`.
        flag: the setting that asks for it; "" for a model's own demonstration, whose switch the model names.
        options: pydantic class with the settings that it brings, `flag` among them; None: the schema has them.
        reads_file: the setting names a file.
        shows_frames: that file has frames.
        speaks: a voice makes the motion, so that references for blinks and head motion apply.
        coefficients: its motion is one of face coefficients, which not every model draws.
        assign: import string of (settings, flag, signal) -> :class:`~talkingface.pipelines.drivers.DriverAssignment`
            in a module without torch; "": the driver's own `assigned`.
    """

    driver: str
    flag: str = ""
    options: type[BaseModel] | None = None
    reads_file: bool = True
    shows_frames: bool = False
    speaks: bool = False
    coefficients: bool = False
    assign: str = ""


class OneOf:
    """Annotation of a setting whose values are the names of a registry: ``Annotated[str, OneOf(PASTES)]``.

    Attributes:
        words: everything that may be written; other packages are asked only when it is read.
    """

    def __init__(self, plugins: Plugins[Any], *, before: Sequence[str] = (), after: Sequence[str] = ()) -> None:
        """Args: before, after: further words, listed in front of the names and behind them."""
        self._plugins, self._before, self._after = plugins, before, after

    @property
    def words(self) -> tuple[str, ...]:
        return (*self._before, *self._plugins.names(), *self._after)

    def _check(self, word: str) -> str:
        # Our own words first: looking for other people's reads the list of all installed packages.
        if word in (*self._before, *self._after) or self._plugins.owns(word) or word in self.words:
            return word
        raise ValueError(f"must be one of {', '.join(self.words)}")

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(self._check, handler(source))


def load(target: str) -> Any:
    """The object of an import string ``module:name``."""
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)


def points_of(group: str) -> list[EntryPoint]:
    """Entry points of a group, by name and then by owner; installed packages are read once for each import path."""
    return _points_of(group, tuple(sys.path))


@cache
def _points_of(group: str, path: tuple[str, ...]) -> list[EntryPoint]:
    return sorted(entry_points(group=group), key=lambda point: (point.name, owner_of(point)))


def forget() -> None:
    """Look for packages anew: for programs that install some while they run."""
    _points_of.cache_clear()
    fault_of.cache_clear()


def owner_of(point: EntryPoint) -> str:
    """The package that brings an entry point."""
    return point.dist.name if point.dist is not None else point.value.partition(":")[0]


def one_line(error: BaseException) -> str:
    """An error of third-party code in one line, its class first."""
    return " ".join(f"{type(error).__name__}: {error}".split())


@cache
def fault_of(point: EntryPoint, noun: str, kind: str) -> str | None:
    """Reason why an entry point cannot be used, or None; found out and logged once.

    Args:
        noun, kind: of the parts, as for :class:`Plugins`.
    """
    try:
        part = point.load()
    except IMPORT_FAILURES as error:
        reason = one_line(error)
    else:
        wanted = load(kind)
        if isinstance(part, wanted) or (isinstance(part, type) and issubclass(part, wanted)):
            return None
        reason = f"{point.value} is no {kind.replace(':', '.')}"
    logger.warning("%s '%s' of %s is broken: %s", noun, point.name, owner_of(point), reason)
    return reason


LANDMARKS: Plugins[Backend] = Plugins(
    "talkingface.landmarks",
    "landmark backend",
    "talkingface.face.detect.analyser:Backend",
    {  # also the order in which --landmarks=auto tries them
        "mesh": "talkingface.face.detect.backends:MESH",
        "retinaface": "talkingface.face.detect.backends:RETINAFACE",
        "face_alignment": "talkingface.face.detect.backends:FACE_ALIGNMENT",
        "given": "talkingface.face.detect.backends:FROM_FILE",
    },
)
METRICS: Plugins[type[Metric]] = Plugins(
    "talkingface.metrics",
    "metric",
    "talkingface.evaluation.metric:Metric",
    {
        "l1": "talkingface.evaluation.metrics.frames:L1",
        "psnr": "talkingface.evaluation.metrics.frames:PSNR",
        "ssim": "talkingface.evaluation.metrics.frames:SSIM",
        "ms_ssim": "talkingface.evaluation.metrics.frames:MSSSIM",
        "lpips": "talkingface.evaluation.metrics.perceptual:OfficialLPIPS",
        "vgg": "talkingface.evaluation.metrics.perceptual:VGGDistance",
        "frechet": "talkingface.evaluation.metrics.sets:FrechetVGG",
        "frechet_video": "talkingface.evaluation.metrics.sets:FrechetVGGVideo",
        "fid": "talkingface.evaluation.metrics.sets:FID",
        "fvd": "talkingface.evaluation.metrics.sets:FVD",
        "akd": "talkingface.evaluation.metrics.faces:AKD",
        "faces_lost": "talkingface.evaluation.metrics.faces:MissingFaces",
        "expression": "talkingface.evaluation.metrics.faces:ExpressionDistance",
        "pose": "talkingface.evaluation.metrics.faces:PoseDistance",
        "mouth_r": "talkingface.evaluation.metrics.faces:MouthR",
        "mouth_slope": "talkingface.evaluation.metrics.faces:MouthSlope",
        "lids_r": "talkingface.evaluation.metrics.faces:LidsR",
        "lids_slope": "talkingface.evaluation.metrics.faces:LidsSlope",
        "pitch_r": "talkingface.evaluation.metrics.faces:PitchR",
        "pitch_slope": "talkingface.evaluation.metrics.faces:PitchSlope",
        "yaw_r": "talkingface.evaluation.metrics.faces:YawR",
        "yaw_slope": "talkingface.evaluation.metrics.faces:YawSlope",
        "roll_r": "talkingface.evaluation.metrics.faces:RollR",
        "roll_slope": "talkingface.evaluation.metrics.faces:RollSlope",
        "mouth_lag": "talkingface.evaluation.metrics.faces:MouthLag",
        "diversity": "talkingface.evaluation.metrics.faces:Diversity",
        "identity": "talkingface.evaluation.metrics.identity:Identity",
        "identity_distance": "talkingface.evaluation.metrics.identity:IdentityDistance",
        "csim": "talkingface.evaluation.metrics.identity:CSIM",
        "lse_c": "talkingface.evaluation.metrics.syncnet:SyncConfidence",
        "lse_d": "talkingface.evaluation.metrics.syncnet:SyncDistance",
        "closures": "talkingface.evaluation.metrics.lips:Closures",
        "sync_r": "talkingface.evaluation.metrics.lips:SyncR",
        "sync_lag": "talkingface.evaluation.metrics.lips:SyncLag",
        "beats": "talkingface.evaluation.metrics.moving:BeatAlignment",
        "jitter": "talkingface.evaluation.metrics.faces:Jitter",
        "flicker": "talkingface.evaluation.metrics.moving:Flicker",
        "sharpness": "talkingface.evaluation.metrics.sharp:Sharpness",
        "cpbd": "talkingface.evaluation.metrics.sharp:CPBD",
    },
)
FORMATS: Plugins[Format] = Plugins(
    "talkingface.formats",
    "output format",
    "talkingface.media.formats:Format",
    {name: f"talkingface.media.formats:{name.upper()}" for name in ("mp4", "gif", "mov", "webm", "webp")},
)
PASTES: Plugins[Blend] = Plugins(
    "talkingface.pastes",
    "way to paste",
    "talkingface.face.paste.blend:Blend",
    {name: f"talkingface.face.paste.blend:{name.upper()}" for name in ("soft", "poisson", "round")},
)
_OURS, _ASSIGN = "talkingface.pipelines.drivers", "talkingface.pipelines.plan.assignment"
DRIVERS: Plugins[DriverEntry] = Plugins(
    "talkingface.drivers",
    "driver",
    "talkingface.plugins:DriverEntry",
    {
        "frames": DriverEntry(
            f"{_OURS}.video:VideoDriver", "video_source", shows_frames=True, assign=f"{_ASSIGN}:of_video"
        ),
        "motion": DriverEntry(
            f"{_OURS}.motion_file:MotionFileDriver", "motion_path", assign=f"{_ASSIGN}:of_motion_file"
        ),
        "sound": DriverEntry(f"{_OURS}.speech:SpeechDriver", "audio_path", speaks=True, assign=f"{_ASSIGN}:of_sound"),
        "idle": DriverEntry(
            f"{_OURS}.speech:IdleDriver",
            "idle_seconds",
            reads_file=False,
            speaks=True,
            assign=f"{_ASSIGN}:of_idling",
        ),
        "demo": DriverEntry(f"{_OURS}.demo:DemoDriver", reads_file=False, assign=f"{_ASSIGN}:of_switch"),
    },
)
