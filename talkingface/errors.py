"""Errors that a user can mend. Each is one line: where, what, the cure; the command exits with status 2."""

from __future__ import annotations

import difflib
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
        return f"{line.rstrip('.')}. {self.cure}" if self.cure else line


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
    """Add what the block raises to a list of problems, to be told with the others, and go on behind the block."""
    try:
        yield
    except TalkingFaceError as error:
        problems.append(error)


def together(problems: Sequence[TalkingFaceError]) -> TalkingFaceError:
    """Return the error that tells all problems, each once on a line of its own; a single one is returned as it is."""
    if len(problems) == 1:
        return problems[0]
    return ConfigError("\n".join(dict.fromkeys(line for problem in problems for line in str(problem).splitlines())))


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
