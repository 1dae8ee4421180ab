"""Assignment of drivers to faces, by the settings and the files' headers. No torch here, so that refusals are quick."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ...config.checks import drivers_in, read_drive, several_drivers
from ...config.options import drivers
from ...errors import ConfigError, MediaError, TalkingFaceError, UnknownNameError, collected, together
from ...media.pictures import is_picture
from ...media.sounds.audio import has_audio
from ...plugins import DRIVERS, IMPORT_FAILURES, DriverEntry, load, one_line

if TYPE_CHECKING:
    from ...config.schema import Settings
    from ..drivers import Driver

MOTION_ENDINGS = (".motion", ".npy")


class DriverKey(NamedTuple):
    """Key of a driver: a file (or a word that is no file) and the signal in it."""

    path: Path
    signal: str


@dataclass(frozen=True)
class DriverAssignment:
    """A driver and the face that it moves.

    Attributes:
        driving: video, gif, folder of frames, picture, motion file or file with sound; a word where no file drives.
        signal: what of the file drives, a name in :data:`talkingface.plugins.DRIVERS`.
        face: number of the face in the source, from the left; None: every face that is meant and that no other
            assignment names.
    """

    driving: Path
    face: int | None = None
    signal: str = "frames"

    @property
    def entry(self) -> DriverEntry:
        """Facts about the driving signal."""
        return DRIVERS.get(self.signal)

    @property
    def key(self) -> DriverKey:
        """The file and its signal; assignments of one key share one driver."""
        return DriverKey(self.driving, self.signal)


def assign_drivers(settings: Settings) -> tuple[DriverAssignment, ...]:
    """Assign drivers in the order of ``--drive``, then the driver of all other faces.

    Raises:
        ConfigError: nothing drives, or settings that contradict each other.
        MediaError: a file is missing or of another kind.
    """
    assignments, problems = find_drivers(settings)
    if problems:
        raise together(problems)
    return assignments


def find_drivers(
    settings: Settings, *, missing: bool = True
) -> tuple[tuple[DriverAssignment, ...], list[TalkingFaceError]]:
    """(the assignments that can be made, everything that is wrong with the others).

    Args:
        missing: whether no driver at all is a fault.
    """
    assignments: list[DriverAssignment] = []
    problems: list[TalkingFaceError] = []
    for text in settings.drive:
        with collected(problems):
            assignments.append(_of_drive(text))
    with collected(problems):
        assignments += _of_other_faces(settings)
    if missing and not assignments and not problems:
        what = "nothing to animate" if settings.image_source is None else f"nothing drives {settings.image_source}"
        need = "--image_source=PICTURE and " if settings.image_source is None else ""
        problems.append(ConfigError(what, cure=f"Give {need}--video_source=VIDEO or --audio_path=SOUND; see --help."))
    for flag, path in references(settings).items():
        with collected(problems):
            check_there(path, f"--{flag}={path}")
    if settings.face3dvis and assignments and assignments[0].signal == "motion":
        where = str(assignments[0].driving)
        problems.append(ConfigError("--face3dvis needs a driving video or a sound", where=where, cure="Leave it out."))
    return tuple(assignments), problems


def _of_other_faces(settings: Settings) -> Iterator[DriverAssignment]:
    """Driver of the faces that ``--drive`` does not name."""
    given = drivers_in(settings)
    if len(given) > 1:
        raise several_drivers(list(given))
    for flag, entry in given.items():
        signal = next(name for name, known in drivers().items() if known is entry)
        # Ours are assigned without their modules, which load torch.
        target = DRIVERS.get(signal).assign
        assign = load(target) if target else driver_class(signal).assigned
        yield assign(settings, flag, signal)


def driver_class(signal: str) -> type[Driver]:
    """Class of the driver of a signal.

    Raises:
        UnknownNameError: the driver of another package cannot be imported.
        ConfigError: two packages offer it.
    """
    entry = DRIVERS.get(signal)
    try:
        found: type[Driver] = load(entry.driver)
    except IMPORT_FAILURES as error:
        if DRIVERS.owns(signal):
            raise
        what = f"driver '{signal}' is broken: {one_line(error)}"
        raise UnknownNameError(what, where=f"--{entry.flag}", cure="Update or uninstall it.") from error
    return found


def of_video(settings: Settings, flag: str, signal: str) -> DriverAssignment:
    """Assignment of ``--video_source``, which may name a motion file too; errors as :func:`check_there`."""
    path = _given(settings, flag)
    return DriverAssignment(path, signal=signal if has_frames(path) else "motion")


def of_motion_file(settings: Settings, flag: str, signal: str) -> DriverAssignment:
    """Assignment of ``--motion_path``.

    Raises:
        ConfigError, MediaError: the file is missing, or has another ending.
    """
    path = _given(settings, flag)
    if has_frames(path):
        raise ConfigError("is no motion file", where=f"--{flag}={path}", cure="Use .motion.")
    return DriverAssignment(path, signal=signal)


def of_sound(settings: Settings, flag: str, signal: str) -> DriverAssignment:
    """Assignment of ``--audio_path``.

    Raises:
        MediaError: the file is missing, or has no sound.
    """
    path = _given(settings, flag)
    if path.is_dir() or is_picture(path) or not has_frames(path) or not has_audio(path):
        raise MediaError("has no sound", where=f"--{flag}={path}", cure="Give a sound, or a video with sound.")
    return DriverAssignment(path, signal=signal)


def of_idling(settings: Settings, flag: str, signal: str) -> DriverAssignment:
    """Assignment of ``--idle_seconds``; there is no file."""
    return DriverAssignment(Path("idle"), signal=signal)


def of_switch(settings: Settings, flag: str, signal: str) -> DriverAssignment:
    """Assignment of a switch of the model; there is no file."""
    return DriverAssignment(Path(flag), signal=signal)


def _given(settings: Settings, flag: str) -> Path:
    """File of a setting, which is there."""
    value: Any = getattr(settings, flag)
    path = Path(value)
    check_there(path, f"--{flag}={path}")
    return path


def _of_drive(text: str) -> DriverAssignment:
    """``0=a.mp4`` -> face 0, driven by a.mp4."""
    face, path = read_drive(text)
    check_there(path, f"--drive={text}")
    return DriverAssignment(path, face, "frames" if has_frames(path) else "motion")


def references(settings: Settings) -> dict[str, Path]:
    """Videos that lead a voice, by their flags."""
    named = {name: getattr(settings, name) for name in ("ref_eyeblink", "ref_pose")}
    return {name: path for name, path in named.items() if path is not None}


def has_frames(path: Path) -> bool:
    """True where a driving file has frames to look at, and is no motion file."""
    return path.suffix.lower() not in MOTION_ENDINGS or path.is_dir()


def check_there(path: Path, where: str) -> None:
    """Refuse a file that does not exist.

    Raises:
        MediaError: names the flag ``where``.
    """
    if not path.exists():
        raise MediaError("no such file or folder", where=where)
