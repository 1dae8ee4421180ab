"""The ffmpeg program itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from talkingface.errors import MediaError
from talkingface.media.ffmpeg import executable, output_of


@pytest.fixture
def named_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The path that IMAGEIO_FFMPEG_EXE names; nothing is there yet."""
    path = tmp_path / "ffmpeg"
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(path))
    executable.cache_clear()
    yield path
    executable.cache_clear()


def test_a_program_that_is_not_there_is_told_in_one_line(named_program: Path) -> None:
    with pytest.raises(MediaError, match="ffmpeg does not start: No such file") as caught:
        output_of(["-version"])
    assert str(named_program) in str(caught.value)
    assert "IMAGEIO_FFMPEG_EXE" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_program_is_told(named_program: Path) -> None:
    named_program.write_text("no program")
    with pytest.raises(MediaError, match="ffmpeg does not start: Permission denied"):
        output_of(["-version"])
