"""Edits of rows: what they change, and what they leave alone."""

from __future__ import annotations

import torch

from talkingface.motion.columns import ROW_73
from talkingface.motion.edits import (
    HEAD_POSES,
    crop_scale_ratio,
    expression_only,
    expression_track,
    fit_crop_scale,
    glide,
    nearest_frame,
    rotation_track,
)


def rows(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 73, generator=torch.Generator().manual_seed(seed))


def test_the_nearest_frame_is_the_one_that_equals_the_source() -> None:
    targets = rows(9)
    source = targets[4:5].clone()
    source[:, ROW_73.crop] += 5
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


def test_a_glide_meets_its_targets_in_even_steps() -> None:
    start, one, two = torch.zeros(2), torch.tensor([1.0, 2.0]), torch.tensor([0.0, -2.0])
    track = glide(start, [one, two], 5)
    assert torch.equal(track[0], start)
    assert torch.equal(track[4], one)
    assert torch.equal(track[9], two)
    assert torch.allclose(track[1:5] - track[:4], (one / 4).expand(4, 2))


def test_the_rotation_track_goes_each_way_and_ends_in_the_middle() -> None:
    track = rotation_track(4)
    assert track.shape == (48, 6)
    assert torch.equal(track[-1], torch.tensor(HEAD_POSES["rotation_center"]))
    assert torch.equal(track[:, :3].amax(0), -track[:, :3].amin(0))
    assert track[:, 5].unique().tolist() == [torch.tensor(0.45).item()]


def test_the_expression_track_visits_the_expressions_in_order() -> None:
    expressions = {name: torch.full((64,), float(i)) for i, name in enumerate(("center", "mouth", "eyebrow", "eyes"))}
    track = expression_track(torch.full((64,), 9.0), expressions, 3)
    assert track[2::3, 0].tolist() == [0, 1, 0, 2, 0, 3, 0]
    assert track[0, 0] == 9
