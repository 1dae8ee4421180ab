"""Making the face model out of its parts: the way there and back, and parts that do not fit."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from talkingface.errors import WeightsError
from talkingface.face3d.fit.bfm import convert_folder, read_expressions
from talkingface.face3d.surface.face_model import FaceModel

from .small_model import SIDE, small_fields

FRONT, TRIMMED, BASEL = SIDE * SIDE, 100, 120
SCRIPT = Path(__file__).parents[2] / "scripts" / "convert_bfm.py"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The six files, made backwards from the small model, so that converting must give the model again."""
    random, fields = np.random.default_rng(4), small_fields()
    trimmed = random.permutation(BASEL)[:TRIMMED]
    front = random.permutation(TRIMMED)[:FRONT]
    deviations = random.uniform(1e4, 4e5, 79)
    values = {"EV": random.uniform(1e3, 9e5, (199, 1)), "TEX": random.uniform(10, 4e3, (199, 1))}

    def scattered(array: np.ndarray, places: np.ndarray, count: int) -> np.ndarray:
        """Rows of the front vertices at their places among more vertices, noise elsewhere."""
        columns = array.shape[1]
        out = random.normal(size=(count, 3, columns))
        out[places] = array.reshape(-1, 3, columns)
        return out.reshape(-1, columns)

    shape = np.column_stack([fields["idBase"] * 1e5 / values["EV"][:80, 0], random.normal(size=(3 * FRONT, 119))])
    texture = np.column_stack([fields["texBase"] / values["TEX"][:80, 0], random.normal(size=(3 * FRONT, 119))])
    moved = np.column_stack([fields["exBase"] * 1e5 / deviations[:64], random.normal(size=(3 * FRONT, 15))])
    places = trimmed[front]
    basel = {
        "shapePC": scattered(shape, places, BASEL),
        "shapeEV": values["EV"],
        "shapeMU": scattered(fields["meanshape"].reshape(-1, 1) * 1e5, places, BASEL),
        "texPC": scattered(texture, places, BASEL),
        "texEV": values["TEX"],
        "texMU": scattered(fields["meantex"].reshape(-1, 1), places, BASEL),
        "segbin": np.array(["not looked at"]),
    }
    scipy.io.savemat(tmp_path / "01_MorphableModel.mat", basel, do_compression=True)
    directions = scattered(moved, front, TRIMMED).T.astype("<f4")
    mean = np.zeros(3 * TRIMMED, "<f4")
    (tmp_path / "Exp_Pca.bin").write_bytes(struct.pack("<i", 79) + mean.tobytes() + directions.tobytes())
    (tmp_path / "std_exp.txt").write_text(" ".join(map(str, deviations)))
    scipy.io.savemat(tmp_path / "BFM_front_idx.mat", {"idx": front[:, None] + 1.0})
    scipy.io.savemat(tmp_path / "BFM_exp_idx.mat", {"trimIndex": trimmed[:, None] + 1.0})
    kept = ("tri", "point_buf", "tri_mask2", "keypoints", "frontmask2_idx", "skinmask")
    scipy.io.savemat(tmp_path / "facemodel_info.mat", {name: fields[name] for name in kept})
    return tmp_path


def test_the_model_comes_back(folder: Path) -> None:
    output = convert_folder(folder)
    assert output == folder / "BFM_model_front.mat"
    found, wanted = scipy.io.loadmat(output), small_fields()
    for name in wanted:
        assert found[name].shape == wanted[name].shape, name
        np.testing.assert_allclose(found[name], wanted[name], rtol=2e-5, atol=1e-6, err_msg=name)
    assert len(FaceModel.load(output).triangles) == 2 * (SIDE - 1) ** 2


def test_the_script_says_what_it_made(folder: Path) -> None:
    command = [sys.executable, str(SCRIPT), str(folder), "--output", str(folder / "new" / "model.mat")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "81 vertices, 128 triangles" in done.stdout and (folder / "new" / "model.mat").is_file()


def test_the_script_lists_what_is_missing(folder: Path) -> None:
    (folder / "Exp_Pca.bin").unlink()
    (folder / "std_exp.txt").unlink()
    done = subprocess.run([sys.executable, str(SCRIPT), str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "lacks Exp_Pca.bin, std_exp.txt" in done.stderr and done.stderr.count("\n") == 1


def test_parts_that_do_not_fit_leave_nothing_behind(folder: Path) -> None:
    scipy.io.savemat(folder / "BFM_front_idx.mat", {"idx": np.array([[1.0], [TRIMMED + 1.0]])})
    with pytest.raises(WeightsError, match=rf"front vertices point outside 1\.\.{TRIMMED}"):
        convert_folder(folder)
    scipy.io.savemat(folder / "BFM_front_idx.mat", {"idx": np.arange(1.0, 51)[:, None]})
    with pytest.raises(WeightsError, match="of the face model is"):
        convert_folder(folder)
    assert not list(folder.glob("*model_front*"))


def test_a_damaged_expression_file_is_refused(folder: Path) -> None:
    file, text = folder / "Exp_Pca.bin", folder / "std_exp.txt"
    whole = file.read_bytes()
    for damaged in (whole[:-4], whole[:2], b"", struct.pack("<I", 1 << 31) + whole[4:]):
        file.write_bytes(damaged)
        with pytest.raises(WeightsError, match="cannot be"):
            read_expressions(file, text)
    file.write_bytes(whole)
    for words, said in (("1 2 3", "3 deviations for 79"), ("1 nan " * 40, "'nan' is not a number")):
        text.write_text(words)
        with pytest.raises(WeightsError, match=said):
            read_expressions(file, text)
