"""Inputs and outputs of an animation, decided and checked before anything heavy is loaded."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..config.checks import drivers_in
from ..errors import ConfigError, MediaError
from ..media.audio import has_audio
from ..media.formats import check_output, endings, is_format
from ..media.image import PICTURE_ENDINGS
from ..media.pictures import is_picture
from ..media.probe import describe
from .drivers import DriverAssignment
from .drivers.assign import assign_drivers
from .drivers.base import MOTION_ENDINGS, has_frames
from .options import results_folder

if TYPE_CHECKING:
    from ..config.schema import Settings

STEM_BYTES = 100  # two stems, a number and an ending stay below the 255 bytes that file systems allow


@dataclass(frozen=True)
class Plan:
    """The files of one animation.

    Attributes:
        source: the picture to animate, or a video whose first good frame is taken.
        assignments: of drivers to faces; the first one sets the rate.
        output: the file or folder to write.
        sound: where the sound comes from; None for a silent result.
        notes: what the user should know about these choices.
    """

    source: Path
    assignments: tuple[DriverAssignment, ...]
    output: Path
    sound: Path | None = None
    notes: tuple[str, ...] = ()

    @property
    def driving(self) -> Path:
        """First driving file, see :class:`~talkingface.pipelines.drivers.DriverAssignment`."""
        return self.assignments[0].driving

    @property
    def same_identity(self) -> bool:
        """True where the driving video's own first frame is the source."""
        return self.source == self.driving and len(self.assignments) == 1 and self.assignments[0].entry.shows_frames


def plan_one(settings: Settings) -> Plan:
    """Plan a run with one source.

    Raises:
        ConfigError: nothing to animate or nothing that drives it, or settings that contradict each other.
        MediaError: a file is missing or of the wrong kind.
    """
    source, assignments = choose_inputs(settings)
    if settings.image_source is not None and source.is_dir():
        raise ConfigError(
            "is a folder, and one animation takes one picture",
            where=f"--image_source={source}",
            cure="Name a file in it, or use animate_each (the command does) for a result per picture.",
        )
    return _plan(settings, source, assignments, taken=())


def plan_each(settings: Settings) -> list[Plan]:
    """Plan a run for each picture in the folder ``image_source``, by name; a plain source gives one plan."""
    source, assignments = choose_inputs(settings)
    if settings.image_source is None or not source.is_dir():
        return [_plan(settings, source, assignments, taken=())]
    if settings.output is not None:
        raise ConfigError(
            "several pictures cannot go into one file", where=f"--output={settings.output}", cure="Use --output_dir."
        )
    pictures = sorted(path for path in source.iterdir() if path.suffix.lower() in PICTURE_ENDINGS)
    if not pictures:
        raise MediaError("no picture in this folder", where=source, cure=f"Known endings: {_listed(PICTURE_ENDINGS)}.")
    plans: list[Plan] = []
    for picture in pictures:
        plans.append(_plan(settings, picture, assignments, taken={plan.output for plan in plans}))
    return plans


def choose_inputs(settings: Settings) -> tuple[Path, tuple[DriverAssignment, ...]]:
    """(source, assignments) as the settings name them; a video alone is both."""
    source = settings.image_source
    if source is not None and not source.exists():
        raise MediaError("no such file or folder", where=f"--image_source={source}")
    assignments = assign_drivers(settings)
    if source is None and (settings.cross_id or not assignments[0].entry.shows_frames or settings.drive):
        flag = next(flag for flag in ("cross_id", "drive", *drivers_in(settings)) if getattr(settings, flag))
        raise ConfigError(f"--{flag} needs a picture to animate", cure="Give --image_source=PICTURE.")
    return source or assignments[0].driving, assignments


def _plan(settings: Settings, source: Path, assignments: tuple[DriverAssignment, ...], taken: Collection[Path]) -> Plan:
    drivings = tuple(dict.fromkeys(assignment.driving for assignment in assignments if assignment.entry.reads_file))
    watched = (assignment.driving for assignment in assignments if assignment.entry.shows_frames)
    for path in {source, *watched, *filter(None, (settings.ref_pose, settings.ref_eyeblink))}:
        _check_has_picture(path)
    output = choose_output(settings, source, assignments[0].driving, taken)
    for path in (source, *drivings):
        if output.resolve() == path.resolve():
            raise ConfigError("the result would replace its own input", where=output, cure="Choose another --output.")
    still = all(one.entry.shows_frames and is_picture(one.driving) for one in assignments)
    _check_output(output, single=still or settings.frame_limit == 1)
    _check_motion_output(settings, drivings)
    sound, notes = choose_sound(settings.audio, source, drivings)
    return Plan(source, assignments, output, sound, notes)


def _check_output(output: Path, *, single: bool) -> None:
    """Refuse now what could not be written later: an unknown ending, a forbidden folder, a picture for a video.

    Args:
        single: whether the result is one frame, which a picture file can hold.
    """
    if is_format(output) or output.suffix.lower() not in PICTURE_ENDINGS:
        check_output(output)
    elif not single:
        cure = f"Write one of {', '.join(endings())}."
        raise ConfigError("one picture cannot hold a video", where=f"--output={output}", cure=cure)


def _check_motion_output(settings: Settings, drivings: Sequence[Path]) -> None:
    path = settings.save_motion
    if path is None:
        return
    if path.suffix.lower() not in MOTION_ENDINGS:
        raise ConfigError("a motion file ends in .motion", where=f"--save_motion={path}", cure="Rename it.")
    if len(drivings) > 1:
        raise ConfigError("one file cannot hold several drivers", where="--save_motion", cure="Name one driver only.")
    if settings.overwrite is False and path.exists():
        raise ConfigError("exists already", where=f"--save_motion={path}", cure="Add --overwrite.")
    if any(path.resolve() == driving.resolve() for driving in drivings):
        raise ConfigError("the motion would replace its own input", where=f"--save_motion={path}", cure="Rename it.")


def _check_has_picture(path: Path) -> None:
    if path.is_file() and not is_picture(path) and not describe(path).has_video:
        raise MediaError("has no picture stream", where=path, cure="Give a picture, a video or a folder of frames.")


def choose_output(settings: Settings, source: Path, driving: Path, taken: Collection[Path] = ()) -> Path:
    """Choose the file that ``--output`` names, or ``<source>__<driving>`` in the folder for results.

    A made-up name never replaces an earlier result (it is numbered) unless ``--overwrite`` asks for it.

    Args:
        taken: names that other results of the same run have; never used again.
    """
    if settings.output is not None:
        if settings.overwrite is False and settings.output.exists():
            raise ConfigError("exists already", where=f"--output={settings.output}", cure="Add --overwrite.")
        return settings.output
    folder = results_folder(settings)
    ending = ".png" if is_picture(driving) else ".mp4"
    stem = f"{_short(source.stem)}__{_short(driving.stem)}" + ("_preview" if settings.preview else "")
    for number in range(1, 100_000):
        path = folder / (f"{stem}{ending}" if number == 1 else f"{stem}_{number}{ending}")
        if path not in taken and (settings.overwrite is True or not path.exists()):
            return path
    raise ConfigError("too many results of this name", where=folder / stem, cure="Give --output=FILE.")


def choose_sound(audio: str, source: Path, drivings: Sequence[Path]) -> tuple[Path | None, tuple[str, ...]]:
    """(file with the sound or None, notes) for the words of ``--audio``: driving, source, none, or a file.

    Of several drivers it is the first that has sound.
    """
    if audio == "none":
        return None, ()
    candidates = {"driving": drivings, "source": [source]}.get(audio)
    if candidates is None:
        path = Path(audio)
        if not path.is_file():
            raise MediaError("no such file", where=f"--audio={audio}", cure="Use driving, source, none or a file.")
        if not has_audio(path):
            raise MediaError("has no sound", where=f"--audio={audio}")
        return path, ()
    sounding = [path for path in candidates if _may_sound(path) and has_audio(path)]
    if not sounding:
        return None, (f"the source has no sound ({source}): the result is silent",) if audio == "source" else ()
    several = len(candidates) > 1
    return sounding[0], (f"the sound is that of {sounding[0]} (--audio=FILE takes another)",) if several else ()


def _may_sound(path: Path) -> bool:
    return path.is_file() and has_frames(path) and not is_picture(path)


def _short(stem: str) -> str:
    return stem.encode()[:STEM_BYTES].decode(errors="ignore")


def _listed(words: Collection[str]) -> str:
    return ", ".join(sorted(words))
