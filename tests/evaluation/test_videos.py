"""Two folders of videos, judged by one command: the report, its page, the same bytes twice, and a run that goes on."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from talkingface.cli import main
from talkingface.evaluation.measure import Shot, measure
from talkingface.evaluation.metric import ClipFacts, MetricTools
from talkingface.evaluation.metrics.sharp import Sharpness
from talkingface.evaluation.results.unfinished import FOLDER, RECORDS, Unfinished
from talkingface.media.video import open_video
from talkingface.media.writer import open_writer

CHOSEN = ["l1", "psnr", "ssim", "flicker", "sharpness"]


def none(chosen: slice) -> Tensor:
    return torch.zeros(0, 3, 8, 8)


def write(path: Path, seed: int, noise: float = 0.0, frames: int = 6) -> None:
    random = np.random.default_rng(seed)
    still = np.kron(random.integers(0, 256, (8, 8, 3)), np.ones((8, 8, 1)))
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_writer(path, fps=Fraction(25), quality="lossless") as writer:
        for number in range(frames):
            moved = np.roll(still, number, axis=1) + noise * random.normal(size=still.shape)
            writer.write(moved.clip(0, 255).astype(np.uint8))


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for name, seed in (("anna_1", 1), ("ben#2", 2)):
        write(tmp_path / "real" / f"{name}.mp4", seed)
        write(tmp_path / "exact" / f"{name}.mp4", seed)
        write(tmp_path / "noisy" / f"{name}.mp4", seed, noise=20)
    write(tmp_path / "noisy" / "stranger.mp4", 3)
    return tmp_path


def evaluate(root: Path, output: str, *made: str) -> dict[str, object]:
    words = ["--run_mode=evaluate", "--real", root / "real", "--made", *(root / name for name in made)]
    words += ["--evaluate.metrics", *CHOSEN, "--output_dir", root / output]
    assert main([str(word) for word in words]) == 0
    return dict(json.loads((root / output / "report.json").read_text()))


def test_programs_stand_side_by_side(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = evaluate(folders, "out", "exact", "noisy")
    rows = {row["method"]: row["over_identities"] for row in report["tables"]["videos"]["rows"]}  # type: ignore[index]
    assert rows["exact"]["l1"] == 0 and rows["exact"]["ssim"] == pytest.approx(1, abs=1e-5)
    assert rows["exact"]["psnr"] == 100 and rows["exact"]["flicker"] == 0
    assert rows["noisy"]["l1"] > 0.02 and rows["noisy"]["flicker"] > 5
    assert report["notes"] == ["stranger: only noisy has it"]
    out = capsys.readouterr().out
    assert out.splitlines()[-1] == str(folders / "out" / "report.json") and "exact" in out


def test_a_folder_that_only_bears_the_name_of_kept_clips_is_left_alone(folders: Path) -> None:
    novel = folders / "out" / FOLDER / "chapter 12.txt"
    novel.parent.mkdir(parents=True)
    novel.write_text("It was a dark and stormy night")
    evaluate(folders, "out", "exact")
    assert novel.read_text().startswith("It was") and [path.name for path in novel.parent.iterdir()] == [novel.name]


@pytest.mark.parametrize("line", ["5", "[]", "null", '{"number": 0}', "[" * 100_000, '{"number": 0, "scores": 5}'])
def test_damaged_notes_of_a_stopped_evaluation_are_measured_anew(folders: Path, line: str) -> None:
    whole = evaluate(folders, "whole", "exact")
    kept = Unfinished(folders / "out", str(whole["protocol"]["hash"]))  # type: ignore[index]
    with (folders / "out" / FOLDER / RECORDS).open("a") as file:
        file.write(f"{line}\n")
    del kept
    assert evaluate(folders, "out", "exact")["tables"] == whole["tables"]


def test_two_videos_of_one_name_are_told(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copyfile(folders / "exact" / "anna_1.mp4", folders / "exact" / "anna_1.mkv")
    assert main(["--run_mode=evaluate", f"--real={folders / 'real'}", f"--made={folders / 'exact'}"]) == 2
    assert "two videos have one name: 'anna_1.mkv' and 'anna_1.mp4'" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="names are text there")
def test_names_that_are_no_utf8_are_measured_and_shown(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    for folder in ("real", name):
        write(tmp_path / folder / f"{name}.mp4", 1)
    report = evaluate(tmp_path, "out", name)
    (row,) = report["tables"]["videos"]["rows"]  # type: ignore[index]
    assert row["over_identities"]["l1"] == 0 and row["method"] == name
    assert r"caf\udce9" in (tmp_path / "out" / "report.html").read_text()


def test_the_page_needs_nothing_else(folders: Path) -> None:
    report = evaluate(folders, "out", "exact", "noisy")
    page = (folders / "out" / "report.html").read_text()
    assert not re.search(r'(src|href)="(?!data:)', page) and "url(" not in page and "<script" not in page
    assert report["protocol"]["hash"] in page and page.count("data:image/jpeg") >= 4  # type: ignore[index]
    assert "stranger" in page and "lpips" in page


def test_twice_the_same_bytes(folders: Path) -> None:
    evaluate(folders, "one", "exact", "noisy")
    evaluate(folders, "two", "exact", "noisy")
    for name in ("report.json", "report.html"):
        assert (folders / "one" / name).read_bytes() == (folders / "two" / name).read_bytes()
    assert not (folders / "one" / FOLDER).exists()


def test_a_stopped_run_goes_on(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluate(folders, "whole", "noisy")
    from talkingface.evaluation import measure

    first, opened = measure._measured, []

    def stopping(*args: object) -> object:
        opened.append(args[1])
        if len(opened) == 2:
            raise KeyboardInterrupt
        return first(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(measure, "_measured", stopping)
    words = ["--run_mode=evaluate", "--real", folders / "real", "--made", folders / "noisy"]
    words += ["--evaluate.metrics", *CHOSEN, "--output_dir", folders / "part"]
    assert main([str(word) for word in words]) == 130
    assert len((folders / "part" / FOLDER / RECORDS).read_text().splitlines()) == 2
    evaluate(folders, "part", "noisy")
    assert len(opened) == 3
    assert (folders / "part" / "report.json").read_bytes() == (folders / "whole" / "report.json").read_bytes()


def test_dropped_frames_are_told(folders: Path) -> None:
    write(folders / "short" / "anna_1.mp4", 1, frames=3)
    report = evaluate(folders, "out", "short")
    (row,) = report["tables"]["videos"]["rows"]  # type: ignore[index]
    assert row["over_identities"]["frames_lost"] == pytest.approx(0.5)


def test_each_program_has_its_own_lost_frames_and_sound(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("anna_1", "ben#2"):
        write(folders / "short" / f"{name}.mp4", 1, frames=3)
    report = evaluate(folders, "out", "exact", "short")
    rows = {row["method"]: row for row in report["tables"]["videos"]["rows"]}  # type: ignore[index]
    lost = {name: row["over_identities"]["frames_lost"] for name, row in rows.items()}
    assert lost == {"exact": 0, "short": pytest.approx(0.5)}
    heard: list[Path | None] = []
    monkeypatch.setattr(Sharpness, "begin", lambda self, clip: heard.append(clip.made_sound))
    own = folders / "own.wav"
    facts = ClipFacts(Fraction(25), torch.zeros(1, 3, 8, 8))
    shot = Shot("x", "x", 0, facts, none, {"a": none, "b": none}, {}, {"b": own})
    measure("videos", [("x", lambda: shot)], {"sharpness": Sharpness}, MetricTools(), chunk=4)
    assert heard == [None, own]


def test_what_other_programs_leave_is_taken_or_told(folders: Path) -> None:
    """Folders of pictures are videos; what is damaged is left out, with a note."""
    real, other = folders / "real", folders / "a program"
    pictures = other / "sub folder" / "ö 3"
    pictures.mkdir(parents=True)
    write(real / "sub folder" / "ö 3.mov", 4)
    with open_video(real / "sub folder" / "ö 3.mov") as video:
        for number, frame in enumerate(video, 8):
            Image.fromarray(frame).save(pictures / f"{number}.png")
    write(other / "anna_1.mov", 1)
    (other / "ben#2.wmv").write_bytes(b"no video at all")
    (other / "notes.txt").write_text("hello")
    report = evaluate(folders, "out", "a program")
    clips = {clip["clip"]: clip["scores"]["l1"] for clip in report["tables"]["videos"]["clips"]}  # type: ignore[index]
    assert clips == {"anna_1": pytest.approx(0, abs=0.02), "sub folder/ö 3": 0}
    first, second = report["notes"]  # type: ignore[misc]
    assert first.startswith("ben#2.wmv of a program: left out, ") and second == "ben#2: a program has no such video"


def test_folders_without_a_common_name_are_refused(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folders / "other" / "x.mp4", 1)
    words = ["--run_mode=evaluate", f"--real={folders / 'real'}", "--made", str(folders / "other")]
    assert main(words) == 2
    assert "anna_1" in capsys.readouterr().err
    assert main(["--run_mode=evaluate", f"--real={folders / 'real'}"]) == 2
    assert "--made" in capsys.readouterr().err
