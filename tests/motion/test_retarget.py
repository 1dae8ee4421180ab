"""Rows fitted to a source: what changes, and what is left alone."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch

from talkingface.errors import MotionError
from talkingface.motion.coefficients import LAYOUT_73
from talkingface.motion.retarget import (
    carry_change,
    crop_scale_ratio,
    expression_only,
    fit_crop_scale,
    nearest_frame,
    retarget_coefficients,
)
from talkingface.types import Motion


def rows(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 73, generator=torch.Generator().manual_seed(seed))


def test_the_nearest_frame_is_the_one_that_equals_the_source() -> None:
    targets = rows(9)
    source = targets[4:5].clone()
    source[:, LAYOUT_73.crop] += 5
    assert nearest_frame(source, targets) == 4
    targets[4, 70], source[0, 70] = 0.5, 0.75
    assert crop_scale_ratio(source, targets).tolist() == [1.5]


def test_fitting_the_crop_touches_the_scale_alone() -> None:
    source, targets = rows(1, 1), rows(6)
    before = targets.clone()
    fitted = fit_crop_scale(source, targets)
    assert torch.equal(targets, before)
    ratio = crop_scale_ratio(source, targets)
    assert torch.equal(fitted[:, 70], targets[:, 70] * ratio)
    others = [column for column in range(73) if column != 70]
    assert torch.equal(fitted[:, others], targets[:, others])


def test_expression_only_keeps_the_head_still() -> None:
    source, targets = rows(1, 1), rows(6)
    edited = expression_only(source, targets)
    assert torch.equal(edited[:, :64], targets[:, :64])
    assert torch.equal(edited[:, 64:], source[:, 64:].expand(6, -1))
    assert torch.equal(targets, rows(6))


def test_the_frame_of_reference_is_the_source_itself() -> None:
    source, targets = rows(1, 1), rows(6)
    carried = carry_change(source, targets, 2, 1.5)
    assert torch.equal(carried[2:3], source)
    change = targets - targets[2]
    assert torch.allclose(
        carried[:, LAYOUT_73.exp] - source[:, LAYOUT_73.exp], 1.5 * change[:, LAYOUT_73.exp], atol=1e-5
    )
    assert torch.allclose(carried[:, LAYOUT_73.pose] - source[:, LAYOUT_73.pose], change[:, LAYOUT_73.pose], atol=1e-5)


def test_a_motion_without_frames_or_of_another_kind_drives_nothing() -> None:
    source = Motion("3dmm.73", Fraction(25), {"coefficients": rows(1)})
    for other in (Motion("fom.kp10", Fraction(25), {"value": rows(3)}), Motion("3dmm.73", Fraction(25))):
        with pytest.raises(MotionError, match="do not drive"):
            retarget_coefficients(source, other, {})
