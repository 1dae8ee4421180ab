"""Motion files come back as they were, and a hostile one is an error with a cure, never more."""

from __future__ import annotations

import io
import json
import pickle
import tracemalloc
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from talkingface.errors import MotionError
from talkingface.motion.file import load_motion, load_motion_file, save_motion
from talkingface.types import Motion

NTSC = Fraction(30000, 1001)


def keypoints(frames: int = 7) -> Motion:
    generator = torch.Generator().manual_seed(0)
    values = {
        "value": torch.randn(frames, 10, 2, generator=generator),
        "jacobian": torch.randn(frames, 10, 2, 2, generator=generator),
    }
    return Motion("fom.kp10", NTSC, values)


def rows(frames: int = 5, space: str = "bfm") -> Motion:
    generator = torch.Generator().manual_seed(1)
    return Motion("3dmm.73", Fraction(25), {"coefficients": torch.randn(frames, 73, generator=generator)}, space)


def header(**changes: object) -> dict[str, object]:
    honest = {"format": "talkingface-motion", "version": 1, "kind": "fom.kp10", "space": "", "fps": "25/1", "extra": {}}
    return {**honest, **changes}


def write(path: Path, text: str | None, **tensors: torch.Tensor) -> Path:
    """A safetensors file with any motion header."""
    save_file(tensors or {"value": torch.zeros(3, 2)}, path, metadata=None if text is None else {"motion": text})
    return path


def write_raw(path: Path, tensors: dict[str, object], data: bytes) -> Path:
    """A safetensors file whose list of tensors says what it likes."""
    head = json.dumps({"__metadata__": {"motion": json.dumps(header())}, **tensors}).encode()
    path.write_bytes(len(head).to_bytes(8, "little") + head + data)
    return path


def assert_equal(one: Motion, other: Motion) -> None:
    assert (one.kind, one.space, one.fps) == (other.kind, other.space, other.fps)
    assert set(one.values) == set(other.values)
    for name, value in one.values.items():
        assert torch.equal(value, other.values[name])


@pytest.mark.parametrize("motion", [keypoints(), rows(space="mesh"), keypoints(1)])
def test_a_motion_comes_back_as_it_was(tmp_path: Path, motion: Motion) -> None:
    path = tmp_path / "m.motion"
    save_motion(path, motion, {"driving": "clip.mp4", "crop": [1, 2.5]})
    loaded = load_motion_file(path)
    assert_equal(loaded.motion, motion)
    assert loaded.extra == {"driving": "clip.mp4", "crop": [1, 2.5]}
    assert list(tmp_path.iterdir()) == [path]


def test_equal_motions_give_equal_files(tmp_path: Path) -> None:
    for name in ("a.motion", "b.motion"):
        save_motion(tmp_path / name, keypoints(), {"b": 1, "a": 2})
    assert (tmp_path / "a.motion").read_bytes() == (tmp_path / "b.motion").read_bytes()


def test_half_precision_and_views_are_kept_as_float32(tmp_path: Path) -> None:
    value = torch.arange(24.0).reshape(4, 6).t().half().requires_grad_()
    save_motion(tmp_path / "m.motion", Motion("k", NTSC, {"value": value}))
    loaded = load_motion(tmp_path / "m.motion").values["value"]
    assert loaded.dtype == torch.float32
    assert torch.equal(loaded, value.detach().float())


@pytest.mark.parametrize(
    ("motion", "words"),
    [
        (Motion("k", NTSC, {}), "without values"),
        (Motion("k", NTSC, {"value": torch.zeros(0, 2)}), "no frames"),
        (Motion("k", NTSC, {"value": torch.full((2, 2), torch.nan)}), "not finite"),
        (Motion("k", NTSC, {"value": torch.full((2, 2), 1e300, dtype=torch.float64)}), "not finite"),
        (Motion("no word", NTSC, {"value": torch.zeros(1, 2)}), "not a word"),
        (Motion("k", Fraction(0), {"value": torch.zeros(1, 2)}), "frames per second"),
    ],
)
def test_what_no_motion_is_is_not_saved(tmp_path: Path, motion: Motion, words: str) -> None:
    with pytest.raises(MotionError, match=words):
        save_motion(tmp_path / "m.motion", motion)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_a_motion_error(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))  # Python leaves the signal out and gets an error
    try:
        with pytest.raises(MotionError, match="cannot be written"):
            save_motion(tmp_path / "long.motion", Motion("kind", Fraction(25), {"value": torch.zeros(5000)}))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.iterdir())


def test_a_failed_save_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "m.motion"
    save_motion(path, keypoints())
    before = path.read_bytes()
    with pytest.raises(MotionError):
        save_motion(path, Motion("k", NTSC, {"value": torch.full((1, 1), torch.inf)}))
    assert path.read_bytes() == before
    with pytest.raises(MotionError, match="unknown ending"):
        save_motion(tmp_path / "m.pkl", keypoints())
    (tmp_path / "file").write_text("")
    with pytest.raises(MotionError, match="cannot be written"):
        save_motion(tmp_path / "file" / "m.motion", keypoints())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": 2}, "version 2"),
        ({"version": True}, "version True"),
        ({"version": None}, "version None"),
        ({"format": "something"}, "another format"),
        ({"fps": "1e999999999"}, "malformed"),
        ({"fps": "25"}, "malformed"),
        ({"fps": "0/1"}, "malformed"),
        ({"fps": 25}, "malformed"),
        ({"fps": f"{'9' * 5000}/1"}, "malformed"),
        ({"kind": 5}, "malformed"),
        ({"kind": "a\nb"}, "not a word"),
        ({"space": "../x"}, "not a word"),
        ({"extra": []}, "malformed"),
    ],
)
def test_a_header_that_lies_is_refused(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    with pytest.raises(MotionError, match=words) as caught:
        load_motion(write(tmp_path / "m.motion", json.dumps(header(**changes))))
    assert "m.motion" in str(caught.value)


@pytest.mark.parametrize("text", [None, "", "{", "[]", "null", "[" * 100_000, '"x"', "9" * 5000, "x" * (1 << 21)])
def test_a_header_that_is_none_is_refused(tmp_path: Path, text: str | None) -> None:
    with pytest.raises(MotionError, match=r"header|motion file"):
        load_motion(write(tmp_path / "m.motion", text))


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({"a": torch.zeros(3, 2), "b": torch.zeros(4, 2)}, "differ in length"),
        ({"a": torch.zeros(3, 2, dtype=torch.int64)}, "not a float"),
        ({"a": torch.tensor(1.0)}, "no frames"),
        ({"a": torch.zeros(1 << 40, 0)}, "empty"),
        ({"a": torch.full((2, 2), torch.inf)}, "not finite"),
        ({"a": torch.full((2, 2), 1e300, dtype=torch.float64)}, "not finite"),
        ({"a/../b": torch.zeros(2, 2)}, "not a word"),
    ],
)
def test_tensors_that_are_no_motion_are_refused(tmp_path: Path, tensors: dict[str, torch.Tensor], words: str) -> None:
    with pytest.raises(MotionError, match=words):
        load_motion(write(tmp_path / "m.motion", json.dumps(header()), **tensors))


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [1 << 40, 2], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 1 << 40]},
        {"dtype": "F32", "shape": [-1, -2], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [1] * 20 + [2], "data_offsets": [0, 8]},
        {"dtype": "object", "shape": [1, 2], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": "12", "data_offsets": [0, 8]},
    ],
)
def test_sizes_that_lie_take_no_memory(tmp_path: Path, entry: dict[str, object]) -> None:
    path = write_raw(tmp_path / "m.motion", {"value": entry}, bytes(8))
    tracemalloc.start()
    with pytest.raises(MotionError):
        load_motion(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


class Trap:
    """Leaves a file behind where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_files_of_other_kinds_are_refused_and_nothing_is_run(tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    array = io.BytesIO()
    np.save(array, np.array([Trap(sprung)], dtype=object), allow_pickle=True)
    contents = {
        "pickle": pickle.dumps(Trap(sprung)),
        "array": array.getvalue(),
        "empty": b"",
        "short": b"\x00",
        "text": b"<html>not found</html>",
        "cut": b"\xff" * 8 + b"{}",
        "magic": b"\x93NUMPY",
        "header": b"\x93NUMPY\x01\x00\x76\x00" + b"{'descr': __import__('os'), 'fortran_order': False}".ljust(118),
    }
    for name, data in contents.items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(MotionError) as caught:
            load_motion(path)
        assert "\n" not in str(caught.value)
    assert not sprung.exists()
    for path in (tmp_path, tmp_path / "nowhere.motion"):
        with pytest.raises(MotionError):
            load_motion(path)


def test_every_cut_of_a_file_is_refused(tmp_path: Path) -> None:
    whole, cut = tmp_path / "m.motion", tmp_path / "cut.motion"
    save_motion(whole, keypoints(2))
    data = whole.read_bytes()
    for length in range(0, len(data), 37):
        cut.write_bytes(data[:length])
        with pytest.raises(MotionError):
            load_motion(cut)


def test_cache_files_of_styleheat_are_read_and_written(tmp_path: Path) -> None:
    path = tmp_path / "3dmm_clip.npy"
    save_motion(path, rows())
    stored = np.load(path, allow_pickle=False)
    assert stored.dtype == np.float32
    assert stored.shape == (5, 73)
    assert_equal(load_motion(path), rows())
    assert load_motion(path, fps=NTSC).fps == NTSC
    np.save(path, np.asfortranarray(stored.astype(np.float64)))
    assert_equal(load_motion(path), rows())


def test_the_other_space_and_other_kinds_do_not_go_into_cache_files(tmp_path: Path) -> None:
    for motion in (rows(space="mesh"), keypoints()):
        with pytest.raises(MotionError, match=r"\.motion"):
            save_motion(tmp_path / "3dmm_clip.npy", motion)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 70), np.float32),
        np.zeros(73, np.float32),
        np.zeros((4, 73), np.int32),
        np.zeros((4, 73), np.complex64),
        np.zeros((0, 73), np.float32),
        np.full((4, 73), np.nan, np.float32),
        np.full((4, 73), 1e300),
    ],
)
def test_other_arrays_are_no_cache_files(tmp_path: Path, array: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(MotionError):
        load_motion(tmp_path / "a.npy")


def test_a_cache_file_that_claims_too_much_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    text = str({"descr": "<f4", "fortran_order": False, "shape": (1 << 40, 73)}).ljust(117) + "\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + bytes(292))
    tracemalloc.start()
    with pytest.raises(MotionError):
        load_motion(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
