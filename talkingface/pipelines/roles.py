"""Who drives which face: a video, a saved motion, a sound, or nothing but time; and ``--drive`` for each face."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..config.checks import driver_flags
from ..errors import ConfigError, MediaError
from ..media.audio import has_audio
from ..media.image import PICTURE_ENDINGS

if TYPE_CHECKING:
    from ..config.schema import Settings

MOTION_ENDINGS = (".motion", ".npy")
IDLE = Path("idle")
_DRIVE = re.compile(r"(\d{1,4})=(.+)", re.DOTALL)

Signal = Literal["frames", "motion", "sound", "idle", "own"]
Cue = tuple[Path, Signal]
"""What drives, whomever it moves."""


@dataclass(frozen=True)
class Role:
    """A driver and the face that it moves.

    Attributes:
        driving: video, gif, folder of frames, single picture, motion file or file with sound; where there is no signal
            it is `IDLE` or the name of the model's switch for its own motion, which are no files.
        face: number of the face in the source, from the left; None: every face that is meant and that no other role
            names.
        signal: what of the file drives; a video may drive with its frames or with its sound.
    """

    driving: Path
    face: int | None = None
    signal: Signal = "frames"

    @property
    def cue(self) -> Cue:
        """The file and what of it drives; roles of one cue share one motion."""
        return self.driving, self.signal

    @property
    def speaks(self) -> bool:
        """Whether a voice model makes the motion, of sound or of nothing."""
        return self.signal in ("sound", "idle")


def is_picture(path: Path) -> bool:
    """Whether a file is a still picture, by its ending (a gif counts as a video)."""
    return path.is_file() and path.suffix.lower() in PICTURE_ENDINGS


def has_frames(path: Path) -> bool:
    """Whether a driver is something to look at, and not a motion file."""
    return path.suffix.lower() not in MOTION_ENDINGS or path.is_dir()


def shows_several(settings: Settings) -> bool:
    """Whether the settings ask for several faces in one result."""
    return settings.face == "all" or bool(settings.drive)


def choose_roles(settings: Settings) -> tuple[Role, ...]:
    """The roles in the order of ``--drive``, then the driver of all other faces.

    Raises:
        ConfigError: nothing drives, or settings that contradict each other.
        MediaError: a file is missing.
    """
    roles = [_read_drive(text) for text in settings.drive]
    faces = [role.face for role in roles]
    twice = next((face for face in faces if faces.count(face) > 1), None)
    if twice is not None:
        raise ConfigError(f"face {twice} has two drivers", where="--drive", cure="Name each face once.")
    main = _main_role(settings)
    if main is not None:
        roles.append(main)
    if not roles:
        what = "nothing to animate" if settings.image_source is None else f"nothing drives {settings.image_source}"
        need = "--image_source=PICTURE and " if settings.image_source is None else ""
        raise ConfigError(what, cure=f"Give {need}--video_source=VIDEO or --audio_path=SOUND.")
    _check_faces(settings, named_only=roles[-1].face is not None)
    _check_speech(settings, roles)
    if settings.face3dvis and roles[0].signal == "motion":
        where = str(roles[0].driving)
        raise ConfigError("--face3dvis needs a driving video or a sound", where=where, cure="Leave it out.")
    return tuple(roles)


def _main_role(settings: Settings) -> Role | None:
    """What moves the faces that ``--drive`` does not name."""
    given = driver_flags(settings)
    if len(given) > 1:
        cure = "Give one of them."
        if {"audio_path", "idle_seconds"} & set(given) and "video_source" in given:
            cure += " --ref_pose=VIDEO adds the head motion of a video to a voice; --audio=FILE only adds a sound."
        all_of_them = "both" if len(given) == 2 else "all"
        raise ConfigError(f"{' and '.join(f'--{name}' for name in given)} would {all_of_them} drive", cure=cure)
    if not given:
        return None
    if settings.idle_seconds is not None:
        return Role(IDLE, signal="idle")
    if settings.own.demonstrates:
        return Role(Path(settings.own.demonstration), signal="own")
    path: Path = getattr(settings, given[0])
    _check_there(path, f"--{given[0]}={path}")
    if settings.motion_path is not None and has_frames(path):
        raise ConfigError("is no motion file", where=f"--motion_path={path}", cure="Use .motion.")
    if settings.audio_path is None:
        return Role(path, signal=_signal(path))
    if path.is_dir() or is_picture(path) or not has_frames(path) or not has_audio(path):
        raise MediaError("has no sound", where=f"--audio_path={path}", cure="Give a sound, or a video with sound.")
    return Role(path, signal="sound")


def _signal(path: Path) -> Signal:
    """What a file other than ``--audio_path`` drives with."""
    return "frames" if has_frames(path) else "motion"


def _read_drive(text: str) -> Role:
    """``0=a.mp4`` -> face 0, driven by a.mp4."""
    match = _DRIVE.fullmatch(text)
    if match is None:
        raise ConfigError("is not FACE=FILE", where=f"--drive={text}", cure="Write --drive 0=a.mp4 1=b.mp4.")
    path = Path(match[2])
    _check_there(path, f"--drive={text}")
    return Role(path, int(match[1]), _signal(path))


def _check_there(path: Path, where: str) -> None:
    if not path.exists():
        raise MediaError("no such file or folder", where=where)


def _check_speech(settings: Settings, roles: Sequence[Role]) -> None:
    """Refuse references for a voice where there is none, and references that are not there."""
    for name in ("ref_eyeblink", "ref_pose"):
        path: Path | None = getattr(settings, name)
        if path is None:
            continue
        if not any(role.speaks for role in roles):
            cure = "Give --audio_path or --idle_seconds; --video_source brings blinks and head motion of its own."
            raise ConfigError(f"--{name} is for a picture that speaks or idles", cure=cure)
        _check_there(path, f"--{name}={path}")


def _check_faces(settings: Settings, *, named_only: bool) -> None:
    """Refuse wishes about faces that would be ignored.

    Args:
        named_only: whether all drivers are for one named face each.
    """
    flag = next((flag for flag in ("face", "drive", "face3dvis") if getattr(settings, flag)), None)
    if flag is None:
        return
    if not settings.if_align or settings.landmarks == "none" or settings.preprocess == "resize":
        off = "--no-if_align" if not settings.if_align else "--landmarks=none"
        off = "--preprocess=resize" if settings.if_align and settings.landmarks != "none" else off
        raise ConfigError(f"--{flag} needs faces, and {off} looks for none", cure="Leave one of them out.")
    if shows_several(settings) and settings.preprocess in ("crop", "extcrop"):
        raise ConfigError(
            f"--{flag} moves faces in their places, and --preprocess={settings.preprocess} shows one face alone",
            cure="Use --preprocess=full.",
        )
    if settings.face and named_only and settings.drive:
        raise ConfigError(
            "--face says whom --video_source moves, and there is none",
            cure="Leave --face out, or give --video_source for the faces that --drive does not name.",
        )
