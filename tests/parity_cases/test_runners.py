"""Runners take any case of their kind, and a case that cannot be run does not end the check."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder
from torch import nn

from parity import Case, Status, deviations, read_case, run_case
from parity.case import number
from parity.draw import draw_inputs
from parity.run import find_runner
from parity.runners.styleheat_data import audio_window
from parity.runners.styleheat_losses import discriminator_of
from parity.runners.styleheat_networks import STAGES, encoder_structure, frame_windows, ir_stages
from talkingface.errors import DataError

HERE = Path(__file__).parent
CLONE = HERE.parents[1]


def with_inputs(case: Case, **inputs: list[object]) -> Case:
    """The case with inputs of these values in place of its own."""
    specs = {
        name: {"shape": list(np.shape(values)), "dist": "values", "values": values} for name, values in inputs.items()
    }
    return replace(case, input_specs=specs)


def suffixed(case: Case, suffix: str) -> Case:
    """The case with the same inputs under other names."""
    specs = {
        f"{name}{suffix}": {"shape": array.shape, "dtype": str(array.dtype), "dist": "values", "values": array}
        for name, array in draw_inputs(case.input_specs).items()
    }
    return replace(case, input_specs=specs)


@pytest.mark.parametrize(
    "name",
    [
        "deep3d/bfm-geometry",
        "deep3d/training-losses",
        "fom/discriminator-multiscale",
        "fom/normalize-kp",
        "fom/variant-zero-order",
        "sadtalker/facerender-data",
        "sadtalker/get-data",
        "sadtalker/keypoint-transformation",
        "sadtalker/mapping-70",
        "sadtalker/paste-back",
        "sadtalker/refpose",
        "styleheat/flow-ops",
        "styleheat/gan-loss",
        "styleheat/ir-blocks",
        "styleheat/latent-edit",
        "styleheat/stylegan2-d-losses-r1",
    ],
)
def test_inputs_may_carry_a_suffix(name: str):
    case = suffixed(read_case(HERE / name), "_b")
    outputs = {name: value.detach().numpy() for name, value in find_runner(case.kind)(case).items()}
    assert [found for found in deviations(case, outputs) if not found.passed] == []


def test_input_of_a_name_is_not_that_of_a_longer_one():
    case = with_inputs(
        read_case(HERE / "fom" / "kp2gaussian"), yaw_b=[1.0], yaw_in_b=[2.0], starts_200=[3.0], lm_c5=[4.0], lm_d=[5.0]
    )
    assert [case.input(name).item() for name in ("yaw", "yaw_in", "starts_200", "lm_c")] == [1, 2, 3, 4]
    assert not case.has("starts_20")
    with pytest.raises(DataError, match="2 inputs begin with 'lm_'"):
        case.input("lm_")


def test_numbers_of_a_call():
    assert [number(text) for text in ("-5", "0.45", "-20/3", "pi/10")] == [-5, 0.45, -20 / 3, np.pi / 10]


def test_networks_of_one_table_are_loaded_strictly():
    case = read_case(HERE / "fom" / "kp2gaussian")
    weight = {"shape": [2, 2], "dist": "normal"}
    first, second = nn.Module(), nn.Module()
    first.a, second.b = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
    replace(case, weight_specs={"a.weight": weight, "b.weight": weight}).load_together(first, second)
    assert not torch.equal(first.a.weight, second.b.weight)
    with pytest.raises(DataError, match=r"lacks \['c.weight'\]"):
        replace(case, weight_specs={name: weight for name in ("a.weight", "b.weight", "c.weight")}).load_together(
            first, second
        )


def test_discriminator_has_the_size_of_its_weights():
    names = [f"convs.{index}.{part}" for index, part in enumerate(("0.weight", "conv1.0.weight", "conv1.0.weight"))]
    specs = {name: {"shape": [512, 3, 1, 1]} for name in names}
    structure = discriminator_of(replace(read_case(HERE / "fom" / "kp2gaussian"), weight_specs=specs)).structure
    assert (structure.size, structure.channels(16)) == (16, 512)


def test_settings_that_we_do_not_have_are_refused():
    case = read_case(HERE / "fom" / "kp2gaussian")
    with pytest.raises(DataError, match=r"use_spect True is not supported, only False"):
        case.require({"use_spect": True, "layer": 3}, {"use_spect": False})
    with pytest.raises(DataError, match="34 layers"):
        ir_stages(case, 34, "ir_se")
    assert [sum(blocks) for blocks in STAGES.values()] == [24, 49, 50]
    assert encoder_structure(case, 50, "ir_se", 256).codes == 14


def test_frames_are_those_that_the_call_and_the_outputs_name():
    source, targets = torch.arange(73.0) / 10, torch.arange(2 * 73.0).view(2, 73)
    outputs = {"ix": {}, "cross_frame1": {}, "expression_only_frame0": {}, "tilt": {}}
    case = replace(
        with_inputs(
            read_case(HERE / "fom" / "kp2gaussian"), source_coeff_b=[source.tolist()], target_coeffs_b=targets.tolist()
        ),
        outputs=outputs,
        call="tilt: source_coeff_b repeated 27 times with rows 64:67 = (0, -pi/8,0.5).",
    )
    found = frame_windows(case)
    assert set(found) == {"cross_frame1", "expression_only_frame0", "tilt"}
    assert torch.equal(found["cross_frame1"][0, :, [0, 12, 13, 26]].T, targets[[0, 0, 1, 1]])
    assert torch.equal(found["expression_only_frame0"][0, 64:, 26], source[64:])
    assert torch.equal(found["expression_only_frame0"][0, :64, 26], targets[1, :64])
    assert found["tilt"][0, 63:68, 5].tolist() == pytest.approx([6.3, 0, -np.pi / 8, 0.5, 6.7])


def test_windows_of_sound_begin_before_their_frame_and_end_with_the_sound():
    names = ("step16.frame0", "step16.frame5", "step16.frame9")
    case = replace(
        with_inputs(read_case(HERE / "styleheat" / "audio-window"), mel=[[float(row)] * 80 for row in range(20)]),
        outputs={name: {} for name in names},
    )
    found = torch.stack(list(audio_window(case).values()))
    assert found.shape == (3, 80, 16)
    assert [window[0, 0].item() for window in found] == [0, 9, 22 - 3]
    assert found[1, 0, -1] == 19


def broken(to: Path) -> Path:
    """A case whose build lacks what its runner needs."""
    folder = HERE / "fom" / "kp2gaussian"
    text = json.loads((folder / "case.json").read_text())
    (to / "case.json").write_text(json.dumps({**text, "build": {}}))
    (to / "expected.npz").write_bytes((folder / "expected.npz").read_bytes())
    return to


def test_what_a_runner_raises_is_in_its_report(tmp_path: Path):
    report = run_case(broken(tmp_path))
    assert report.status is Status.FAILED
    assert report.fault.startswith("KeyError: 'params' (fom.py:")


def test_check_goes_on_after_cases_that_cannot_be_run_from_any_folder(tmp_path: Path):
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    broken(tmp_path / "a")
    (tmp_path / "b" / "case.json").write_text("{")
    for name in ("case.json", "expected.npz"):
        (tmp_path / "c" / name).write_bytes((HERE / "fom" / "kp2gaussian" / name).read_bytes())
    check = [sys.executable, str(CLONE / "scripts" / "check_parity.py"), "--root", "."]
    run = subprocess.run(check, cwd=tmp_path, env={"PATH": ""}, capture_output=True, text=True, check=False)
    lines = run.stdout.splitlines()
    assert [line.split()[:2] for line in lines[:3]] == [["FAILED", "a"], ["FAILED", "b"], ["ok", "c"]]
    assert "KeyError: 'params'" in lines[0]
    assert "not a parity case" in lines[1]
    assert (lines[3], run.returncode, run.stderr) == ("1 ok, 2 FAILED, 0 not covered", 1, "")


def test_wheel_leaves_the_runners_out_and_the_source_archive_has_them():
    wheel, archive = (
        {file.distribution_path for file in builder(str(CLONE)).recurse_included_files()}
        for builder in (WheelBuilder, SdistBuilder)
    )
    assert not [name for name in wheel if not name.startswith("talkingface/")]
    assert {"parity/run.py", "parity/runners/fom.py", "scripts/check_parity.py"} <= archive
