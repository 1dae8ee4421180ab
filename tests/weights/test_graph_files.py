"""Networks read as data: graph models of TensorFlow.js and files of hama, whole and damaged."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from talkingface.errors import WeightsError
from talkingface.nn.graph import GraphNetwork
from talkingface.nn.phonemes import PhonemeNetwork, state_of
from talkingface.weights.files.hama import read_hama
from talkingface.weights.files.tfjs import read_graph
from talkingface.weights.load import load_strict

RANDOM = np.random.default_rng(0)
ARRAYS = {
    "kernel": RANDOM.normal(size=(3, 3, 3, 4)).astype("<f4"),
    "each": RANDOM.normal(size=(2, 2, 4, 1)).astype("<f4"),
    "widths": np.array([[0, 0], [1, 0], [0, 1], [0, 0]], "<i4"),
    "slope": np.array(0.25, "<f4"),
    "shape": np.array([-1, 36], "<i4"),
    "matrix": RANDOM.normal(size=(36, 5)).astype("<f4"),
}


def convolution(name: str, op: str, inputs: list[str], step: int, **more: object) -> dict[str, object]:
    strides = {"list": {"i": ["1", str(step), str(step), "1"]}}
    return {
        "name": name,
        "op": op,
        "input": inputs,
        "attr": {"strides": strides, "padding": {"s": base64.b64encode(b"VALID").decode()}, **more},
    }


NODES = [
    {"name": "out", "op": "MatMul", "input": ["flat", "matrix"]},  # before what it takes
    {"name": "data", "op": "Placeholder"},
    convolution("wide", "Conv2D", ["padded", "kernel"], 2),
    {"name": "padded", "op": "Pad", "input": ["data:0", "widths"]},
    {"name": "leak", "op": "Mul", "input": ["wide", "slope"]},
    {"name": "leaky", "op": "Maximum", "input": ["wide", "leak"]},
    convolution("deep", "DepthwiseConv2dNative", ["leaky", "each"], 1),
    {"name": "flat", "op": "Reshape", "input": ["deep", "shape"]},
    *({"name": name, "op": "Const"} for name in ARRAYS),
]


def write(folder: Path, nodes: list[dict[str, object]], numbers: bytes | None = None) -> tuple[Path, Path]:
    weights = [
        {"name": name, "shape": list(a.shape), "dtype": "float32" if a.dtype == np.float32 else "int32"}
        for name, a in ARRAYS.items()
    ]
    content = {"modelTopology": {"node": nodes}, "weightsManifest": [{"paths": ["../../away"], "weights": weights}]}
    (folder / "net.json").write_text(json.dumps(content))
    data = b"".join(values.tobytes() for values in ARRAYS.values())
    (folder / "net.bin").write_bytes(data if numbers is None else numbers)
    return folder / "net.json", folder / "net.bin"


def test_a_graph_computes_what_torch_computes(tmp_path: Path) -> None:
    network = GraphNetwork(read_graph(*write(tmp_path, NODES)))
    pictures = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    kernel, each, matrix = (torch.from_numpy(ARRAYS[name]) for name in ("kernel", "each", "matrix"))
    wide = F.leaky_relu(F.conv2d(F.pad(pictures, (0, 1, 1, 0)), kernel.permute(3, 2, 0, 1), stride=2), 0.25)
    deep = F.conv2d(wide, each.permute(2, 3, 0, 1), groups=4)
    expected = deep.permute(0, 2, 3, 1).flatten(1) @ matrix
    torch.testing.assert_close(network(pictures), expected)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"op": "PyFunc"}, "operation that is not known: PyFunc"),
        ({"input": ["nothing", "widths"]}, "takes 'nothing'"),
        ({"input": ["out", "widths"]}, "circle"),
        ({"op": "Conv2D", "attr": {"dilations": {"list": {"i": ["1", "2", "2", "1"]}}}}, "no graph model"),
        ({"attr": 5}, "no graph model"),
    ],
)
def test_strange_graphs_are_refused(tmp_path: Path, change: dict[str, object], words: str) -> None:
    nodes = [{**node, **change} if node["name"] == "padded" else node for node in NODES]
    with pytest.raises(WeightsError, match=words):
        GraphNetwork(read_graph(*write(tmp_path, nodes)))


@pytest.mark.parametrize("numbers", [b"", b"\0" * 40, b"\0" * 100_000])
def test_numbers_of_another_length_are_refused(tmp_path: Path, numbers: bytes) -> None:
    with pytest.raises(WeightsError, match="no graph model"):
        read_graph(*write(tmp_path, NODES, numbers))


def hama(arrays: dict[str, np.ndarray]) -> bytes:
    table, data = b"HAMAPK\x01\x02" + struct.pack("<I", len(arrays)), b""
    for name, values in arrays.items():
        raw = values.tobytes()
        kind = 0 if values.dtype == np.float32 else 1
        table += struct.pack("<H", len(name)) + name.encode() + bytes([kind, values.ndim])
        table += struct.pack(f"<{values.ndim}IQQ", *values.shape, len(data), len(raw))
        data += raw
    return table + b"\0" * (-len(table) % 16) + data


def test_a_file_of_hama_fills_the_network(tmp_path: Path) -> None:
    wanted = {name: torch.rand_like(value).half().float() for name, value in PhonemeNetwork().state_dict().items()}
    arrays, numbers = {}, iter(range(800, 900))
    order = ("ffn1.fc1", "ffn1.fc2", "attn.in_proj", "attn.out_proj", "ffn2.fc1", "ffn2.fc2")
    matrices = [f"blocks.{block}.{name}.weight" for block in range(4) for name in order]
    kernels = ["stem.weight", "stem.bias"]
    kernels += [f"blocks.{block}.conv.depthwise.{part}" for block in range(4) for part in ("weight", "bias")]
    for name in kernels:
        arrays[f"onnx::Conv_{next(numbers)}"] = wanted[name].numpy().astype("<f2")
    for name in matrices:
        arrays[f"onnx::MatMul_{next(numbers)}"] = np.ascontiguousarray(wanted[name].numpy().T).astype("<f2")
    for name, value in wanted.items():
        if name not in kernels and name not in matrices:
            front = name.startswith(("stft", "mel"))
            given = name if front else "acoustic_model.model." + name.replace("in_proj.bias", "in_proj_bias")
            arrays[given] = value.numpy().astype("<f4" if front else "<f2")
    (tmp_path / "net.hama").write_bytes(hama(arrays))
    network = PhonemeNetwork()
    load_strict(network, state_of(read_hama(tmp_path / "net.hama")), where="net.hama")
    for name, value in network.state_dict().items():
        assert torch.equal(value, wanted[name]), name


@pytest.mark.parametrize("cut", [0, 7, 11, 30, 60])
def test_damaged_files_of_hama_are_refused(tmp_path: Path, cut: int) -> None:
    data = hama({"a": np.ones((2, 3), "<f4"), "b": np.ones(5, "<f2")})
    (tmp_path / "net.hama").write_bytes(data[:cut])
    with pytest.raises(WeightsError, match=r"net\.hama"):
        read_hama(tmp_path / "net.hama")


def test_places_outside_a_file_of_hama_are_refused(tmp_path: Path) -> None:
    data = hama({"a": np.ones((2, 3), "<f4")}).replace(struct.pack("<QQ", 0, 24), struct.pack("<QQ", 1 << 60, 24))
    (tmp_path / "net.hama").write_bytes(data)
    with pytest.raises(WeightsError, match="damaged"):
        read_hama(tmp_path / "net.hama")


def test_a_wrong_number_of_matrices_is_refused() -> None:
    with pytest.raises(WeightsError, match="onnx::MatMul_"):
        state_of({"onnx::MatMul_1": np.zeros((2, 2), np.float32)})
