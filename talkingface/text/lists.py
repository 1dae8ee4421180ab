"""Lists (words in lines) and tables (cells between commas, under a heading); faults name the file and the line."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..errors import DataError, TalkingFaceError, quoted
from .read import read_text

HIGHEST_FPS = 1000
_WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)
# Of limited length: an exponent of nine digits would be a number that fills the memory.
_NUMBER = re.compile(r"[+-]?(\d{1,30}(\.\d{0,30})?|\.\d{1,30})([eE][+-]?\d{1,3})?", re.ASCII)
_RATE = re.compile(r"\d{1,9}(\.\d{0,20})?|\d{1,9}/\d{1,9}", re.ASCII)


@dataclass(frozen=True)
class Row:
    """Line of a list or a table.

    Attributes:
        path, line: place of it, the first line is 1.
        words: words of a list's line, or cells of a table's.
        text: the whole line of a list, without blanks around it.
        columns: column -> its number; empty for a list.
        error, cure: kind of error that its faults are, and what to do about them.
    """

    path: Path
    line: int
    words: tuple[str, ...]
    columns: Mapping[str, int] = field(default_factory=dict)
    error: type[TalkingFaceError] = DataError
    text: str = ""
    cure: str | None = None

    @property
    def where(self) -> str:
        """Place of the line, for messages."""
        return f"{self.path}, line {self.line}"

    def __getitem__(self, column: str) -> str:
        """Cell of a column without blanks around it; "" where the line is too short or the table has no such column."""
        index = self.columns.get(column, len(self.words))
        return self.words[index].strip() if index < len(self.words) else ""

    def fault(self, what: str, cure: str | None = None) -> TalkingFaceError:
        """Error about this line."""
        return self.error(what, where=self.where, cure=cure or self.cure)

    def whole(self, text: str, what: str, low: int, high: int) -> int:
        """Whole number of a word, from ``low`` to ``high``; else an error that says ``what`` it should be."""
        if _WHOLE.fullmatch(text) is None or not low <= int(text) <= high:
            raise self.fault(f"{what} is {quoted(text, 40)}, not a whole number from {low} to {high}")
        return int(text)

    def number(self, text: str, what: str, low: float, high: float) -> float:
        """Number of a word, from ``low`` to ``high``; else an error that says ``what`` it should be."""
        if _NUMBER.fullmatch(text) is None or not low <= float(text) <= high:
            raise self.fault(f"{what} is {quoted(text, 40)}, not a number from {low:g} to {high:g}")
        return float(text)

    def rate(self, text: str, what: str) -> Fraction:
        """Frames per second of a word such as 25, 29.97 or 30000/1001."""
        rate = as_rate(text)
        if rate is None:
            wanted = f"not a rate such as 25 or 30000/1001, up to {HIGHEST_FPS}"
            raise self.fault(f"{what} is {quoted(text, 40)}, {wanted}")
        return rate


def as_rate(text: str) -> Fraction | None:
    """Exact frames per second of a text; None if it is no rate above 0 up to `HIGHEST_FPS`."""
    match = _RATE.fullmatch(text)
    if match is None or ("/" in text and not int(text.partition("/")[2])):
        return None
    rate = Fraction(text)
    return rate if 0 < rate <= HIGHEST_FPS else None


def rate_of(value: Any) -> Any:
    """Exact rate of a text, so that a schema does not unfold ``1e99999999``; other values as they are.

    Raises:
        ValueError: if the text is no rate.
    """
    if not isinstance(value, str):
        return value
    rate = as_rate(value.strip())
    if rate is None:
        raise ValueError(f"is not a valid fraction: a rate is written as 25 or 30000/1001, up to {HIGHEST_FPS}")
    return rate


def read_lines(path: Path, error: type[TalkingFaceError] = DataError, *, cure: str | None = None) -> list[Row]:
    """Lines of a list that hold more than blanks, as words.

    Args:
        error, cure: kind of error that all faults of the list are, and what to do about them.

    Raises:
        TalkingFaceError: ``error``, as :func:`talkingface.text.read.read_text`.
    """
    lines = [line.strip() for line in read_text(path, error, cure=cure).split("\n")]
    return [
        Row(path, number, tuple(line.split()), error=error, text=line, cure=cure)
        for number, line in enumerate(lines, 1)
        if line
    ]


def read_table(path: Path, needed: Iterable[str], error: type[TalkingFaceError] = DataError) -> list[Row]:
    """Lines of a table of comma-separated values, whose first line names the columns.

    Args:
        needed: columns that it must have.

    Raises:
        TalkingFaceError: ``error``, if the file is no such table, or a column is missing.
    """
    lines = _cells(path, read_text(path, error), error)
    _, heading = next(lines, (1, []))
    columns = {name.strip(): index for index, name in enumerate(heading)}
    missing = [name for name in needed if name not in columns]
    if missing:
        cure = f"It has: {', '.join(map(quoted, heading[:30])) or 'nothing'}."
        raise error(f"the table has no column {', '.join(map(quoted, missing))}", where=path, cure=cure)
    return [Row(path, number, tuple(cells), columns, error) for number, cells in lines]


def _cells(path: Path, text: str, error: type[TalkingFaceError]) -> Iterator[tuple[int, list[str]]]:
    """(number of its first line, cells) of each line that is not empty."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as problem:
            raise error(f"the table is damaged ({problem})", where=f"{path}, line {number}") from None
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield number, cells
