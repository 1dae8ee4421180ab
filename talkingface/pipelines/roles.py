"""Who drives which face: ``--video_source``, ``--motion_path`` and ``--drive``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError, MediaError
from ..media.image import PICTURE_ENDINGS

if TYPE_CHECKING:
    from ..config.schema import Settings

MOTION_ENDINGS = (".motion", ".npy")
_DRIVE = re.compile(r"(\d{1,4})=(.+)", re.DOTALL)


@dataclass(frozen=True)
class Role:
    """A driver and the face that it moves.

    Attributes:
        driving: video, gif, folder of frames, single picture or motion file.
        face: number of the face in the source, from the left; None: every face that is meant and that no other role
            names.
    """

    driving: Path
    face: int | None = None


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
    if settings.video_source is not None and settings.motion_path is not None:
        raise ConfigError("a video and a saved motion both drive", cure="Give --video_source or --motion_path.")
    for flag, path in (("--video_source", settings.video_source), ("--motion_path", settings.motion_path)):
        if path is not None:
            _check_there(path, f"{flag}={path}")
            roles.append(Role(path))
    if settings.motion_path is not None and has_frames(settings.motion_path):
        raise ConfigError("is no motion file", where=f"--motion_path={settings.motion_path}", cure="Use .motion.")
    if not roles:
        what = "nothing to animate" if settings.image_source is None else f"nothing drives {settings.image_source}"
        need = "--image_source=PICTURE and --video_source=VIDEO" if settings.image_source is None else ""
        raise ConfigError(what, cure=f"Give {need or '--video_source=VIDEO'}.")
    _check_faces(settings, named_only=roles[-1].face is not None)
    if settings.face3dvis and not has_frames(roles[0].driving):
        raise ConfigError("--face3dvis needs a driving video", where=str(roles[0].driving), cure="Leave it out.")
    return tuple(roles)


def _read_drive(text: str) -> Role:
    """``0=a.mp4`` -> face 0, driven by a.mp4."""
    match = _DRIVE.fullmatch(text)
    if match is None:
        raise ConfigError("is not FACE=FILE", where=f"--drive={text}", cure="Write --drive 0=a.mp4 1=b.mp4.")
    path = Path(match[2])
    _check_there(path, f"--drive={text}")
    return Role(path, int(match[1]))


def _check_there(path: Path, where: str) -> None:
    if not path.exists():
        raise MediaError("no such file or folder", where=where)


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
