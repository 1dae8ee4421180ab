"""Lists and tables: words with their lines, and numbers of a limited size."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from pydantic import ValidationError

from talkingface.config import settings_from
from talkingface.data.prepare.settings import PrepareSettings
from talkingface.errors import ConfigError, DataError, WeightsError
from talkingface.text.lists import Row, as_rate, read_lines, read_table


def write(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "a.txt"
    path.write_bytes(data)
    return path


def test_lines_have_their_numbers(tmp_path: Path) -> None:
    rows = read_lines(write(tmp_path, b"\xef\xbb\xbfone two\r\n\n  three\x0bfour\n"))
    assert [(row.line, row.words) for row in rows] == [(1, ("one", "two")), (3, ("three", "four"))]
    assert rows[1].where == f"{tmp_path / 'a.txt'}, line 3"


def test_cells_have_their_columns(tmp_path: Path) -> None:
    rows = read_table(write(tmp_path, b'a,b,c\n1, 2 ,"x,\ny"\n\n,,\n3\n4,5,6,7\n'), ("a", "b"))
    assert [(row.line, row["a"], row["b"], row["c"], row["d"]) for row in rows] == [
        (2, "1", "2", "x,\ny", ""),
        (6, "3", "", "", ""),
        (7, "4", "5", "6", ""),
    ]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no column 'a'. It has: nothing"),
        (b"b,c\n", "no column 'a'. It has: 'b', 'c'"),
        (b"a\n1\n\xff\n", "line 3: is not a text file in UTF-8 .byte 0xff"),
        (b"a\n1\n\0\n", "line 3: is not a text file in UTF-8 .byte 0x00"),
        (b'a\n1\n"open\n', "line 3: the table is damaged"),
        (b'a\n"x"y\n', "line 2: the table is damaged"),
        (b"a\n" + b"x" * 200_000, "line 2: the table is damaged"),
    ],
)
def test_damaged_tables_name_the_line(tmp_path: Path, data: bytes, words: str) -> None:
    with pytest.raises(WeightsError, match=words):
        read_table(write(tmp_path, data), ("a",), WeightsError)


ROW = Row(Path("list"), 7, ())
NO_NUMBERS = ["", "x", "3r", "1 2", "\u0661", "²", "0x1", "1_0", "nan", "inf", "--1", "9" * 6000, "1e99999999", "1/2"]


@pytest.mark.parametrize("text", [*NO_NUMBERS, "1.5", "11", "-1"])
def test_what_is_no_whole_number_names_the_line(text: str) -> None:
    with pytest.raises(DataError, match=r"^list, line 7: frames is '.*', not a whole number from 0 to 10$") as caught:
        ROW.whole(text, "frames", 0, 10)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("text", [*NO_NUMBERS, "11", "-1", "1e300"])
def test_what_is_no_number_names_the_line(text: str) -> None:
    with pytest.raises(DataError, match=r"^list, line 7: x is '.*', not a number from 0 to 10$"):
        ROW.number(text, "x", 0, 10)


def test_numbers_are_read() -> None:
    assert [ROW.number(text, "x", -1e9, 1e9) for text in ("1", "-1.5", ".5", "1.", "2e3", "1.5E-2")] == [
        *(1, -1.5, 0.5, 1),
        *(2000, 0.015),
    ]
    assert ROW.whole("0012", "x", 0, 99) == 12


RATES = {"25": Fraction(25), "25.0": Fraction(25), "29.97": Fraction(2997, 100), "30000/1001": Fraction(30000, 1001)}
NO_RATES = ["0", "0.0", "-25", "1/0", "1e99999999", "1e-99999999", "9" * 6000, f"1/{'9' * 6000}", "1001", "x", "25 "]


def test_rates_are_exact_and_small() -> None:
    assert {text: as_rate(text) for text in RATES} == RATES
    assert {text: as_rate(text) for text in NO_RATES} == dict.fromkeys(NO_RATES)


@pytest.mark.parametrize("text", ["1e99999999", "1e-99999999", "1/0", "9" * 6000])
def test_rates_of_settings_are_no_bombs(text: str) -> None:
    with pytest.raises(ConfigError, match="rate") as caught:
        settings_from({"fps": text})
    assert len(str(caught.value)) < 300
    with pytest.raises(ValidationError, match="rate"):
        PrepareSettings(fps=text)
