"""YAML of plain values: what is read, and what is refused with its line before anything is made of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from talkingface.config.yaml_file import read_yaml
from talkingface.errors import ConfigError, WeightsError
from talkingface.text.plain_yaml import DEEPEST, LARGEST, dump, load
from talkingface.weights.catalogue import load_catalogue

SHARED = Path(os.environ.get("TALKINGFACE_SHARED", Path(__file__).parents[3] / "shared")) / "data" / "hostile"
FLOWS = sorted((SHARED / "catalogue").glob("*.yaml"))


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "a.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("a: 1\nb: [1.5, true, null, text]\n", {"a": 1, "b": [1.5, True, None, "text"]}),
        ("a: 0x1f\nb: 1_000\nc: .inf\n", {"a": 31, "b": 1000, "c": float("inf")}),
        ("day: 2001-12-24\nnone: 2001-99-99\n", {"day": "2001-12-24", "none": "2001-99-99"}),
        ("a: &name text\n", {"a": "text"}),
        ("a: 1e-4\nb: '0x_'\n", {"a": "1e-4", "b": "0x_"}),
        ("a: |\n  two\n  lines\n", {"a": "two\nlines\n"}),
        ("\ufeffa: 1\n", {"a": 1}),
        ("{0: zero, true: yes}\n", {0: "zero", True: True}),
        ("[" * DEEPEST + "]" * DEEPEST, [[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]),
    ],
)
def test_plain_values_are_read(tmp_path: Path, text: str, value: object) -> None:
    assert load(write(tmp_path, text)) == value


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: &x [1]\nb: *x\n", 2, "the alias '*x' is not read"),
        ("a: &x\n  b: *x\n", 2, "the alias '*x' is not read"),
        ("base: &x {a: 1}\nb:\n  <<: *x\n", 3, "the alias '*x' is not read"),
        ("a: 1\nb: !!int x\n", 2, "the tag '!!int' is not read"),
        ("!!set {a, b}\n", 1, "the tag '!!set' is not read"),
        ("a: !!binary aGk=\n", 1, "the tag '!!binary' is not read"),
        ("a: !x 1\n", 1, "the tag '!x' is not read"),
        ("a: ! 1\n", 1, "the tag '!' is not read"),
        (f"a: {'9' * 6000}\n", 1, "is no number that can be kept"),
        (f"\na: 0x{'f' * 6000}\n", 2, "is no number that can be kept"),
        (f"a: {'1:' * 3000}1\n", 1, "is no number that can be kept"),
        ("a: 9223372036854775808\n", 1, "is no number that can be kept"),
        ("a: 0x_\n", 1, "is no number that can be kept"),
        ("a: 0b_\n", 1, "is no number that can be kept"),
        ("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), 1, "nested more than"),
        ("[" * 100_000, 1, "nested more than"),
        ("- " * 100_000, 1, "nested more than"),
        ("{a: " * 50_000, 1, "nested more than"),
        ("a: 1\nb: 2\na: 3\n", 3, "key 'a' stands twice"),
        ("? [a]\n: b\n", 1, "a key is a list or a mapping"),
        ("a: [1\n", 2, "is not YAML"),
        ("a: 1\n--- \nb: 2\n", 2, "is not YAML"),
        ("a: 'x\n", 2, "is not YAML"),
        ("%YAML 9.9\n---\na: 1\n", 1, "is not YAML"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_everything_else_is_one_line_with_its_place(tmp_path: Path, text: str, line: int, words: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}, line {line}: ") and words in message
    assert message.isprintable() and len(message) < 300 + len(str(path))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"a: \xff\n", "line 1: is not a text file in UTF-8"),
        (b"a: 1\nb: \0\n", "line 2: is not a text file in UTF-8"),
        (b"a: 1\nb: \x07\n", r"line 2: is not YAML: '.x07'"),
        (b"#" * (LARGEST + 1), "at most"),
    ],
)
def test_bytes_that_are_no_text(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(data)
    with pytest.raises(WeightsError, match=words):
        load(path, WeightsError)


def test_only_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # opening it would wait for a writer
    for name, words in (("pipe", "is no regular file"), ("", "is a folder"), ("none", "no such file")):
        with pytest.raises(ConfigError, match=words):
            load(tmp_path / name)
    with pytest.raises(ConfigError, match="is no regular file"):
        read_yaml(Path("/dev/zero"))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    twice = [1, 2]
    values = {"first": twice, "second": twice, "day": "2001-12-24", "text": "1e3", "weiß": None, "n": 1e-7}
    assert load(write(tmp_path, dump(values))) == values
    assert "&" not in dump(values)


@pytest.mark.parametrize("path", FLOWS, ids=lambda path: path.stem)
def test_a_damaged_catalogue_is_an_error(path: Path) -> None:
    with pytest.raises(ConfigError, match=str(path)) as caught:
        load_catalogue(path)
    assert str(caught.value).isprintable()
