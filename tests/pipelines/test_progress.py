"""Progress: silent for libraries, lines for logs, a bar for terminals."""

from __future__ import annotations

import io
import time

from talkingface.pipelines.progress import EVERY_S, FIRST_S, SILENT, Bar, Lines, _line, progress_for


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


def test_slow_work_is_told_in_seconds_a_frame():
    assert _line("render", 3, 10, 30.0) == "render: 3/10 frames, 10.0 s/frame, 70 s left"
    assert _line("render", 30, 40, 30.0) == "render: 30/40 frames, 1.0 frames/s, 10 s left"
    assert _line("render", 0, 0, 1.0) == "render: 0 frames, 0.0 frames/s"


def test_a_search_of_more_than_two_seconds_is_told_and_a_quick_one_is_not(monkeypatch):
    assert (FIRST_S, EVERY_S) == (2.0, 10.0)
    monkeypatch.setattr("talkingface.pipelines.progress.FIRST_S", 0.02)
    for shown in (Lines, Bar):
        stream = Terminal()
        progress = shown(stream)
        with progress.waiting("a.png: looking at it"):
            time.sleep(0.3)
        assert stream.getvalue() == "a.png: looking at it ... 0 s\n"
    monkeypatch.setattr("talkingface.pipelines.progress.FIRST_S", 60)
    with progress.waiting("quick"), SILENT.waiting("nothing"):
        pass
    assert "quick" not in stream.getvalue()


def test_the_first_line_comes_after_two_seconds_the_others_every_ten(monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr("talkingface.pipelines.progress.time.monotonic", lambda: next(clock))
    stream = io.StringIO()
    list(Lines(stream).track(range(14), "faces", 14))
    assert [line.split(",")[0] for line in stream.getvalue().splitlines()] == [
        "faces: 2/14 frames",
        "faces: 12/14 frames",
        "faces: 14/14 frames",
    ]


def test_bar_shows_step_and_count():
    stream = Terminal()
    list(Bar(stream).track(range(3), "drive", 3))
    assert "drive: 100%" in stream.getvalue() and "3/3" in stream.getvalue()


def test_silence_writes_nothing(capsys):
    SILENT.note("weights")
    list(SILENT.track(range(3), "drive"))
    assert capsys.readouterr() == ("", "")
