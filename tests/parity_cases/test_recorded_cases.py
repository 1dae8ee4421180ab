"""The recorded cases beside this file, and proof that the comparison can fail."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from parity import Deviation, Report, Status, deviations, find_cases, read_case, run_case
from parity.draw import draw, draw_inputs
from parity.run import find_runner
from talkingface.errors import DataError

HERE = Path(__file__).parent
CASES = find_cases(HERE)


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_case_passes(folder: Path):
    report = run_case(folder)
    assert report.status is Status.PASSED, [deviation for deviation in report.deviations if not deviation.passed]


def test_training_step_agrees_in_float64():
    report = run_case(HERE / "fom" / "train-losses-small", torch.float64)
    assert report.status is Status.PASSED
    assert max(deviation.tolerance for deviation in report.deviations) == 1e-5


@pytest.fixture
def small() -> Path:
    return HERE / "fom" / "kp2gaussian"


def test_wrong_numbers_missing_outputs_and_wrong_shapes_fail(small: Path):
    case = read_case(small)
    outputs = {name: value.numpy() for name, value in find_runner(case.kind)(case).items()}
    assert all(deviation.passed for deviation in deviations(case, outputs))
    name = "gaussian_24x32"
    for changed in (outputs[name] * 1.001, outputs[name][:1], outputs[name] * np.nan):
        found = {deviation.output: deviation.passed for deviation in deviations(case, {**outputs, name: changed})}
        assert found.pop(name) is False
        assert all(found.values())
    assert not all(deviation.passed for deviation in deviations(case, {}))


def test_the_other_align_corners_is_noticed(tmp_path: Path):
    folder = copy_case(HERE / "fom" / "transform", tmp_path, align_corners=True)
    report = run_case(folder)
    assert [deviation.output for deviation in report.deviations if not deviation.passed] == ["frame"]


def test_align_corners_is_read_from_the_case():
    assert read_case(HERE / "fom" / "vox-256-generator-torch1").align_corners
    assert not read_case(HERE / "fom" / "transform").align_corners


def test_unknown_kind_is_not_covered(tmp_path: Path, small: Path):
    assert run_case(copy_case(small, tmp_path, kind="fom/unheard-of")).status is Status.NOT_COVERED
    assert find_runner("nobody/generator") is None


def test_unreadable_case_is_a_typed_error(tmp_path: Path):
    (tmp_path / "case.json").write_text("{}")
    with pytest.raises(DataError, match="not a parity case"):
        read_case(tmp_path)


def test_arrays_follow_from_their_names_alone():
    spec = {"shape": [2, 3], "dist": "normal", "mean": 2.0, "std": 0.5}
    assert np.array_equal(draw("a", spec), draw("a", spec))
    assert not np.array_equal(draw("a", spec), draw("b", spec))
    assert np.array_equal(draw_inputs({"a": spec})["a"], draw("input:a", spec))
    assert draw("a", spec).dtype == np.float32
    # The first number of PCG64 seeded with crc32(b"a") = 0xE8B7BE43, from NumPy's own generator.
    first = np.random.Generator(np.random.PCG64(0xE8B7BE43)).standard_normal(6)[0]
    assert draw("a", spec)[0, 0] == np.float32(2 + 0.5 * first)


def copy_case(folder: Path, to: Path, *, kind: str | None = None, align_corners: bool | None = None) -> Path:
    """A changed copy of a case."""
    text = json.loads((folder / "case.json").read_text())
    text["kind"] = kind or text["kind"]
    if align_corners is not None:
        text["build"]["align_corners"] = align_corners
    (to / "case.json").write_text(json.dumps(text))
    (to / "expected.npz").write_bytes((folder / "expected.npz").read_bytes())
    return to


def test_an_output_that_has_to_be_exact_counts_as_the_worst_only_when_it_is_off():
    exact, off, near = (
        Deviation(name, error, tolerance) for name, error, tolerance in (("a", 0, 0), ("b", 1e-9, 0), ("c", 1e-5, 1e-4))
    )
    assert Report(HERE, Status.PASSED, (exact, near)).worst is near
    assert Report(HERE, Status.FAILED, (exact, near, off)).worst is off
