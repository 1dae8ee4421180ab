"""Progress: silent for libraries, lines for logs, a bar for terminals."""

from __future__ import annotations

import io

from talkingface.pipelines.progress import SILENT, Bar, Lines, progress_for


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_kind_follows_the_stream():
    assert isinstance(progress_for(Terminal()), Bar)
    assert isinstance(progress_for(io.StringIO()), Lines)
    assert progress_for(Terminal(), quiet=True) is SILENT


def test_all_kinds_pass_the_items_on():
    for progress in (SILENT, Bar(Terminal()), Lines(io.StringIO())):
        assert list(progress.track("abc", "drive", 3)) == ["a", "b", "c"]


def test_lines_are_plain_and_say_how_much_is_done():
    stream = io.StringIO()
    list(Lines(stream, every_s=0.0).track(range(2), "render", 2))
    first, second, last = stream.getvalue().splitlines()
    assert first.startswith("render: 1/2 frames, ") and first.endswith("s left")
    assert second.startswith("render: 2/2 frames, ") and last.startswith("render: 2/2 frames, ")
    assert "\r" not in stream.getvalue()


def test_bar_shows_step_and_count():
    stream = Terminal()
    list(Bar(stream).track(range(3), "drive", 3))
    assert "drive: 100%" in stream.getvalue() and "3/3" in stream.getvalue()


def test_silence_writes_nothing(capsys):
    SILENT.note("weights")
    list(SILENT.track(range(3), "drive"))
    assert capsys.readouterr() == ("", "")
