"""Conversion there and back keeps every bit, through the script as well."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import torch

from talkingface.errors import WeightsError
from talkingface.weights.convert import convert
from talkingface.weights.load import load_networks

from .conftest import States, assert_equal_states

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "convert_checkpoint.py"


def test_there_and_back_is_exact(tmp_path: Path, states: States, published: object) -> None:
    torch.save(published, tmp_path / "vox-cpk.pth.tar", _use_new_zipfile_serialization=False)
    convert(tmp_path / "vox-cpk.pth.tar", tmp_path / "vox.safetensors")
    ours = load_networks(tmp_path / "vox.safetensors", model="FOM")
    assert ours.metadata == {"format": "talkingface/1", "model": "FOM"}
    assert_equal_states(ours.states, states)
    convert(tmp_path / "vox.safetensors", tmp_path / "back.pth.tar")
    assert_equal_states(torch.load(tmp_path / "back.pth.tar", weights_only=True), states)


def test_half_precision(tmp_path: Path, states: States, published: object) -> None:
    torch.save(published, tmp_path / "x.pth")
    convert(tmp_path / "x.pth", tmp_path / "x.safetensors", half=True)
    state = load_networks(tmp_path / "x.safetensors").states["generator"]
    assert torch.equal(state["first.conv.weight"], states["generator"]["first.conv.weight"].half())


def test_networks_of_several_files_come_into_one(tmp_path: Path, states: States) -> None:
    torch.save({"kp_detector": states["kp_detector"]}, tmp_path / "a.pth")
    torch.save({name: states[name] for name in ("generator", "discriminator")}, tmp_path / "b.pth")
    convert([tmp_path / "a.pth", tmp_path / "b.pth"], tmp_path / "x.safetensors")
    assert_equal_states(load_networks(tmp_path / "x.safetensors", model="FOM").states, states)
    torch.save({"net_recon": {"backbone.conv1.weight": torch.zeros(1, 1, 1, 1)}}, tmp_path / "c.pth")
    with pytest.raises(WeightsError, match="the files are of 'Deep3D' and 'FOM'"):
        convert([tmp_path / "a.pth", tmp_path / "c.pth"], tmp_path / "y.safetensors")


def test_output_must_be_another_file_with_a_known_ending(tmp_path: Path, published: object) -> None:
    torch.save(published, tmp_path / "x.pth")
    with pytest.raises(WeightsError, match="the file to read"):
        convert(tmp_path / "x.pth", tmp_path / "x.pth")
    with pytest.raises(WeightsError, match=r"no known ending '\.zip'"):
        convert(tmp_path / "x.pth", tmp_path / "x.zip")
    convert(tmp_path / "x.pth", tmp_path / "x.zip", to="published")
    assert load_networks(tmp_path / "x.zip").model == "FOM"


def test_failed_conversion_leaves_the_old_output(tmp_path: Path) -> None:
    (tmp_path / "x.pth").write_bytes(b"nonsense")
    (tmp_path / "out.safetensors").write_bytes(b"precious")
    with pytest.raises(WeightsError):
        convert(tmp_path / "x.pth", tmp_path / "out.safetensors")
    assert (tmp_path / "out.safetensors").read_bytes() == b"precious"


def test_script(tmp_path: Path, published: object, capsys: pytest.CaptureFixture[str]) -> None:
    main = runpy.run_path(str(SCRIPT))["main"]
    torch.save(published, tmp_path / "x.pth")
    words = [str(tmp_path / "x.pth"), str(tmp_path / "o.safetensors"), "--model"]
    assert main([*words, "FOM"]) == 0
    assert "generator: 3 tensors" in capsys.readouterr().out
    assert main([*words, "SadTalker"]) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1 and "--model=SadTalker" in message
