"""Paths of the files that ship with the toolkit, in a clone and in an installed wheel, and paths that users write."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
CLONE = PACKAGE.parent


def in_clone() -> bool:
    """True if the package runs from a clone (with ``properties/`` beside it), False for an installed wheel."""
    return (CLONE / "properties" / "overall.yaml").is_file() and (CLONE / "run_talkingface.py").is_file()


def shipped(*parts: str) -> Path:
    """Path of a file or folder that ships with the toolkit, such as ``shipped("properties", "overall.yaml")``."""
    return (CLONE if in_clone() else PACKAGE / "_shipped").joinpath(*parts)


def default_checkpoint_root() -> Path:
    """Default folder of the weights that the user adds: ``checkpoints/`` of the clone, or of the current folder."""
    return CLONE / "checkpoints" if in_clone() else Path("checkpoints")


def user_path(text: str) -> Path:
    """The path that a user writes, with the home folder in place of ``~``; as it stands where there is no such home."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def install_command(extra: str) -> str:
    """The command that adds an extra to this installation: to the clone, or to the wheel that is there.

    Args:
        extra: its name in pyproject.toml, such as ``landmarks``.
    """
    wanted = f"-e {shlex.quote(f'{CLONE}[{extra}]')}" if in_clone() else f"'talkingface[{extra}]'"
    return f"{shlex.quote(sys.executable)} -m pip install {wanted}"
