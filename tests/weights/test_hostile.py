"""Hostile and damaged files: each gives a WeightsError, quickly and in little memory, and none runs code.

The corpus is built here, byte by byte, so that nothing dangerous lies in the repository.
"""

from __future__ import annotations

import io
import json
import pickle
import struct
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from talkingface.errors import WeightsError
from talkingface.weights.files.numpyfile import map_npy, read_arrays
from talkingface.weights.files.pickles import PickleMachine
from talkingface.weights.load import KINDS, load_networks

# Processor time, under the memory tracer, which makes Python some times slower.
MAX_SECONDS, MAX_MEMORY_BYTES = 5.0, 96 << 20
PROTO = b"\x80\x04"
DATA_MAGIC = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)
LEGACY_HEAD = DATA_MAGIC + pickle.dumps(1001, protocol=2) + pickle.dumps({"little_endian": True}, protocol=2)


def refused(path: Path) -> str:
    """The one line of the error that reading ``path`` must give, within the limits of time and memory."""
    tracemalloc.start()
    start = time.process_time()
    try:
        with pytest.raises(WeightsError) as caught:
            load_networks(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert time.process_time() - start < MAX_SECONDS
    assert peak < MAX_MEMORY_BYTES
    message = str(caught.value)
    assert "\n" not in message and str(path) in message
    return message


def as_pickle(body: bytes, path: Path) -> Path:
    path.write_bytes(PROTO + body)
    return path


def as_zip(body: bytes, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", PROTO + body)
        archive.writestr("archive/version", "3\n")
    return path


def as_legacy(body: bytes, path: Path) -> Path:
    path.write_bytes(LEGACY_HEAD + PROTO + body + pickle.dumps([], protocol=2))
    return path


def text(value: str) -> bytes:
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def code(canary: Path) -> dict[str, bytes]:
    """Pickles that make Python's own reader create the canary file, by every instruction that can."""
    command = text(f"touch '{canary}'")
    shell = text("posix") + text("system") + b"\x93"
    return {
        "global": b"cposix\nsystem\n" + command + b"\x85R.",
        "stack_global": shell + command + b"\x85R.",
        "eval": b"cbuiltins\neval\n" + text(f"open({str(canary)!r}, 'w')") + b"\x85R.",
        "inst": b"(" + command + b"iposix\nsystem\n.",
        "obj": b"(cposix\nsystem\n" + command + b"o.",
        "newobj": b"csubprocess\nPopen\n(" + text("touch") + text(str(canary)) + b"l\x85\x81.",
        "newobj_ex": b"csubprocess\nPopen\n(" + text("touch") + text(str(canary)) + b"l\x85}\x92.",
        "nested": b"}" + text("generator") + b"}" + text("w") + shell + command + b"\x85Rss.",
        "after_memo": shell + b"\x940h\x00" + command + b"\x85R.",
        "as_name": text("builtins") + text("__import__") + b"\x93" + text("antigravity") + b"\x85R.",
        "partial": b"cfunctools\npartial\ncposix\nsystem\n" + command + b"\x86R)R.",
        "dotted": text("torch._utils") + text("_rebuild_tensor_v2.__globals__") + b"\x93)R.",
    }


@pytest.mark.parametrize("kind", sorted(code(Path("x"))))
@pytest.mark.parametrize("wrap", [as_pickle, as_zip, as_legacy])
def test_code_in_a_pickle_is_never_run(tmp_path: Path, kind: str, wrap: Callable[[bytes, Path], Path]) -> None:
    canary = tmp_path / "canary"
    refused(wrap(code(canary)[kind], tmp_path / "file.pth"))
    assert not canary.exists()


def test_the_canary_would_be_created_by_pythons_own_reader(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    pickle.loads(PROTO + code(canary)["stack_global"])  # noqa: S301 - shows that the corpus is real
    assert canary.exists()


@pytest.mark.parametrize(
    "body",
    {
        "build_on_a_name": b"ccollections\nOrderedDict\n}" + text("popitem") + b"Nsb.",
        "build_on_a_list": b"]}b.",
        "extension": b"\x82\x01.",
        "extension2": b"\x83\x01\x00.",
        "extension4": b"\x84\x01\x00\x00\x00.",
        "text_persistent_id": b"Pstorage\n.",
        "persistent_module": text("module") + text("x") + text("y") + b"\x87Q.",
        "out_of_band": b"\x97.",
        "underflow": b"R.",
        "unopened_group": b"t.",
        "unstored_memo": b"h\x07.",
        "append_to_number": b"K\x01K\x02a.",
        "no_end": b"}",
        "empty": b"",
        "unknown_instruction": b"\xff.",
        "long_text": b"\x8d" + struct.pack("<Q", 1 << 62) + b"x.",
        "long_bytes": b"\x8e" + struct.pack("<Q", 1 << 40) + b"x.",
        "long_bytearray": b"\x96" + struct.pack("<Q", 1 << 40) + b"x.",
        "long_int": b"\x8b" + struct.pack("<i", 1 << 30) + b"x.",
        "negative_int_length": b"\x8b" + struct.pack("<i", -5) + b".",
        "list_as_key": b"}]K\x01s.",
        "tuple_as_key": b"})K\x01s.",
        "huge_int_as_key": b"}\x8a\xf0" + b"\x01" * 240 + b"K\x01s.",
        "number_instead_of_weights": b"K\x01.",
        "no_weights": b"}.",
    }.items(),
    ids=lambda item: item[0],
)
@pytest.mark.parametrize("wrap", [as_pickle, as_zip, as_legacy])
def test_malformed_pickles(tmp_path: Path, body: tuple[str, bytes], wrap: Callable[[bytes, Path], Path]) -> None:
    refused(wrap(body[1], tmp_path / "file.pth"))


def test_names_stay_text() -> None:
    """Not even a module that is known by name is imported: the machine's value is the two words."""
    value = PickleMachine({}).run(io.BytesIO(PROTO + b"cposix\nsystem\n."))
    assert str(value) == "posix.system" and not callable(value)


def test_huge_memo_index_takes_no_memory(tmp_path: Path) -> None:
    refused(as_pickle(b"}r\xff\xff\xff\x7f.", tmp_path / "x.pdparams"))


def test_tuples_that_unfold_without_end(tmp_path: Path) -> None:
    laughs = b"}" + text("a") + b")" + b"".join(b"2\x86"[1:] and b"\x94h" + bytes([i]) + b"\x86" for i in range(60))
    refused(as_pickle(laughs + b"s.", tmp_path / "x.pdparams"))


def test_dictionaries_that_unfold_without_end(tmp_path: Path) -> None:
    """Each level names the level below it 2,000 times: 8 billion entries in 60 KB."""
    body = b"}\x94"
    for level in range(3):
        pairs = b"".join(text(str(key)) + b"h" + bytes([level]) for key in range(2000))
        body += b"0}\x94(" + pairs + b"u"
    refused(as_pickle(body.replace(b"0}", b"}") + b".", tmp_path / "x.pdparams"))


def test_text_that_is_encoded_again_and_again(tmp_path: Path) -> None:
    body = text("y" * 1_000_000) + b"\x940" + b"c_codecs\nencode\n\x940" + text("latin1") + b"\x940"
    body = body.replace(b"\x940", b"\x94")
    again = b"h\x01h\x00h\x02\x86R" * 500
    refused(as_pickle(body + again + b".", tmp_path / "x.pdparams"))


def test_deep_nesting(tmp_path: Path) -> None:
    refused(as_pickle(b"]" * 20_000 + b"a" * 19_999 + b".", tmp_path / "x.pdparams"))
    nested = b"}" + text("a") + (b"}" + text("a")) * 10_000 + b"K\x01" + b"s" * 10_001 + b"."
    refused(as_pickle(nested, tmp_path / "y.pdparams"))


def tensor_pickle(
    numel: object, offset: object, shape: object, stride: object, *, key: str = "0", kind: str = "FloatStorage"
) -> bytes:
    """A pickle (without its protocol mark) of ``{"net": {"w": tensor}}`` with these numbers, fitting or not."""

    def number(value: object) -> bytes:
        return pickle.dumps(value, protocol=2)[2:-1]

    storage = b"(" + text("storage") + b"ctorch\n" + kind.encode() + b"\n" + text(key) + text("cpu") + number(numel)
    arguments = b"(" + storage + b"tQ" + number(offset) + number(shape) + number(stride) + b"\x89}t"
    return b"}" + text("net") + b"}" + text("w") + b"ctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"Rss."


LIES = {
    "beyond_its_storage": (4, 0, (5,), (1,)),
    "offset_beyond": (4, 3, (2,), (1,)),
    "stride_beyond": (4, 0, (2,), (4,)),
    "negative_size": (4, 0, (-1,), (1,)),
    "negative_stride": (4, 3, (2,), (-1,)),
    "negative_offset": (4, -1, (2,), (1,)),
    "negative_storage": (-4, 0, (1,), (1,)),
    "huge_storage": (1 << 60, 0, (1,), (1,)),
    "huge_shape": (4, 0, (1 << 62, 1 << 62), (0, 0)),
    "unfolding_shape": (4, 0, (1 << 20, 1 << 20), (0, 0)),
    "ranks_differ": (4, 0, (2, 2), (1,)),
    "many_axes": (4, 0, (1,) * 99, (1,) * 99),
    "text_size": (4, 0, ("4",), (1,)),
    "true_size": (4, 0, (True,), (1,)),
    "fraction_offset": (4, 0.5, (1,), (1,)),
    "list_shape": (4, 0, [1], [1]),
}


@pytest.mark.parametrize("lie", sorted(LIES))
@pytest.mark.parametrize("zipped", [True, False])
def test_tensors_that_lie_about_their_storage(tmp_path: Path, lie: str, zipped: bool) -> None:
    body, numbers = tensor_pickle(*LIES[lie]), struct.pack("<4f", 1, 2, 3, 4)
    path = tmp_path / "x.pt"
    if zipped:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", PROTO + body)
            archive.writestr("archive/data/0", numbers)
    else:
        path.write_bytes(LEGACY_HEAD + PROTO + body + pickle.dumps(["0"], 2) + struct.pack("<q", 4) + numbers)
    refused(path)


def test_many_windows_on_one_storage_are_counted_together(tmp_path: Path) -> None:
    whole = torch.zeros(1 << 20)
    torch.save({f"w{index}": whole[:] for index in range(300)}, tmp_path / "x.pt")
    assert "unfold" in refused(tmp_path / "x.pt")


def test_storages_that_are_unknown_missing_or_described_twice(tmp_path: Path) -> None:
    numbers = struct.pack("<q4f", 4, 1, 2, 3, 4)
    honest = tensor_pickle(4, 0, (4,), (1,))
    for name, content in {
        "unknown type": tensor_pickle(4, 0, (4,), (1,), kind="QUInt8Storage") + pickle.dumps(["0"], 2) + numbers,
        "another key": honest + pickle.dumps(["1"], 2) + numbers,
        "twice": honest + pickle.dumps(["0", "0"], 2) + numbers,
        "keys no list": honest + pickle.dumps("0", 2) + numbers,
        "another length": honest + pickle.dumps(["0"], 2) + struct.pack("<q", 5) + numbers[8:],
        "no keys": honest,
    }.items():
        path = tmp_path / f"{name}.pth"
        path.write_bytes(LEGACY_HEAD + PROTO + content)
        refused(path)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("kept", [0.02, 0.3, 0.6, 0.97, 0.999])
def test_truncated_torch_files(tmp_path: Path, published: object, zipped: bool, kept: float) -> None:
    torch.save(published, tmp_path / "x.pth", _use_new_zipfile_serialization=zipped)
    data = (tmp_path / "x.pth").read_bytes()
    (tmp_path / "x.pth").write_bytes(data[: int(len(data) * kept)])
    refused(tmp_path / "x.pth")


def test_flipped_bit_in_a_zip_is_noticed(tmp_path: Path) -> None:
    torch.save({"net": {"w": torch.full((1000,), 7.0)}}, tmp_path / "x.pth")
    data = bytearray((tmp_path / "x.pth").read_bytes())
    data[data.index(struct.pack("<f", 7.0) * 4) + 40] ^= 1
    (tmp_path / "x.pth").write_bytes(data)
    assert "checksum" in refused(tmp_path / "x.pth")


def test_compressed_torch_archive_is_a_bomb(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", PROTO + tensor_pickle(1 << 24, 0, (1 << 24,), (1,)))
        archive.writestr("archive/data/0", bytes(64 << 20))
    assert "compressed" in refused(tmp_path / "x.pt")


def test_torchscript_and_other_archives(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "script.pt", "w") as archive:
        archive.writestr("m/data.pkl", PROTO + b"}.")
        archive.writestr("m/constants.pkl", PROTO + b").")
    assert "TorchScript" in refused(tmp_path / "script.pt")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert "not one of weights" in refused(tmp_path / "other.zip")


def safetensors_file(path: Path, header: object, data: bytes, length: int | None = None) -> Path:
    packed = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(packed) if length is None else length) + packed + data)
    return path


def entry(start: object, stop: object, shape: object = (1,), dtype: object = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


@pytest.mark.parametrize(
    "header",
    {
        "overlap": {"a": entry(0, 4), "b": entry(0, 4)},
        "gap": {"a": entry(0, 4), "b": entry(8, 12)},
        "beyond": {"a": entry(0, 4), "b": entry(4, 400, (99,))},
        "negative": {"a": entry(-4, 0), "b": entry(0, 8, (2,))},
        "backwards": {"a": entry(8, 0, (2,))},
        "shape_too_big": {"a": entry(0, 8, (1 << 40,))},
        "huge_shape": {"a": entry(0, 8, (1 << 62, 1 << 62))},
        "negative_shape": {"a": entry(0, 8, (-2,))},
        "text_shape": {"a": entry(0, 8, "2")},
        "unknown_type": {"a": entry(0, 8, (2,), "F4")},
        "type_no_text": {"a": entry(0, 8, (2,), ["F32"])},
        "no_place": {"a": {"dtype": "F32", "shape": [2]}},
        "no_entry": {"a": 5},
        "bytes_left_over": {"a": entry(0, 4)},
        "metadata_no_dict": {"__metadata__": [], "a": entry(0, 8, (2,))},
        "metadata_text": {"__metadata__": "x", "a": entry(0, 8, (2,))},
        "deep": b'{"a":' + b"[" * 200_000 + b"}",
        "no_json": b"{hello",
        "list": b"{}"[:1] + b'"a": [1, 2]}',
        "empty": {},
    }.items(),
    ids=lambda item: item[0],
)
def test_hostile_safetensors_headers(tmp_path: Path, header: tuple[str, object]) -> None:
    refused(safetensors_file(tmp_path / "x.safetensors", header[1], bytes(8)))


@pytest.mark.parametrize("length", [1 << 63, 1 << 40, 5 << 20, 1000])
def test_safetensors_header_length_bomb(tmp_path: Path, length: int) -> None:
    assert "header" in refused(safetensors_file(tmp_path / "x.safetensors", {"a": entry(0, 4)}, bytes(4), length))


def test_archives_of_objects(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return eval, (f"open({str(tmp_path / 'canary')!r}, 'w')",)

    np.savez(tmp_path / "x.npz", trap=np.array([Trap()], dtype=object))
    assert "plain numbers" in refused(tmp_path / "x.npz")
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }",
        "{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }",
        "{'descr': __import__('os'), 'fortran_order': False, 'shape': (1,), }",
        "(" * 5000,
        "",
    ],
)
def test_hostile_npy_headers(tmp_path: Path, header: str) -> None:
    packed = header.encode()
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("a.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(packed)) + packed + bytes(4))
    refused(tmp_path / "x.npz")


def test_zip_bomb_of_arrays(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for index in range(3):
            archive.writestr(f"{index}.npy", bytes(32 << 20))
    assert "unfolds" in refused(tmp_path / "x.npz")


def test_paddle_arrays_that_lie(tmp_path: Path) -> None:
    honest = pickle.dumps({"net": {"w": np.ones((2, 3), np.float32)}}, protocol=2)
    assert load_pdparams(tmp_path, honest).shape == (2, 3)
    lies = (
        honest.replace(b"K\x02K\x03\x86", b"K\x09K\x09\x86"),
        honest.replace(b"X\x02\x00\x00\x00f4", b"X\x02\x00\x00\x00O8"),
        honest.replace(b"X\x01\x00\x00\x00<", b"X\x01\x00\x00\x00>"),
        pickle.dumps({"net": {"w": np.array([{}], dtype=object)}}, protocol=2),
        pickle.dumps({"net": {"w": np.ones(2, [("a", "f4")])}}, protocol=2),
    )
    for index, data in enumerate(lies):
        assert data != honest
        (tmp_path / f"{index}.pdparams").write_bytes(data)
        refused(tmp_path / f"{index}.pdparams")


def load_pdparams(folder: Path, data: bytes) -> torch.Tensor:
    (folder / "honest.pdparams").write_bytes(data)
    return load_networks(folder / "honest.pdparams").states["net"]["w"]


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"hello, I am not a checkpoint\n" * 9, "something else"),
        (b"<!DOCTYPE html><html><title>Virus scan warning</title></html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "a Git LFS pointer"),
        (bytes(257) + b"ustar" + bytes(500), "a tar archive"),
        (b"PK\x03\x04", "damaged"),
        (b"\x80", "something else"),
        (b"cos\nsystem\n(S'true'\ntR.", "something else"),
    ],
)
def test_files_that_are_no_weights(tmp_path: Path, content: bytes, word: str) -> None:
    (tmp_path / "vox-cpk.pth.tar").write_bytes(content)
    assert word in refused(tmp_path / "vox-cpk.pth.tar")


def test_missing_file_and_empty_folder(tmp_path: Path) -> None:
    assert "no such weight file" in refused(tmp_path / "absent.pth")
    assert "generator.npz" in refused(tmp_path)


@pytest.mark.parametrize("seed", range(4))
def test_random_damage_gives_weights_or_an_error(tmp_path: Path, published: object, seed: int) -> None:
    """A few hundred files with bytes changed at random: never another exception."""
    rng = np.random.default_rng(seed)
    torch.save(published, tmp_path / "x.pth", _use_new_zipfile_serialization=seed % 2 == 0)
    data = np.frombuffer((tmp_path / "x.pth").read_bytes(), np.uint8)
    for _ in range(60):
        changed = data.copy()
        places = rng.integers(0, min(len(data), 4000), 4)
        changed[places] = rng.integers(0, 256, 4)
        (tmp_path / "x.pth").write_bytes(changed.tobytes())
        try:
            load_networks(tmp_path / "x.pth")
        except WeightsError as error:
            assert "\n" not in str(error)


ENDLESS = 1 << 40  # rows of an array without columns, which takes no bytes


def _empty_torch(path: Path, zipped: bool) -> Path:
    body = tensor_pickle(0, 0, (ENDLESS, 0), (0, 1))
    if zipped:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", PROTO + body)
            archive.writestr("archive/data/0", b"")
    else:
        path.write_bytes(LEGACY_HEAD + PROTO + body + pickle.dumps(["0"], 2) + struct.pack("<q", 0))
    return path


def _empty_npy(shape: str) -> bytes:
    packed = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(packed)) + packed


def _empty_paddle(path: Path) -> Path:
    honest = pickle.dumps({"net": {"w": np.ones((2, 0), np.float32)}}, protocol=3)
    path.write_bytes(honest.replace(b"K\x02K\x00\x86", b"\x8a\x06" + ENDLESS.to_bytes(6, "little") + b"K\x00\x86"))
    return path


def _empty_npz(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", _empty_npy(f"({ENDLESS}, 0)"))
    return path


EMPTY = {
    "torch-zip": lambda folder: _empty_torch(folder / "x.pt", True),
    "torch-legacy": lambda folder: _empty_torch(folder / "x.pth", False),
    "safetensors": lambda folder: safetensors_file(
        folder / "x.safetensors", {"a": {"dtype": "F32", "shape": [ENDLESS, 0], "data_offsets": [0, 0]}}, b""
    ),
    "npz": lambda folder: _empty_npz(folder / "x.npz"),
    "paddle": lambda folder: _empty_paddle(folder / "x.pdparams"),
}


def test_every_kind_of_file_is_among_the_empty_ones() -> None:
    assert EMPTY.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", sorted(EMPTY))
def test_tensors_of_endless_rows_that_take_no_bytes(tmp_path: Path, kind: str) -> None:
    assert f"({ENDLESS}, 0) is empty" in refused(EMPTY[kind](tmp_path))


def test_arrays_of_endless_rows_in_the_other_formats(tmp_path: Path) -> None:
    (tmp_path / "x.npy").write_bytes(_empty_npy(f"({ENDLESS}, 0)"))
    with pytest.raises(WeightsError, match="is empty"):
        map_npy(tmp_path / "x.npy")
    with pytest.raises(WeightsError, match="is empty"):
        read_arrays(_empty_npz(tmp_path / "x.npz"))
