"""Settings and lists that are damaged or meant to harm: the command gives one line with the place, and status 2."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from talkingface.cli import main
from talkingface.paths import CLONE, shipped

HOSTILE = Path(os.environ.get("TALKINGFACE_SHARED", CLONE.parent / "shared")) / "data" / "hostile"
LIMIT_S, LIMIT_BYTES = 20, 6 * 10**9  # address space, of which libraries take most


def kept(folder: str) -> list[Path]:
    """Files of a folder of the shared data; none where it is absent."""
    return sorted((HOSTILE / folder).glob("*")) if HOSTILE.is_dir() else []


def refused(capsys: pytest.CaptureFixture[str], *flags: str) -> str:
    """The one line that the command says on its way out."""
    assert main(list(flags)) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: ") and lines[0].isprintable(), lines
    return lines[0]


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES))


@pytest.mark.parametrize("path", kept("yaml"), ids=lambda path: path.stem)
def test_settings_are_plain_values(path: Path) -> None:
    command = [sys.executable, "-m", "talkingface", f"--config={path}", "--print_config"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, preexec_fn=limited, check=False)
    assert done.returncode == 2 and done.stderr.startswith(f"error: {path}")
    assert done.stderr.count("\n") == 1 and "Traceback" not in done.stderr


@pytest.mark.parametrize("path", kept("clipscsv"), ids=lambda path: path.stem)
def test_a_list_of_clips_is_read_with_care(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(shipped("dataset", "sample"), tmp_path / "set")
    target = tmp_path / "set" / "clips.csv"
    target.write_bytes(path.read_bytes())
    line = refused(capsys, "--run_mode=train", f"--dataset={tmp_path / 'set'}", f"--output_dir={tmp_path / 'run'}")
    assert f"{target}, line " in line


@pytest.mark.parametrize("path", kept("hdtf"), ids=lambda path: path.stem)
def test_lists_of_hdtf_are_read_with_care(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parts = path.read_bytes().split(b"=====\n")
    for name, content in zip(("video_url", "annotion_time", "crop_wh", "resolution"), parts, strict=True):
        (tmp_path / f"WRA_{name}.txt").write_bytes(content)
    line = refused(
        capsys, "--run_mode=prepare", f"--list={tmp_path}", f"--raw={tmp_path / 'raw'}", f"--prepare.out={tmp_path}"
    )
    assert f"{tmp_path}/WRA_" in line and ", line " in line


@pytest.mark.parametrize("path", kept("voxcsv"), ids=lambda path: path.stem)
def test_tables_of_voxceleb_are_read_with_care(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ("--run_mode=prepare", f"--list={path}", f"--raw={tmp_path / 'raw'}", f"--prepare.out={tmp_path}")
    assert f"{path}, line 2: " in refused(capsys, *flags)


@pytest.mark.parametrize("path", kept("listtxt"), ids=lambda path: path.stem)
def test_lists_of_an_lmdb_are_read_with_care(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(shipped("dataset", "sample", "lmdb"), tmp_path / "set")
    target = tmp_path / "set" / "train_list.txt"
    target.write_bytes(path.read_bytes())
    flags = ("--run_mode=train", f"--dataset={tmp_path / 'set'}", "--train.image_size=128")
    assert f"{target}, line 3: " in refused(capsys, *flags, f"--output_dir={tmp_path / 'run'}")


BAD_NAMES = ["../../x", "/x", "a/b", "..", ".part-x", "a#b", "x\x1b[31m"]
# The published tables have the person behind the '#' of a video.
CELLS = [(name, column) for column in ("person_id", "video_id", "partition") for name in BAD_NAMES]
CELLS.remove(("a#b", "video_id"))


@pytest.mark.parametrize(("name", "column"), CELLS)
def test_names_in_a_table_are_plain(name: str, column: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cells = {"video_id": "abc", "start": "0", "end": "9", "bbox": "1-2-30-40", "fps": "25", "width": "64"}
    cells |= {"height": "64", "person_id": "id1", "partition": "train", column: name}
    table = tmp_path / "vox.csv"
    table.write_text(f"{','.join(cells)}\n{','.join(cells.values())}\n")
    flags = ("--run_mode=prepare", f"--list={table}", f"--raw={tmp_path / 'raw'}", f"--prepare.out={tmp_path / 'out'}")
    assert f"{table}, line 2: the " in refused(capsys, *flags)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["vox.csv"]


@pytest.mark.parametrize("name", ["../../x", "/x", "a/b", "..", "a#b"])
def test_names_in_hdtf_are_plain(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lists = tmp_path / "lists"
    lists.mkdir()
    texts = {
        "video_url": f"{name} https://example.org/v\n",
        "annotion_time": f"{name}.mp4 00:01-00:02\n",
        "crop_wh": f"{name}_0.mp4 0 64 0 64\n",
    }
    for end, text in texts.items():
        (lists / f"WRA_{end}.txt").write_text(text)
    flags = ("--run_mode=prepare", f"--list={lists}", f"--raw={tmp_path / 'raw'}", f"--prepare.out={tmp_path / 'out'}")
    assert "line 1: the video " in refused(capsys, *flags)
    assert [path.name for path in tmp_path.iterdir()] == ["lists"]


@pytest.mark.parametrize("name", ["../../x.mp4", "/etc/passwd", "train/../../x.mp4", "out/driving.mp4"])
def test_clips_of_a_list_are_below_it(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = tmp_path / "set"
    home.mkdir()
    (home / "out").symlink_to(shipped("dataset", "sample"))
    (home / "clips.csv").write_text(f"file,split,identity\n{name},train,a\n")
    line = refused(capsys, "--run_mode=train", f"--dataset={home}", f"--output_dir={tmp_path / 'run'}")
    assert f"{home}/clips.csv, line 2: the name '{name}' " in line and line.endswith(f"It has to stay below {home}.")
