"""Errors that a user can mend. Each is one line: where, what, the cure; the command exits with status 2."""

from __future__ import annotations

import difflib
import errno
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager


class TalkingFaceError(Exception):
    """Base of all errors of this package that the user can mend.

    Args:
        what: what is wrong, quoting the user's own words.
        where: the file, flag or frame it came from.
        cure: what to do, as a sentence.
    """

    def __init__(self, what: str, *, where: object = None, cure: str | None = None) -> None:
        self.what, self.where, self.cure = what, where, cure
        super().__init__(what, where, cure)

    def __str__(self) -> str:
        line = f"{self.where}: {self.what}" if self.where is not None else self.what
        told = f"{line.rstrip('.')}. {self.cure}" if self.cure else line
        return "\n".join(map(_readable, told.split("\n")))


_LONGEST = 1000  # characters of a line: a word that is quoted may be as long as the file it came from
_STEERING = ("Cc", "Cf", "Cs")  # controls, invisible formatting, halves of characters


def _readable(line: str) -> str:
    """The line without its middle where it is longer than anybody reads, and without marks that steer a terminal."""
    line = line if len(line) <= _LONGEST else f"{line[: _LONGEST // 2]} [...] {line[-_LONGEST // 4 :]}"
    return "".join(ascii(mark)[1:-1] if unicodedata.category(mark) in _STEERING else mark for mark in line)


class ConfigError(TalkingFaceError):
    """A flag, a setting or a settings file is wrong."""


class UnknownNameError(TalkingFaceError):
    """A model, dataset, checkpoint or other named thing does not exist."""


class DependencyError(TalkingFaceError):
    """An optional package is missing; the cure is its install command."""


class MediaError(TalkingFaceError):
    """A picture, video or sound cannot be read or written."""


class WeightsError(TalkingFaceError):
    """A weight file is missing, damaged, unsafe, or belongs to another model."""


class DataError(TalkingFaceError):
    """A training or evaluation data set is missing or not laid out as expected."""


class PathError(TalkingFaceError):
    """A name out of a file leads out of the folder that it belongs to, or is no name for a file."""


class ShapeError(TalkingFaceError):
    """A tensor does not have the documented shape."""


class MotionError(TalkingFaceError):
    """A motion does not fit the renderer: another kind, space or length."""


class TrainingError(TalkingFaceError):
    """Training cannot go on, for example because a loss is not finite."""


class FaceError(TalkingFaceError):
    """The faces of a picture or video are not as they have to be."""


class NoFaceError(FaceError):
    """No face was found."""


class SeveralFacesError(FaceError):
    """Several faces were found and nothing says which one is meant."""


class SmallFaceError(FaceError):
    """The face is too small to see what it does."""


class CutFaceError(FaceError):
    """Eyes or mouth of the face lie outside the picture."""


@contextmanager
def collected(problems: list[TalkingFaceError]) -> Iterator[None]:
    """Add what the block raises to a list of problems, to be reported with the others, and go on behind the block."""
    try:
        yield
    except TalkingFaceError as error:
        problems.append(error)


WRITABLE = "Check its rights and the room on the disk, or name another folder."
# A place that does not allow it or has no room: reported in one line wherever it comes up.
_PLACE_ERRORS = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG,
    errno.ELOOP, errno.EEXIST,
)  # fmt: skip


@contextmanager
def writing(place: object, kind: type[TalkingFaceError] = ConfigError, cure: str = WRITABLE) -> Iterator[None]:
    """Turn what the system raises in the block, which writes into a folder or file, into an error that names it."""
    try:
        yield
    except TimeoutError:  # of a lock: another run is at work
        raise
    except OSError as error:
        raise kind(f"cannot be written ({error.strerror or error})", where=place, cure=cure) from error


def of_place(error: OSError) -> TalkingFaceError | None:
    """Error for a place that cannot be used, by what the system raised; None for what is a fault of the program."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT) and error.filename is None:  # while a file is written
        return ConfigError(f"a file cannot be written ({error.strerror})", cure=WRITABLE)
    if error.errno not in _PLACE_ERRORS or error.filename is None:
        return None
    return ConfigError(f"cannot be used ({error.strerror})", where=error.filename, cure=WRITABLE)


def together(problems: Sequence[TalkingFaceError]) -> TalkingFaceError:
    """Return the error that lists all problems, each once on a line of its own; a single one is returned as it is."""
    if len(problems) == 1:
        return problems[0]
    return ConfigError("\n".join(dict.fromkeys(line for problem in problems for line in str(problem).splitlines())))


def quoted(value: object, limit: int = 80) -> str:
    """Text of a file in quotation marks, for messages: one line, printable, at most ``limit`` characters of it."""
    text = str(value)
    shown = "".join(mark if mark.isprintable() else ascii(mark)[1:-1] for mark in text[:limit])
    return f"'{shown}{'...' if len(text) > limit else ''}'"


def did_you_mean(word: str, choices: Iterable[str], cutoff: float = 0.6) -> str:
    """Return "Did you mean 'x'?" for the nearest choice, or the list of choices where none is near.

    Args:
        cutoff: how alike the two must be, from 0 (anything) to 1 (the same).
    """
    names = sorted(choices)
    folded = {name.casefold(): name for name in names}
    near = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=cutoff)
    if near:
        return f"Did you mean '{folded[near[0]]}'?"
    return f"Choose one of: {', '.join(names)}." if names else "There are none."
