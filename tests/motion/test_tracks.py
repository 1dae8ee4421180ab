"""Tracks made by hand: they meet what they are asked to meet."""

from __future__ import annotations

import torch

from talkingface.motion.tracks import HEAD_POSES, expression_track, glide, rotation_track


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
