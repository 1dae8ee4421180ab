"""What one animation reads and writes: decided and checked before anything heavy is loaded."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError, MediaError
from ..media.audio import has_audio
from ..media.image import PICTURE_ENDINGS
from ..media.output import Part, output_kind
from ..media.probe import describe

if TYPE_CHECKING:
    from ..config.schema import Settings

STEM_BYTES = 100  # two stems, a number and an ending stay below the 255 bytes that file systems allow


@dataclass(frozen=True)
class Plan:
    """The files of one animation.

    Attributes:
        source: the picture to animate, or a video whose first frame is taken.
        driving: video, gif, folder of frames or single picture that drives it.
        output: the file or folder to write.
        sound: where the sound comes from; None for a silent result.
        notes: what the user should know about these choices.
    """

    source: Path
    driving: Path
    output: Path
    sound: Path | None = None
    notes: tuple[str, ...] = ()

    @property
    def same_identity(self) -> bool:
        """Whether the driving video's own first frame is the source."""
        return self.source == self.driving


def plan_one(settings: Settings) -> Plan:
    """The plan of a run with one source.

    Raises:
        ConfigError: nothing to animate or nothing that drives it, or settings that contradict each other.
        MediaError: a file is missing or of the wrong kind.
    """
    source, driving = choose_inputs(settings)
    if settings.image_source is not None and source.is_dir():
        raise ConfigError(
            "is a folder, and one animation takes one picture",
            where=f"--image_source={source}",
            cure="Name a file in it, or use animate_each (the command does) for a result per picture.",
        )
    return _plan(settings, source, driving, taken=())


def plan_each(settings: Settings) -> list[Plan]:
    """One plan for each picture in the folder ``image_source``, by name; a plain source gives one plan."""
    source, driving = choose_inputs(settings)
    if settings.image_source is None or not source.is_dir():
        return [_plan(settings, source, driving, taken=())]
    if settings.output is not None:
        raise ConfigError(
            "several pictures cannot go into one file", where=f"--output={settings.output}", cure="Use --output_dir."
        )
    pictures = sorted(path for path in source.iterdir() if path.suffix.lower() in PICTURE_ENDINGS)
    if not pictures:
        raise MediaError("no picture in this folder", where=source, cure=f"Known endings: {_listed(PICTURE_ENDINGS)}.")
    plans: list[Plan] = []
    for picture in pictures:
        plans.append(_plan(settings, picture, driving, taken={plan.output for plan in plans}))
    return plans


def choose_inputs(settings: Settings) -> tuple[Path, Path]:
    """(source, driving) as the settings name them; a video alone is both."""
    source, driving = settings.image_source, settings.video_source
    if driving is None:
        what = "nothing to animate" if source is None else f"nothing drives {source}"
        need = "--image_source=PICTURE and --video_source=VIDEO" if source is None else "--video_source=VIDEO"
        raise ConfigError(what, cure=f"Give {need}.")
    if settings.cross_id and source is None:
        raise ConfigError("--cross_id needs a picture beside the video", cure="Give --image_source=PICTURE.")
    for flag, path in (("--image_source", source), ("--video_source", driving)):
        if path is not None and not path.exists():
            raise MediaError("no such file or folder", where=f"{flag}={path}")
    return source or driving, driving


def is_picture(path: Path) -> bool:
    """Whether a file is a still picture, by its ending (a gif counts as a video)."""
    return path.is_file() and path.suffix.lower() in PICTURE_ENDINGS


def _plan(settings: Settings, source: Path, driving: Path, taken: Collection[Path]) -> Plan:
    _check_has_picture(driving)
    if source != driving:
        _check_has_picture(source)
    output = choose_output(settings, source, driving, taken)
    for path in (source, driving):
        if output.resolve() == path.resolve():
            raise ConfigError("the result would replace its own input", where=output, cure="Choose another --output.")
    _check_output(output, single=is_picture(driving) or settings.frame_limit == 1)
    sound, sound_notes = choose_sound(settings.audio, source, driving)
    return Plan(source, driving, output, sound, (*_notes(settings, source, driving), *sound_notes))


def _check_output(output: Path, *, single: bool) -> None:
    """Refuse now what could not be written later: an unknown ending, a forbidden folder, a picture for a video.

    Args:
        single: whether the result is one frame, which a picture file can hold.
    """
    if output.suffix.lower() not in PICTURE_ENDINGS:
        Part(output, output_kind(output)).discard()
    elif not single:
        raise ConfigError("one picture cannot hold a video", where=f"--output={output}", cure="Write an .mp4 or .gif.")


def _check_has_picture(path: Path) -> None:
    if path.is_file() and not is_picture(path) and not describe(path).has_video:
        raise MediaError("has no picture stream", where=path, cure="Give a picture, a video or a folder of frames.")


def choose_output(settings: Settings, source: Path, driving: Path, taken: Collection[Path] = ()) -> Path:
    """The file that ``--output`` names, or ``<source>__<driving>`` in the folder for results.

    A made-up name never replaces an earlier result (it is numbered) unless ``--overwrite`` asks for it.

    Args:
        taken: names that other results of the same run have; never used again.
    """
    if settings.output is not None:
        if settings.overwrite is False and settings.output.exists():
            raise ConfigError("exists already", where=f"--output={settings.output}", cure="Add --overwrite.")
        return settings.output
    folder = settings.output_dir or Path("results") / settings.model
    ending = ".png" if is_picture(driving) else ".mp4"
    stem = f"{_short(source.stem)}__{_short(driving.stem)}"
    for number in range(1, 100_000):
        path = folder / (f"{stem}{ending}" if number == 1 else f"{stem}_{number}{ending}")
        if path not in taken and (settings.overwrite is True or not path.exists()):
            return path
    raise ConfigError("too many results of this name", where=folder / stem, cure="Give --output=FILE.")


def choose_sound(audio: str, source: Path, driving: Path) -> tuple[Path | None, tuple[str, ...]]:
    """(file with the sound or None, notes) for the words of ``--audio``: driving, source, none, or a file."""
    if audio == "none":
        return None, ()
    named = {"driving": driving, "source": source}.get(audio)
    if named is None:
        path = Path(audio)
        if not path.is_file():
            raise MediaError("no such file", where=f"--audio={audio}", cure="Use driving, source, none or a file.")
        if not has_audio(path):
            raise MediaError("has no sound", where=f"--audio={audio}")
        return path, ()
    if named.is_file() and not is_picture(named) and has_audio(named):
        return named, ()
    return None, (f"the {audio} has no sound ({named}): the result is silent",) if audio == "source" else ()


def _notes(settings: Settings, source: Path, driving: Path) -> tuple[str, ...]:
    notes = []
    if source != driving and not is_picture(source):
        notes.append(f"{source} is a video: its first frame is the source")
    return tuple(notes)


def _short(stem: str) -> str:
    return stem.encode()[:STEM_BYTES].decode(errors="ignore")


def _listed(words: Collection[str]) -> str:
    return ", ".join(sorted(words))
