"""Rows fitted to a source: what changes, and what is left alone."""

from __future__ import annotations

import torch

from talkingface.motion.coefficients import LAYOUT_73
from talkingface.motion.retarget import crop_scale_ratio, expression_only, fit_crop_scale, nearest_frame


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
