"""Paths: of files that ship, of what users write, and of names out of data, which stay below their folder."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path, PurePath

from .errors import PathError, quoted

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


LONGEST_NAME = 255  # bytes of a file's name, on all usual file systems
LONGEST_PLAIN = 128  # bytes; names of clips are made of several
_SEPARATORS = "/\\"


def inside(root: Path, *names: str | PurePath, where: object = None, own_links: bool = False) -> Path:
    """Join a folder and names that come out of data: a list, a manifest, a catalogue, a cache.

    Args:
        root: the folder, which is the user's choice and may be a link.
        names: folders and a file below it.
        where: place of the names in the data, for the message; None: the folder.
        own_links: links below the folder are the user's own, as in a folder of weights, and may lead anywhere.

    Returns:
        The path, below ``root`` as it is written and, without ``own_links``, with all links resolved.

    Raises:
        PathError: if the path is not below ``root``, or no file can have the name.
    """
    path = root.joinpath(*names)
    fault = _fault(names)
    try:
        if not fault and not own_links and root.resolve() not in path.resolve().parents:
            fault = "leads out of its folder over a link"
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: links that lead in a circle
        fault = f"cannot be followed ({error})"
    if fault:
        name = quoted("/".join(map(str, names)))
        raise PathError(f"the name {name} {fault}", where=where or root, cure=f"It has to stay below {root}.")
    return path


def _fault(names: tuple[str | PurePath, ...]) -> str:
    """Fault of the names themselves, wherever links may lead; "" if there is none."""
    pure = [PurePath(name) for name in names]
    parts = [part for path in pure for part in path.parts]
    if any(path.anchor for path in pure):
        return "is an absolute path"
    if ".." in parts:
        return "leads out of its folder"
    if not all(path.parts for path in pure):
        return "names no file"
    try:
        lengths = [len(os.fsencode(part)) for part in parts]
    except UnicodeEncodeError:
        return "holds characters that no file name can have"
    if any("\0" in part for part in parts):
        return "holds a zero byte"
    return f"is longer than {LONGEST_NAME} bytes" if max(lengths) > LONGEST_NAME else ""


def is_below(name: str) -> bool:
    """True if a relative path leads neither up nor anywhere else, as far as can be seen without looking at links."""
    return not _fault((name,))


def plain_name(name: str, what: str, *, where: object = None, banned: str = "") -> str:
    """Return a name that a list gives to a person, a video or a part of it, if it can be a part of a file's name.

    Args:
        what: meaning of the name, such as "identity".
        where: place of the name in the data, for the message.
        banned: further characters that it must not hold.

    Raises:
        PathError: if it is empty or too long, begins with a dot or a blank, ends with a blank, or holds a slash, a line
            break or another control character.
    """
    marks = sorted({mark for mark in name if mark in _SEPARATORS + banned or not mark.isprintable()})
    if marks:
        fault = f"holds {' '.join(map(quoted, marks))}"
    elif not name or name != name.strip() or name.startswith("."):
        fault = "is empty, or begins with a dot, or has blanks around it"
    elif len(os.fsencode(name)) > LONGEST_PLAIN:
        fault = f"is longer than {LONGEST_PLAIN} bytes"
    else:
        return name
    cure = "Give a plain name, such as anna_01."
    raise PathError(f"the {what} {quoted(name)} {fault}", where=where, cure=cure)
