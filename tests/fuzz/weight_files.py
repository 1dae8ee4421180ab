"""Readers of weights, of arrays and of motions."""

from __future__ import annotations

import pickle
import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import scipy.io
import torch

from talkingface.data.features import _samples
from talkingface.data.prepare.steps.arrays import read_coefficients, read_landmarks, write_coefficients, write_landmarks
from talkingface.face.crop.crop import Crop
from talkingface.face.detect.from_file import FileAnalyser
from talkingface.face.face import Box, Face
from talkingface.face3d.fit.bfm import read_expressions
from talkingface.motion.file import load_motion_file, save_3dmm, save_motion
from talkingface.pipelines.drivers.base import DrivingMotion
from talkingface.pipelines.read import coefficient_cache
from talkingface.types import Motion
from talkingface.weights.files.matlab import read_mat
from talkingface.weights.load import load_networks, save_networks

from .registry import reader

_STATES = {
    "kp_detector": {"predictor.encoder.down_blocks.0.conv.weight": torch.ones(2, 3, 3, 3), "kp.bias": torch.ones(2)},
    "generator": {"dense_motion_network.mask.weight": torch.ones(3, 2, 3, 3)},
}


@reader("weights, torch", load_networks)
def torch_file(folder: Path) -> Path:
    torch.save(_STATES, folder / "w.pth")
    return folder / "w.pth"


@reader("weights, torch before 1.6", load_networks)
def old_torch_file(folder: Path) -> Path:
    torch.save({**_STATES, "epoch": 3}, folder / "w.pth.tar", _use_new_zipfile_serialization=False)
    return folder / "w.pth.tar"


@reader("weights, safetensors", load_networks)
def safetensors_file(folder: Path) -> Path:
    save_networks(folder / "w.safetensors", _STATES, {"model": "FOM", "config": "{}"})
    return folder / "w.safetensors"


@reader("weights, npz", load_networks)
def npz_weights(folder: Path) -> Path:
    np.savez(folder / "x.npz", **{"a/weight": np.ones((2, 3), np.float32), "bias": np.ones(2)})
    return folder / "x.npz"


@reader("weights, Paddle", load_networks)
def paddle_file(folder: Path) -> Path:
    state = {"net": {"weight": np.ones((2, 3), np.float32), "bias": ("bias", np.ones(2, np.float32))}, "epoch": 1}
    (folder / "w.pdparams").write_bytes(pickle.dumps(state, protocol=4))
    return folder / "w.pdparams"


@reader("arrays, MATLAB", read_mat)
def matlab_file(folder: Path) -> Path:
    scipy.io.savemat(folder / "m.mat", {"lm": np.ones((5, 2)), "word": "text"}, do_compression=True)
    return folder / "m.mat"


@reader("expressions of the face model", lambda path: read_expressions(path, path.with_name("std_exp.txt")))
def expressions_file(folder: Path) -> Path:
    (folder / "std_exp.txt").write_text("1.5 2.5\n")
    (folder / "e.bin").write_bytes((2).to_bytes(4, "little") + np.ones((3, 12), "<f4").tobytes())
    return folder / "e.bin"


@reader("deviations of the face model", lambda path: read_expressions(path.with_name("e.bin"), path))
def deviations_file(folder: Path) -> Path:
    expressions_file(folder)
    return folder / "std_exp.txt"


def _inside(archive: str, member: str, path: Path) -> Path:
    """An archive with one file inside, so that damage gets past its checksums."""
    with zipfile.ZipFile(path.with_name(archive), "w") as target:
        target.writestr(member, path.read_bytes())
    return path.with_name(archive)


def _with_pickle(path: Path) -> Path:
    """The torch file beside a pickle, with that pickle in it."""
    with zipfile.ZipFile(path.with_name("w.pth")) as whole, zipfile.ZipFile(path.with_name("x.pth"), "w") as target:
        for name in whole.namelist():
            target.writestr(name, path.read_bytes() if name.endswith("data.pkl") else whole.read(name))
    return path.with_name("x.pth")


@reader("weights, torch, the pickle inside", lambda path: load_networks(_with_pickle(path)))
def torch_pickle(folder: Path) -> Path:
    with zipfile.ZipFile(torch_file(folder)) as archive:
        data = archive.read(next(name for name in archive.namelist() if name.endswith("data.pkl")))
    (folder / "data.pkl").write_bytes(data)
    return folder / "data.pkl"


@reader("weights, npz, the array inside", lambda path: load_networks(_inside("w.npz", "a.npy", path)))
@reader("landmarks, npz, the array inside", lambda path: read_landmarks(_inside("lm.npz", "landmarks.npy", path)))
def array_inside(folder: Path) -> Path:
    np.save(folder / "a.npy", _POINTS)
    return folder / "a.npy"


@reader("arrays, MATLAB, not compressed", read_mat)
def plain_matlab_file(folder: Path) -> Path:
    scipy.io.savemat(folder / "m.mat", {"lm": np.ones((5, 2)), "word": "text", "s": {"x": 1}})
    return folder / "m.mat"


_POINTS = np.random.default_rng(0).uniform(0, 60, (2, 68, 2)).astype(np.float32)
_ROWS = np.ones((3, 260), np.float32)


@reader("landmarks, npz", read_landmarks)
def landmarks_npz(folder: Path) -> Path:
    write_landmarks(folder / "lm.npz", {"landmarks": _POINTS, "seen": np.ones(2, bool)})
    return folder / "lm.npz"


@reader("landmarks, text", read_landmarks)
def landmarks_text(folder: Path) -> Path:
    write_landmarks(folder / "lm.txt", {"landmarks": _POINTS[:1]})
    return folder / "lm.txt"


@reader("coefficients, npz", read_coefficients)
def coefficients_npz(folder: Path) -> Path:
    write_coefficients(folder / "c.npz", _ROWS, "bfm")
    return folder / "c.npz"


@reader("coefficients, MATLAB", read_coefficients)
def coefficients_mat(folder: Path) -> Path:
    write_coefficients(folder / "c.mat", _ROWS, "mesh")
    return folder / "c.mat"


@reader("samples, npy", _samples)
def samples_file(folder: Path) -> Path:
    np.save(folder / "s.npy", np.arange(50, dtype=np.int16))
    return folder / "s.npy"


@reader("motion", load_motion_file)
def motion_file(folder: Path) -> Path:
    save_motion(folder / "m.motion", Motion("fom.kp10", Fraction(25), {"value": torch.ones(3, 10, 2)}), {"from": "x"})
    return folder / "m.motion"


@reader("motion, npy", load_motion_file)
def motion_npy(folder: Path) -> Path:
    save_3dmm(folder / "m.npy", Motion("3dmm.73", Fraction(25), {"coefficients": torch.ones(3, 73)}, "bfm"))
    return folder / "m.npy"


@reader("kept coefficients", lambda path: coefficient_cache.load(path, Path("v.mp4")))
def kept_coefficients(folder: Path) -> Path:
    motion = Motion("3dmm.73", Fraction(25), {"coefficients": torch.ones(2, 73)}, "mesh")
    face = Face(Box(0, 0, 9, 9), 1.0, _POINTS[0], None, "mesh")
    driving = DrivingMotion(Path("v.mp4"), motion, ("a note",), crop=Crop(np.eye(3), (64, 64)), face=face)
    coefficient_cache.keep(folder / "k.motion", Path("v.mp4"), driving)
    return folder / "k.motion"


@reader("points of faces, text", FileAnalyser.open)
def points_text(folder: Path) -> Path:
    (folder / "p.txt").write_text("".join(f"{x} {y}\n" for x, y in _POINTS[0][:5]))
    return folder / "p.txt"


@reader("points of faces, npy", FileAnalyser.open)
def points_npy(folder: Path) -> Path:
    np.save(folder / "p.npy", _POINTS)
    return folder / "p.npy"


@reader("points of faces, JSON", FileAnalyser.open)
def points_json(folder: Path) -> Path:
    (folder / "p.json").write_text('{"faces": [{"box": [1, 2, 30, 40], "landmarks": [[1,2],[9,2],[5,5],[2,9],[8,9]]}]}')
    return folder / "p.json"
