"""Inputs and outputs of an animation, decided and checked before anything heavy is loaded."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...config.checks import drivers_in
from ...errors import ConfigError, MediaError, TalkingFaceError, collected
from ...media.formats import check_output, check_place, endings, is_format
from ...media.image import PICTURE_ENDINGS, read_image
from ...media.keep.folder import kept_for
from ...media.keep.names import ReservedNames
from ...media.pictures import is_picture
from ...media.probe import describe
from ...media.sounds.audio import has_audio
from ..draw.kept import run_key
from .assignment import MOTION_ENDINGS, DriverAssignment, assign_drivers, check_there, has_frames, references
from .finished import FileFacts, face_video_path, find_finished, keeps_finished, made_of, settings_file, weight_facts
from .options import results_folder

if TYPE_CHECKING:
    from ...config.schema import Settings

SOUNDS = ("driving", "source", "none")
"""Words of ``--audio``; another one is a file."""
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
        key: digest of what the user decided about the frames, see :func:`~talkingface.pipelines.draw.kept.run_key`.
        made_of: digest of everything that the result is made of; "" where it is not one of a folder's.
        finished: true where an earlier run has made this result of the same, so that it is kept.
    """

    source: Path
    assignments: tuple[DriverAssignment, ...]
    output: Path
    sound: Path | None = None
    notes: tuple[str, ...] = ()
    key: str = ""
    made_of: str = ""
    finished: bool = False

    @property
    def driving(self) -> Path:
        """First driving file, see :class:`~talkingface.pipelines.drivers.DriverAssignment`."""
        return self.assignments[0].driving

    @property
    def same_identity(self) -> bool:
        """True where the driving video's own first frame is the source."""
        return self.source == self.driving and len(self.assignments) == 1 and self.assignments[0].entry.shows_frames


def plan_one(settings: Settings, names: ReservedNames | None = None) -> Plan:
    """Plan a run with one source.

    Args:
        names: reserves a made-up name of the result, so that no other run takes it; None: it is not reserved.

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
    return _plan(settings, source, assignments, (), names)


def plan_each(settings: Settings, names: ReservedNames | None = None) -> list[Plan]:
    """Plan a run for each picture in the folder ``image_source``, by name; a plain source gives one plan.

    A result that an earlier run has made of the same is kept, unless the settings say otherwise.

    Args: names: as for :func:`plan_one`.
    """
    source, assignments = choose_inputs(settings)
    if settings.image_source is None or not source.is_dir():
        return [_plan(settings, source, assignments, (), names)]
    _check_one_output(settings)
    pictures = sorted(path for path in source.iterdir() if _may_be_picture(path))
    if not pictures:
        raise MediaError("no picture in this folder", where=source, cure=f"Known endings: {_listed(PICTURE_ENDINGS)}.")
    plans: list[Plan] = []
    weights = weight_facts(settings)
    for picture in pictures:
        plans.append(_plan(settings, picture, assignments, {plan.output for plan in plans}, names, weights))
    return plans


def _may_be_picture(path: Path) -> bool:
    """True for pictures by their content, and for what bears a picture's ending, whose error the user should see."""
    return not path.name.startswith(".") and (is_picture(path) or path.suffix.lower() in PICTURE_ENDINGS)


def choose_inputs(settings: Settings) -> tuple[Path, tuple[DriverAssignment, ...]]:
    """(source, assignments) as the settings name them; a video alone is both."""
    _check_source(settings)
    assignments = assign_drivers(settings)
    _check_moved(settings, assignments)
    return settings.image_source or assignments[0].driving, assignments


def input_problems(settings: Settings, assignments: Sequence[DriverAssignment]) -> list[TalkingFaceError]:
    """Everything that is wrong with the files that are read and with those to be written; drivers apart.

    Args:
        assignments: those that could be made.
    """
    problems: list[TalkingFaceError] = []
    for check in (_check_source, _check_one_output):
        with collected(problems):
            check(settings)
    if assignments:
        with collected(problems):
            _check_moved(settings, assignments)
    read = _read_files(settings, assignments)
    for path in read:
        with collected(problems):
            _check_has_picture(path)
    drivings = tuple(one.driving for one in assignments if one.entry.reads_file)
    with collected(problems):
        output = choose_output(settings, Path("source"), Path("driving"))
        _check_not_read(output, {*read, *drivings})
        _check_output(output, single=all(_is_still(one) for one in assignments) or settings.frame_limit == 1)
        _check_side_files(settings, output)
    with collected(problems):
        _check_motion_output(settings, drivings)
    with collected(problems):
        if settings.audio not in SOUNDS:
            choose_sound(settings.audio, Path(), ())
    return problems


def _check_source(settings: Settings) -> None:
    source = settings.image_source
    if source is not None:
        check_there(source, f"--image_source={source}")


def _check_one_output(settings: Settings) -> None:
    source, output = settings.image_source, settings.output
    if output is not None and source is not None and source.is_dir():
        what = "several pictures cannot go into one file"
        raise ConfigError(what, where=f"--output={output}", cure="Use --output_dir.")


def _check_moved(settings: Settings, assignments: Sequence[DriverAssignment]) -> None:
    """Refuse drivers without a picture to move."""
    shows = assignments[0].entry.shows_frames
    if settings.image_source is None and (settings.cross_id or not shows or settings.drive):
        flag = next(flag for flag in ("cross_id", "drive", *drivers_in(settings)) if getattr(settings, flag))
        raise ConfigError(f"--{flag} needs a picture to animate", cure="Give --image_source=PICTURE.")


def _read_files(settings: Settings, assignments: Sequence[DriverAssignment]) -> list[Path]:
    """Files that pictures are read from."""
    watched = (assignment.driving for assignment in assignments if assignment.entry.shows_frames)
    paths = (settings.image_source, *watched, *references(settings).values())
    return [path for path in dict.fromkeys(paths) if path is not None and path.exists()]


def _is_still(assignment: DriverAssignment) -> bool:
    return assignment.entry.shows_frames and is_picture(assignment.driving)


def _plan(
    settings: Settings,
    source: Path,
    assignments: tuple[DriverAssignment, ...],
    taken: Collection[Path],
    names: ReservedNames | None,
    weights: FileFacts | None = None,
) -> Plan:
    """Plan a run.

    Args:
        taken: names of results that other plans have.
        weights: that the results of a folder are made of, see `weight_facts`; None: the run has one result.
    """
    drivings = tuple(dict.fromkeys(assignment.driving for assignment in assignments if assignment.entry.reads_file))
    for path in _read_files(settings, assignments):
        _check_has_picture(path)
    sound, notes = choose_sound(settings.audio, source, drivings)
    # Each picture of a folder as if it had been named alone, so that its key does not change with its neighbours.
    own = settings if weights is None else settings.model_copy(update={"image_source": source})
    key = run_key(own, {source, *drivings, *filter(None, [sound])})
    digest = "" if weights is None else made_of(key, weights)
    if digest and keeps_finished(settings):
        place = results_folder(settings), *_made_up(settings, source, assignments[0].driving)
        kept = find_finished(*place, digest, with_face=settings.face3dvis)
        if kept is not None and kept not in taken:
            return Plan(source, assignments, kept, sound, notes, key, digest, finished=True)
    output = choose_output(settings, source, assignments[0].driving, taken, key=key, names=names)
    _check_not_read(output, (source, *drivings))
    _check_output(output, single=all(map(_is_still, assignments)) or settings.frame_limit == 1)
    _check_side_files(settings, output)
    _check_motion_output(settings, drivings)
    return Plan(source, assignments, output, sound, notes, key, digest)


def _check_side_files(settings: Settings, output: Path) -> None:
    """Refuse names of a result beside which its settings, or its video of the face, could not be written."""
    there = next(folder for folder in output.absolute().parents if folder.exists())
    for path in (settings_file(output), *([face_video_path(output)] if settings.face3dvis else [])):
        place = there / path.name  # whether or not its folder is made yet
        cure = "Choose another --output."
        try:
            place.lstat()
        except FileNotFoundError:
            continue
        except OSError as error:
            longer = len(os.fsencode(path.name)) - len(os.fsencode(output.name))
            if error.errno == errno.ENAMETOOLONG:
                cure = f"Choose a --output whose name is shorter by {longer} bytes."
            what = f"a file that belongs beside the result cannot have this name ({error.strerror})"
            raise ConfigError(what, where=path, cure=cure) from error
        if path.is_dir():
            raise ConfigError("is a folder, and a file of this name belongs beside the result", where=path, cure=cure)


def _check_not_read(output: Path, inputs: Collection[Path]) -> None:
    if any(output.resolve() == path.resolve() for path in inputs):
        raise ConfigError("the result would replace its own input", where=output, cure="Choose another --output.")


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
    check_place(path)


def _check_has_picture(path: Path) -> None:
    """Refuse a picture that cannot be decoded and another file without pictures; videos are not decoded."""
    if is_picture(path):
        read_image(path)
    elif path.is_file() and not describe(path).has_video:
        raise MediaError("has no picture stream", where=path, cure="Give a picture, a video or a folder of frames.")


def choose_output(
    settings: Settings,
    source: Path,
    driving: Path,
    taken: Collection[Path] = (),
    *,
    key: str = "",
    names: ReservedNames | None = None,
) -> Path:
    """Choose the file that ``--output`` names, or ``<source>__<driving>`` in the folder for results.

    A made-up name never replaces an earlier result (it is numbered) unless ``--overwrite`` asks for it.

    Args:
        taken: names that other results of the same run have; never used again.
        key: of the run; a name under which it was killed is its own, and one under which another was is not.
        names: reserves the made-up name; None: it is not reserved.
    """
    if settings.output is not None:
        if settings.overwrite is False and settings.output.exists() and not kept_for(settings.output, key):
            raise ConfigError("exists already", where=f"--output={settings.output}", cure="Add --overwrite.")
        return settings.output
    folder = results_folder(settings)
    stem, ending = _made_up(settings, source, driving)

    def free(path: Path) -> bool:
        if path in taken:
            return False
        kept = None if settings.overwrite is True else kept_for(path, key)
        return (settings.overwrite is True or not path.exists()) if kept is None else kept

    paths = (folder / f"{stem}{'' if number == 1 else f'_{number}'}{ending}" for number in range(1, 100_000))
    chosen = next(filter(free, paths), None) if names is None else names.reserve(folder, paths, free)
    if chosen is None:
        raise ConfigError("too many results of this name", where=folder / stem, cure="Give --output=FILE.")
    return chosen


def _made_up(settings: Settings, source: Path, driving: Path) -> tuple[str, str]:
    """(stem, ending) of the name that the program makes up for a result."""
    stem = f"{_short(source.stem)}__{_short(driving.stem)}" + ("_preview" if settings.preview else "")
    return stem, ".png" if is_picture(driving) else ".mp4"


def choose_sound(audio: str, source: Path, drivings: Sequence[Path]) -> tuple[Path | None, tuple[str, ...]]:
    """(file with the sound or None, notes) for the words of ``--audio``: driving, source, none, or a file.

    Of several drivers it is the first that has sound.
    """
    if audio == "none":
        return None, ()
    candidates = drivings if audio == "driving" else [source]
    if audio not in SOUNDS:
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
    data = os.fsencode(stem)
    return stem if len(data) <= STEM_BYTES else data[:STEM_BYTES].decode(errors="ignore")


def _listed(words: Collection[str]) -> str:
    return ", ".join(sorted(words))
