"""Downloads, by programs of our own that stand for yt-dlp: what they are told, and what becomes of dead videos."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from talkingface.data.prepare.files import Record
from talkingface.data.prepare.items import Video
from talkingface.data.prepare.steps.download import Download
from talkingface.errors import ConfigError
from talkingface.paths import shipped

CLIP = shipped("dataset", "sample", "train", "portrait_01.mp4")


def program(folder: Path, body: str) -> str:
    """A command line whose program gets id, address and target, in this order."""
    path = folder / "my downloader.py"
    path.write_text(f"import shutil, sys, time\nname, url, out = sys.argv[1:]\n{body}\n")
    return f"'{sys.executable}' '{path}' {{id}} {{url}} {{out}}"


def fetch(root: Path, command: str, *, timeout_s: float = 30, offline: bool = False, name: str = "-ab c") -> Record:
    video = Video(f"id1#{name}", "id1", "train", root / "raw" / f"{name}.mp4", f"https://example.org/watch?v={name}")
    return Download(root, command, timeout_s, offline).run(video).record


def test_a_fetched_video_is_there_whole(tmp_path: Path) -> None:
    told = tmp_path / "told"
    body = f"open({str(told)!r}, 'w').write(name + '|' + url)\nshutil.copy({str(CLIP)!r}, out)"
    record = fetch(tmp_path, program(tmp_path, body))
    assert record.outcome == "done"
    assert [path.name for path in (tmp_path / "raw").iterdir()] == ["-ab c.mp4"]
    assert told.read_text() == "-ab c|https://example.org/watch?v=-ab c"


def test_a_video_that_is_there_is_not_fetched(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "-ab c.mp4").write_bytes(CLIP.read_bytes())
    assert fetch(tmp_path, program(tmp_path, "sys.exit(1)")).outcome == "done"


@pytest.mark.parametrize(
    ("body", "reason", "passing"),
    [
        ("print('ERROR: Video unavailable', file=sys.stderr); sys.exit(1)", "Video unavailable", False),
        ("print('ERROR: timed out', file=sys.stderr); sys.exit(1)", "timed out", True),
        ("sys.exit(3)", "exit status 3", True),
        ("pass", "wrote no file", True),
        ("time.sleep(60)", "given up after 1 s", True),
        ("open(out, 'w').write('<html>')", "", False),
    ],
)
def test_dead_videos_are_told_from_passing_trouble(tmp_path: Path, body: str, reason: str, passing: bool) -> None:
    record = fetch(tmp_path, program(tmp_path, body), timeout_s=1 if "sleep" in body else 30)
    assert record.outcome == "failed"
    assert reason in record.reason
    assert record.passing is passing
    assert not list((tmp_path / "raw").glob(".part*"))


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    record = fetch(tmp_path, "no-such-program {url} {out}")
    assert "'no-such-program'" in record.reason and "pip install yt-dlp" in record.reason
    assert record.passing


def test_offline_fetches_nothing(tmp_path: Path) -> None:
    assert "--offline" in fetch(tmp_path, program(tmp_path, "sys.exit(1)"), offline=True).reason


@pytest.mark.parametrize("command", ["prog {url}", "", "prog '{out}"])
def test_a_command_that_cannot_work_is_refused(tmp_path: Path, command: str) -> None:
    with pytest.raises(ConfigError, match="downloader"):
        Download(tmp_path, command, 1).check()
