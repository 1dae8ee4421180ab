"""Manifests and names that lead elsewhere: nothing outside of a step's own folder is removed, written or taken."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from talkingface.data.features import _InProcessEngine
from talkingface.data.lmdb.write import write_lists
from talkingface.data.prepare.files import Fingerprint, Manifest, Record, fingerprint
from talkingface.data.prepare.items import ClipFile
from talkingface.data.prepare.run_step import StepReport, clips_of, run_step
from talkingface.data.prepare.step import Step
from talkingface.data.prepare.steps.arrays import ExtractSound
from talkingface.data.prepare.steps.crop import CropVideo
from talkingface.data.prepare.steps.faces import ExtractCoefficients, ExtractLandmarks
from talkingface.data.prepare.steps.lmdb import EncodeClip
from talkingface.data.prepare.tools import PrepareTools
from talkingface.errors import DataError, PathError
from talkingface.face.track.segments import CropRules
from talkingface.paths import shipped

from .steps import Hash, items

OUTSIDE = ["../victim", "{victim}", "a/../../victim", "link", "link/inner", ".", "", "..", "/"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Folder of a data set with a link that leads out of it, beside a folder that must stay as it is."""
    (tmp_path / "victim" / "inner").mkdir(parents=True)
    (tmp_path / "victim" / "inner" / "precious").write_text("precious")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "link").symlink_to(tmp_path / "victim")
    return tmp_path / "set"


def run(root: Path, *words: str, salt: str = "") -> StepReport:
    return run_step(Hash(root, salt), items(root, *words), _InProcessEngine, root / "manifests")[0]


def tampered(root: Path, **changes: Any) -> None:
    """Change the last record of the manifest, in the way that a person with an editor would."""
    path = root / "manifests" / "hash.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:-1], json.dumps({**json.loads(lines[-1]), **changes})]) + "\n")


def is_whole(root: Path) -> bool:
    return (root.parent / "victim" / "inner" / "precious").read_text() == "precious" and (root / "0.txt").exists()


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("salt", ["", "changed"])
def test_a_manifest_removes_nothing_outside(root: Path, name: str, salt: str, caplog: pytest.LogCaptureFixture) -> None:
    assert run(root, "a").done == 1
    known = Fingerprint(name.format(victim=root.parent / "victim"), 8, 1, "0" * 64)
    tampered(root, outputs=[asdict(known)])
    with caplog.at_level(logging.WARNING):
        report = run(root, "a", salt=salt)
    assert (report.kept, report.done) == (0, 1), "the record is not believed"
    assert is_whole(root) and (root / "item0.sha256").read_text().startswith(salt)
    if name not in ("", "."):  # above all outputs, so that it is never thought of
        (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
        assert "Nothing was removed" in line and line.isprintable()


def test_a_manifest_removes_no_folder_of_present_outputs(root: Path) -> None:
    clips = CropVideo(root, root / "clips", PrepareTools(), CropRules(1, 1, 0.1, 0.1, (64, 64)))
    (clips.clips / "train").mkdir(parents=True)
    (clips.clips / "train" / "a.mp4").write_text("a")
    manifest = Manifest(root / "m.jsonl")
    folder = fingerprint(clips.clips / "train", root)
    manifest.add(Record("a", "done", "s", outputs=(folder,)))
    manifest.add(Record("a", "done", "s", outputs=(fingerprint(clips.clips / "train" / "a.mp4", root),)))
    assert manifest.superseded() == []


@pytest.mark.parametrize(
    "changes",
    [
        {"outputs": 5},
        {"outputs": [{"path": 5, "size": 1, "mtime_ns": 1, "sha256": ""}]},
        {"outputs": [["x"]]},
        {"inputs": [{"path": "0.txt", "size": "1", "mtime_ns": 1, "sha256": ""}]},
        {"item": ["x"]},
        {"outcome": "perhaps"},
        {"facts": {"clips": [{"name": 5}]}},
        {"facts": {"clips": 5}},
        {"facts": {"frames": "many"}},
        {"facts": []},
        {"seconds": "long"},
    ],
    ids=str,
)
def test_a_damaged_record_counts_as_none(root: Path, changes: dict[str, Any]) -> None:
    run(root, "a")
    tampered(root, **changes)
    report = run(root, "a")
    assert (report.kept, report.done) == (0, 1) and is_whole(root)


def test_a_manifest_of_other_bytes_is_survived(root: Path) -> None:
    run(root, "a")
    path = root / "manifests" / "hash.jsonl"
    path.write_bytes(b"\xff\xfe\n" + b"[" * 10_000 + b"\n" + b"9" * 6000 + b'\n{"item": 1e999}\n' + path.read_bytes())
    assert run(root, "a").kept == 1


@pytest.mark.parametrize("name", OUTSIDE)
def test_clips_are_taken_from_their_own_folder(root: Path, name: str) -> None:
    (root / "clips").mkdir()
    step = CropVideo(root, root / "clips", PrepareTools(), CropRules(1, 1, 0.1, 0.1, (64, 64)))
    known = Fingerprint(name.format(victim=root.parent / "victim"), 8, 1, "0" * 64)
    with pytest.raises(PathError):
        clips_of([Record("a", "done", "s", outputs=(known,))], step)
    with pytest.raises(DataError, match="in no folder train or test"):
        clips_of([Record("a", "done", "s", outputs=(replace(known, path="clips/val/a.mp4"),))], step)
    found = clips_of([Record("a", "done", "s", outputs=(replace(known, path="clips/train/a.mp4"),))], step)
    assert found == [ClipFile("a", "train", root / "clips" / "train" / "a.mp4")]


def test_the_folder_of_clips_may_lie_on_another_disk(root: Path) -> None:
    (root.parent / "disk" / "train").mkdir(parents=True)
    (root / "clips").symlink_to(root.parent / "disk")
    step = CropVideo(root, root / "clips", PrepareTools(), CropRules(1, 1, 0.1, 0.1, (64, 64)))
    assert step.owns("clips/train/a.mp4") and not step.owns("clips/../0.txt") and not step.owns("0.txt")


NAMES = [("../../x", "train"), ("x", "../.."), ("/x", "train"), ("x", "/"), ("x", "link"), ("x" * 255, "train")]


@pytest.mark.parametrize(("name", "split"), NAMES, ids=lambda text: text[:8])
def test_no_step_writes_outside(root: Path, name: str, split: str) -> None:
    clip = ClipFile(name, split, shipped("dataset", "sample", "driving.mp4"))
    tools = PrepareTools()
    steps: list[Step[ClipFile]] = [
        ExtractSound(root, root),
        ExtractLandmarks(root, root, tools),
        ExtractCoefficients(root, root, root, tools),
    ]
    for step in steps:
        with pytest.raises(PathError):
            step.target(clip)  # type: ignore[attr-defined]
    result = steps[0].run(clip).record
    assert result.outcome == "failed" and "It has to stay below" in result.reason
    with pytest.raises(PathError):
        EncodeClip(root, root, None).inputs(clip)
    assert sorted(path.name for path in root.iterdir()) == ["link"]


def test_lists_of_splits_stay_in_their_folder(root: Path) -> None:
    for split in ("../x", "/x", "a/../../x", "link/x"):
        with pytest.raises(PathError):
            write_lists(root, {split: ["a"]})
    assert sorted(path.name for path in root.parent.iterdir()) == ["set", "victim"]
