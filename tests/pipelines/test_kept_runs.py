"""A render is never lost: killed runs go on, and give the bytes of an undisturbed one."""

from __future__ import annotations

import os
import random
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.render_kill import digest, torment
from talkingface.config import Settings
from talkingface.errors import ConfigError
from talkingface.pipelines import animate as animation
from talkingface.pipelines.animate import animate, animate_each
from talkingface.pipelines.draw.drawing import Drawing
from talkingface.pipelines.plan.inputs import plan_each, plan_one
from talkingface.pipelines.progress import Progress

Make = Callable[..., Settings]


class Noted(Progress):
    """Keeps the lines, and stops the run by Ctrl-C before a frame."""

    def __init__(self, stop: int | None = None) -> None:
        self.lines: list[str] = []
        self._stop = stop

    def note(self, line: str) -> None:
        self.lines.append(line)

    def track(self, items: Any, step: str, total: int | None = None) -> Iterator[Any]:
        for number, item in enumerate(items):
            if step == "render" and number == self._stop:
                raise KeyboardInterrupt
            yield item


def stopped(settings: Settings, stop: int = 6) -> list[str]:
    progress = Noted(stop)
    with pytest.raises(KeyboardInterrupt):
        animate(settings, progress)
    return progress.lines


@pytest.mark.skipif(sys.platform == "win32", reason="processes are not copied there")
def test_twenty_kills_at_random_moments_change_no_byte(weights: Path, clips: Path, tmp_path: Path) -> None:
    values = {"checkpoint": str(weights), "image_source": clips / "source.png", "video_source": clips / "talk.mp4"}
    tally = torment(values, tmp_path / "out", ".mp4", 20, random.Random(0))
    assert (tally.kills, tally.different, tally.left) == (20, 0, 0) and tally.equal >= 1


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"preprocess": "full", "if_align": False},
        {"compare": True, "visualize": True},
        {"batch_size": 3, "output": "frames"},
    ],
)
def test_a_stopped_run_goes_on_where_it_was(make: Make, tmp_path: Path, changes: dict[str, Any]) -> None:
    name = changes.pop("output", "x.mp4")
    settings = make(commit_seconds=0, output=tmp_path / name, **changes)
    animate(make(output=tmp_path / f"whole-{name}", **changes))
    lines = stopped(settings)
    assert lines[-1].endswith("the same command goes on from there (--restart begins anew)")
    progress = Noted()
    result = animate(settings, progress)
    assert "render: going on from frame 6 of 11" in progress.lines and result.frames == 11
    assert digest(tmp_path / name) == digest(tmp_path / f"whole-{name}")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_restart_and_other_commands_begin_anew(make: Make, tmp_path: Path) -> None:
    for changes in ({"restart": True}, {"quality": "low"}, {"relative": False}):
        stopped(make(commit_seconds=0))
        progress = Noted()
        animate(make(**changes), progress)
        assert not [line for line in progress.lines if "going on" in line]
        assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_made_up_name_is_that_of_the_killed_run_and_of_no_other(make: Make, tmp_path: Path) -> None:
    stopped(make(commit_seconds=0, output=None, output_dir=tmp_path))
    assert plan_one(make(output=None, output_dir=tmp_path)).output == tmp_path / "source__talk.mp4"
    other = plan_one(make(output=None, output_dir=tmp_path, quality="low")).output
    assert other == tmp_path / "source__talk_2.mp4"


def test_runs_at_the_same_time_get_names_of_their_own(make: Make, clips: Path, tmp_path: Path) -> None:
    results: list[Path] = []
    settings = make(output=None, output_dir=tmp_path, image_source=clips / "portraits")
    threads = [
        threading.Thread(target=lambda: results.extend(one.path for one in animation.animate_each(settings).results))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == len(set(results)) == 4 and all(path.exists() for path in results)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_names_that_leave_no_room_for_the_settings_are_refused_first(make: Make, tmp_path: Path) -> None:
    for name in (f"{'x' * 251}.mp4", f"{'ü' * 124}y.mp4"):
        with pytest.raises(ConfigError, match=r"belongs beside the result.*shorter by \d bytes"):
            plan_each(make(output=tmp_path / "new folder" / name))
    with pytest.raises(ConfigError, match="_face3d"):
        plan_one(make(output=tmp_path / f"{'x' * 245}.mp4", face3dvis=True, landmarks="mesh"))
    (tmp_path / "x.mp4.yaml").mkdir()
    with pytest.raises(ConfigError, match="is a folder"):
        plan_one(make(output=tmp_path / "x.mp4"))


def test_a_side_file_that_fails_is_a_warning_once_the_result_stands(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Blocking(Noted):
        def track(self, items: Any, step: str, total: int | None = None) -> Iterator[Any]:
            yield from items
            (tmp_path / "x.mp4.yaml" / "in the way").mkdir(parents=True, exist_ok=True)

    result = animate(make(output=tmp_path / "x.mp4"), Blocking())
    assert result.path.is_file() and any("settings could not be saved" in line for line in result.warnings)


def test_the_first_frame_decides_whether_what_was_kept_is_used() -> None:
    class Found:
        found, frames = 3, 0

        def __init__(self, alike: bool) -> None:
            self.alike, self.written = alike, []

        def goes_on_from(self, first: Any) -> int:
            self.frames = 3 if self.alike else 0
            return self.frames

        def write(self, frame: Any) -> None:
            self.written.append(frame)
            self.frames += 1

    for alike, written in ((True, [3, 4]), (False, [0, 1, 2, 3, 4])):
        sink = Found(alike)
        Drawing(lambda first: iter(range(first, 5)), 5).pour([sink])  # type: ignore[arg-type, return-value]
        assert sink.written == written


def test_a_second_run_over_a_folder_keeps_what_is_finished(make: Make, clips: Path, tmp_path: Path) -> None:
    folder = tmp_path / "people"
    folder.mkdir()
    for name in "ab":
        shutil.copyfile(clips / "source.png", folder / f"{name}.png")

    def run(**changes: Any) -> tuple[dict[str, bool], list[str]]:
        """(name of each result -> true if it was there, lines)."""
        progress = Noted()
        made = {"image_source": folder, "output": None, "output_dir": tmp_path / "out", **changes}
        batch = animate_each(make(**made), progress)
        assert not batch.failures and all(result.frames == 11 for result in batch.results)
        return {result.path.name: result.kept for result in batch.results}, progress.lines

    assert run()[0] == {"a__talk.mp4": False, "b__talk.mp4": False}
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    shutil.copyfile(clips / "source.png", folder / "c.png")
    kept, lines = run()
    assert kept == {"a__talk.mp4": True, "b__talk.mp4": True, "c__talk.mp4": False}
    assert sum("finished by an earlier run of the same command, and kept" in line for line in lines) == 2
    assert {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in before} == before
    kept, lines = run()
    assert list(kept.values()) == [True] * 3 and len(lines) == 3, "and nothing is loaded"
    (folder / "a.png").touch()
    (tmp_path / "out" / "b__talk.mp4").write_bytes(b"cut")
    (tmp_path / "out" / "c__talk.mp4.yaml").unlink()
    assert run()[0] == {f"{name}__talk_2.mp4": False for name in "abc"}
    assert run(relative=False)[0] == {f"{name}__talk_3.mp4": False for name in "abc"}
    assert run(restart=True)[0] == {f"{name}__talk_4.mp4": False for name in "abc"}
    assert run(overwrite=True)[0] == {f"{name}__talk.mp4": False for name in "abc"}
    assert list(run()[0].values()) == [True] * 3


def test_a_killed_run_over_a_folder_goes_on_when_pictures_were_added(make: Make, clips: Path, tmp_path: Path) -> None:
    folder = tmp_path / "people"
    folder.mkdir()
    shutil.copyfile(clips / "source.png", folder / "b.png")
    settings = make(image_source=folder, output=None, output_dir=tmp_path / "out", commit_seconds=0)
    with pytest.raises(KeyboardInterrupt):
        animate_each(settings, Noted(6))
    shutil.copyfile(clips / "source.png", folder / "a.png")
    progress = Noted()
    batch = animate_each(settings, progress)
    assert [result.path.name for result in batch.results] == ["a__talk.mp4", "b__talk.mp4"]
    assert "render: going on from frame 6 of 11" in progress.lines


@pytest.mark.parametrize("kind", ["a link to a folder", "a link to nothing", "a file", "another user's folder"])
def test_what_others_put_in_the_place_of_kept_work_is_left_alone(make: Make, tmp_path: Path, kind: str) -> None:
    """The place is known to everybody who may write to the folder once a render was killed."""
    settings = make(commit_seconds=0, output=tmp_path / "x.mp4")
    stopped(settings)
    (work,) = tmp_path.glob(".work-*")
    shutil.rmtree(work)
    precious = tmp_path / "precious"
    (precious / "render").mkdir(parents=True)
    (precious / "render" / "thesis.txt").write_text("years of work")
    if kind == "a file":
        work.write_text("no folder")
    elif kind == "another user's folder":
        if sys.platform == "win32" or os.geteuid() != 0:
            pytest.skip("only root gives files away")
        shutil.move(precious, work)
        precious = work
        os.chown(work, 12345, 12345)
    else:
        work.symlink_to(precious if kind == "a link to a folder" else tmp_path / "nowhere")
    assert animate(settings).frames == 11
    assert (precious / "render" / "thesis.txt").read_text() == "years of work"
    assert [path.name for path in tmp_path.glob(".work-*")] == [work.name] and not (tmp_path / "nowhere").exists()
