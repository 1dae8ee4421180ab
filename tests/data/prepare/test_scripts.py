"""The four scripts one after the other, as users of the published ones call them."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from talkingface.data.lmdb.store import LMDBStore
from talkingface.data.prepare.command import clips_in
from talkingface.data.prepare.steps.arrays import read_coefficients, read_landmarks
from talkingface.errors import DataError
from talkingface.paths import CLONE

NAME = "anna#talk0#000"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, CLONE / "scripts" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(name: str, *flags: object) -> int:
    return script(name).main([*map(str, flags), "--workers", "1"])


@pytest.fixture(scope="module")
def clips(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips of one person, as folders of pictures."""
    out = tmp_path_factory.mktemp("clips")
    flags = ("--no-download", "--annotations_folder", out / "none", "--min_frames", 16, "--min_size", 48)
    assert run("crop_vox", "--video_folder", raw / "anna", "--out_folder", out, *flags) == 0
    return out


def test_the_published_formats_lead_to_a_store(clips: Path, tmp_path: Path) -> None:
    folder = next(path for path in clips.rglob("000000.png")).parent
    split, name = folder.parent.name, folder.name
    points, rows, out = tmp_path / "points", tmp_path / "rows", tmp_path / "lmdb"
    assert run("extract_landmarks", "--input_dir", clips, "--output_dir", points) == 0
    assert run("extract_landmarks", "--input_dir", clips, "--output_dir", tmp_path / "txt", "--format", ".txt") == 0
    flags = ("--keypoint_dir", points, "--format", ".mat", "--space", "mesh", "--inference_batch_size", 7)
    assert run("extract_3dmm", "--input_dir", clips, "--output_dir", rows, *flags) == 0
    flags = ("--keypoint_path", tmp_path / "txt", "--coeff_3dmm_path", rows, "--sizes", 64, 128)
    assert run("prepare_lmdb", "--path", clips, "--out", out, *flags) == 0

    found = read_landmarks(points / split / f"{name}.npz")
    assert found["landmarks"].shape == (40, 68, 2) and found["mesh"].shape == (40, 468, 3)
    np.testing.assert_allclose(
        read_landmarks(tmp_path / "txt" / split / f"{name}.txt")["landmarks"], found["landmarks"], rtol=1e-5
    )
    wanted, space = read_coefficients(rows / split / f"{name}.mat")
    assert wanted.shape == (40, 260) and space == "mesh"
    for size in (64, 128):
        store = LMDBStore(out / str(size))
        (clip,) = store.clips()
        assert store.frames(clip, [0]).shape == (1, size, size, 3)
        np.testing.assert_array_equal(store.array(clip, "coeff_3dmm", range(40)), wanted)


def test_nothing_to_crop_is_exit_status_2(raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ("--no-download", "--annotations_folder", tmp_path / "none", "--min_frames", 1000)
    assert run("crop_vox", "--video_folder", raw / "anna", "--out_folder", tmp_path / "out", *flags) == 2
    assert re.search(r"--min_frames=40 --min_size=1\d\d accept it", capsys.readouterr().out)


def test_flags_that_are_wrong_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("crop_vox", "--video_folder", tmp_path / "none", "--out_folder", tmp_path, "--min_frames", 0) == 2
    assert "--min_frames" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run("crop_vox", "--image_shape", "256,128")


def test_two_clips_of_one_name_are_an_error(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        (tmp_path / split / "a.mp4").write_text("")
    with pytest.raises(DataError, match="two clips have the name 'a'"):
        clips_in(tmp_path)
