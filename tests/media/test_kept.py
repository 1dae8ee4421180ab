"""A result that is written in several runs has the bytes of one that nobody disturbed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from talkingface.errors import MediaError
from talkingface.media.keep.folder import FORGOTTEN_S, WorkFolder, folders_for, kept_for
from talkingface.media.keep.names import ReservedNames
from talkingface.media.keep.writer import open_kept_writer
from talkingface.media.sounds.audio import read_audio
from talkingface.media.video import open_video, probe
from talkingface.media.writer import open_writer

from .clips import onset_s, with_sound

FPS = Fraction(30000, 1001)
KEY = "0123456789abcdef"


def picture(number: int) -> np.ndarray:
    """(24, 33, 3): a step that moves over a ramp; odd sides on purpose."""
    y, x = np.mgrid[:24, :33]
    return np.stack([x * 7, y * 10, np.where(x < number % 33, 220, 30)], -1).astype(np.uint8)


def run(
    output: Path, total: int, *, stop: int | None = None, facts: object = 1, brighter: int = 0, **how: object
) -> int:
    """Write a result of so many frames, stopped before a frame; returns the frame that it began with."""
    audio, options = how.pop("audio", None), {"commit_s": 0.0, **how}
    with WorkFolder(output, KEY, {"facts": facts}, **options) as work:  # type: ignore[arg-type]
        with open_kept_writer(output, work, total, name="drawn", fps=FPS, audio=audio) as writer:  # type: ignore[arg-type]
            begin = writer.goes_on_from(picture(0) + np.uint8(brighter)) if writer.found else 0
            for number in range(begin, total):
                if number == stop:
                    raise KeyboardInterrupt
                writer.write(picture(number) + np.uint8(brighter))
        work.finish()
    return begin


def stopped(output: Path, total: int, stop: int, **how: object) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(output, total, stop=stop, **how)


def content(path: Path) -> list[bytes]:
    return [file.read_bytes() for file in (sorted(path.iterdir()) if path.is_dir() else [path])]


@pytest.mark.parametrize(
    ("name", "total", "stops"),
    [
        ("x.mp4", 530, (3, 250, 251, 499, 520)),
        ("x.mp4", 60, (20, 59)),
        ("x.mov", 260, (255,)),
        ("x.webm", 270, (40, 260)),
        ("x.gif", 40, (1, 30)),
        ("x.webp", 40, (30,)),
        ("x", 40, (7, 39)),
    ],
)
def test_a_result_in_several_runs_has_the_bytes_of_one(
    tmp_path: Path, name: str, total: int, stops: tuple[int, ...]
) -> None:
    run(tmp_path / f"whole{name}", total)
    for stop in stops:
        stopped(tmp_path / name, total, stop)
    assert run(tmp_path / name, total) == stops[-1]
    assert content(tmp_path / name) == content(tmp_path / f"whole{name}")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, f"whole{name}"])


@pytest.mark.parametrize("ending", [".mp4", ".webm"])
def test_joined_pieces_show_every_frame_in_time_with_the_sound_in_step(tmp_path: Path, ending: str) -> None:
    beep = with_sound(tmp_path / "beep.mp4", seconds=14, sound_starts_s=10)
    run(tmp_path / f"x{ending}", 300, audio=beep)
    with open_writer(tmp_path / f"plain{ending}", fps=FPS, audio=beep, audio_duration_s=300 / FPS) as writer:
        for number in range(300):
            writer.write(picture(number))
    joined, plain = (tmp_path / f"{name}{ending}" for name in ("x", "plain"))
    assert probe(joined) == replace(probe(plain), path=joined)
    assert onset_s(read_audio(joined, 16000)) == onset_s(read_audio(plain, 16000))
    with open_video(joined) as one, open_video(plain) as other:
        errors = [np.abs(a.astype(int) - b).mean() for a, b in zip(one, other, strict=True)]
    assert len(errors) == 300 and max(errors) < 3


def test_short_results_are_the_same_as_without_keeping(tmp_path: Path) -> None:
    run(tmp_path / "x.mp4", 30)
    with open_writer(tmp_path / "plain.mp4", fps=FPS) as writer:
        for number in range(30):
            writer.write(picture(number))
    assert content(tmp_path / "x.mp4") == content(tmp_path / "plain.mp4")


def test_other_facts_other_frames_or_a_restart_begin_anew(tmp_path: Path) -> None:
    for how in ({"facts": 2}, {"brighter": 9}, {"restart": True}):
        stopped(tmp_path / "x.mp4", 60, 40)
        assert run(tmp_path / "x.mp4", 60, **how) == 0


@pytest.mark.parametrize("damage", ["000000.mp4", "000001.raw", "pieces.txt", "frames.json"])
def test_damage_costs_the_damaged_part_alone(tmp_path: Path, damage: str) -> None:
    run(tmp_path / "whole.mp4", 300)
    stopped(tmp_path / "x.mp4", 300, 290)
    file = folders_for(tmp_path / "x.mp4")[0] / "drawn" / damage
    if file.exists():  # the first piece is entered, and has no other file, only when its encoder has ended
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    run(tmp_path / "x.mp4", 300)
    assert content(tmp_path / "x.mp4") == content(tmp_path / "whole.mp4")


def test_what_is_not_worth_it_leaves_nothing(tmp_path: Path) -> None:
    stopped(tmp_path / "x.mp4", 60, 40, commit_s=1000.0)
    assert list(tmp_path.iterdir()) == []


def test_a_work_folder_is_used_by_one_run_alone(tmp_path: Path) -> None:
    target = tmp_path / "x.mp4"
    with WorkFolder(target, KEY, {}) as one, WorkFolder(target, KEY, {}) as other:
        assert one.path != other.path
        one.finish()
        assert other.path.exists()
    assert list(tmp_path.iterdir()) == []


def test_work_that_nobody_goes_on_with_is_removed_after_a_month(tmp_path: Path) -> None:
    stopped(tmp_path / "old.mp4", 60, 40)
    stopped(tmp_path / "new.mp4", 60, 40)
    old = time.time() - FORGOTTEN_S - 10
    os.utime(folders_for(tmp_path / "old.mp4")[0] / "kept", (old, old))
    run(tmp_path / "other.mp4", 3)
    assert kept_for(tmp_path / "old.mp4", KEY) is None and kept_for(tmp_path / "new.mp4", KEY) is True
    assert kept_for(tmp_path / "new.mp4", "f" * 16) is False


def test_threads_never_reserve_the_same_name(tmp_path: Path) -> None:
    names = [ReservedNames() for _ in range(16)]
    chosen: list[Path | None] = []

    def reserve(one: ReservedNames) -> None:
        paths = (tmp_path / f"x_{number}.mp4" for number in range(100))
        chosen.append(one.reserve(tmp_path, paths, lambda path: not path.exists()))

    threads = [threading.Thread(target=reserve, args=(one,)) for one in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(chosen)) == 16
    for one in names:
        one.__exit__(None, None, None)
    assert list(tmp_path.iterdir()) == []


RESERVE = """
import os, sys
from pathlib import Path
from talkingface.media.keep.names import ReservedNames
folder = Path(sys.argv[1])
names = ReservedNames()
print(names.reserve(folder, (folder / f"{n}.mp4" for n in range(9)), lambda path: True).name, flush=True)
sys.stdin.readline()
os._exit(9)
"""


def test_processes_never_reserve_the_same_name_and_dead_ones_none(tmp_path: Path) -> None:
    def begin() -> subprocess.Popen[str]:
        words = [sys.executable, "-c", RESERVE, str(tmp_path)]
        return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    running = [begin(), begin()]
    assert {process.stdout.readline().strip() for process in running if process.stdout} == {"0.mp4", "1.mp4"}
    for process in running:
        process.communicate("\n")
    with ReservedNames() as names:
        assert names.reserve(tmp_path, [tmp_path / "0.mp4"], lambda path: True) == tmp_path / "0.mp4"


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MediaError, match="cannot be written"), ReservedNames() as names:
        names.reserve(tmp_path / "file" / "below", [tmp_path / "file" / "below" / "x.mp4"], lambda path: True)
