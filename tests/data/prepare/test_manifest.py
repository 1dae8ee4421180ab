"""Manifests: what a kill can do to them, and when an item has to be done again."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from talkingface.data.prepare.files import Manifest, Record, fingerprint, remove_parts
from talkingface.part_files import atomic_file


def record(root: Path, name: str = "a", **changes: object) -> Record:
    for file in ("in", "out"):
        if not (root / file).exists():
            (root / file).write_text(file)
    inputs, outputs = (fingerprint(root / "in", root),), (fingerprint(root / "out", root),)
    return Record(
        **{**{"item": name, "outcome": "done", "settings": "s", "inputs": inputs, "outputs": outputs}, **changes}
    )


def test_records_come_back(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path / "m" / "step.jsonl")
    first = record(tmp_path, facts={"frames": 7, "clips": [{"name": "x"}]}, reason="weiß")
    manifest.add(first)
    manifest.add(record(tmp_path, "b"))
    again = Manifest(manifest.path)
    assert again.records["a"] == first
    assert [found.item for found in again.of(["b", "missing", "a"])] == ["b", "a"]


def test_a_later_record_replaces_an_earlier_one(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path / "step.jsonl")
    manifest.add(record(tmp_path))
    (tmp_path / "new").write_text("new")
    manifest.add(record(tmp_path, outputs=(fingerprint(tmp_path / "new", tmp_path),)))
    again = Manifest(manifest.path)
    assert [known.path for known in again.records["a"].outputs] == ["new"]
    assert again.superseded() == ["out"]


def test_every_cut_of_the_last_line_is_survived(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path / "step.jsonl")
    manifest.add(record(tmp_path, "a"))
    safe = manifest.path.stat().st_size
    manifest.add(record(tmp_path, "b", reason="ü"))
    data = manifest.path.read_bytes()
    for cut in [*range(safe, len(data), 17), len(data) - 2, len(data) - 1]:
        manifest.path.write_bytes(data[:cut])
        torn = Manifest(manifest.path)
        # The whole line but its end is a whole record.
        assert set(torn.records) == ({"a", "b"} if cut == len(data) - 1 else {"a"})
        torn.add(record(tmp_path, "c"))
        assert {"a", "c"} <= set(Manifest(manifest.path).records)
        assert json.loads(manifest.path.read_bytes().splitlines()[-1])["item"] == "c"


def test_holds_until_something_changes(tmp_path: Path) -> None:
    known = record(tmp_path)
    assert known.holds(tmp_path, "s")
    assert not known.holds(tmp_path, "other settings")
    os.utime(tmp_path / "in", (1, 1))
    assert known.holds(tmp_path, "s"), "a touched input is the same input"
    (tmp_path / "in").write_text("IN")
    assert not known.holds(tmp_path, "s"), "same size, other content"
    (tmp_path / "in").unlink()
    assert known.holds(tmp_path, "s"), "a raw video may be deleted once its clips are there"
    (tmp_path / "out").unlink()
    assert not known.holds(tmp_path, "s")


@pytest.mark.parametrize(
    ("passing", "retry", "holds"), [(False, False, True), (True, False, False), (False, True, False)]
)
def test_which_failures_are_final(tmp_path: Path, passing: bool, retry: bool, holds: bool) -> None:
    known = record(tmp_path, outcome="failed", outputs=(), passing=passing)
    assert known.holds(tmp_path, "s", retry_failed=retry) is holds


def test_folders_are_known_by_all_their_files(tmp_path: Path) -> None:
    folder = tmp_path / "clip"
    folder.mkdir()
    (folder / "0.png").write_text("a")
    first = fingerprint(folder, tmp_path)
    (folder / "0.png").rename(folder / "1.png")
    assert fingerprint(folder, tmp_path).sha256 != first.sha256


def test_files_are_there_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "a" / "x.txt"
    with pytest.raises(RuntimeError), atomic_file(target) as part:
        part.write_text("half")
        raise RuntimeError
    assert list(target.parent.iterdir()) == []
    with atomic_file(target) as part:
        part.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"


def test_leftovers_of_a_kill_are_removed(tmp_path: Path) -> None:
    (tmp_path / "a" / ".part-1").mkdir(parents=True)
    (tmp_path / "a" / ".part-1" / "x").write_text("x")
    (tmp_path / "a" / ".part-2.mp4").write_text("x")
    (tmp_path / "a" / "kept.mp4").write_text("x")
    remove_parts(tmp_path)
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["kept.mp4"]
