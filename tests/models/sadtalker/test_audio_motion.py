"""Numbers beside the networks: smoothing, blinks, key angles, rows."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from talkingface.models.sadtalker.voice.speech import (
    BLINK,
    add_motion,
    blinks,
    loop,
    random_blinks,
    reference_rows,
    smooth_poses,
)
from talkingface.motion.coefficients import LAYOUT_73
from talkingface.motion.tracks import spread_angles

EXPRESSION, POSE = LAYOUT_73.exp, LAYOUT_73.pose


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draws(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=seeded(seed))


@pytest.mark.parametrize("frames", [3, 4, 5, 12, 13, 14, 40])
def test_smoothing_keeps_parabolas(frames: int):
    time = torch.linspace(-1, 1, frames)[:, None]
    parabolas = torch.cat([0.3 + time, 2 * time**2 - time], 1)
    torch.testing.assert_close(smooth_poses(parabolas), parabolas, rtol=0, atol=1e-6)


@pytest.mark.parametrize("frames", [1, 2])
def test_too_few_frames_to_smooth_stay(frames: int):
    poses = draws(frames, 6)
    smoothed = smooth_poses(poses)
    assert torch.equal(smoothed, poses) and smoothed.data_ptr() != poses.data_ptr()


def test_smoothing_quietens_noise():
    """The middle weights of a parabola over 13 frames leave 25/143 of the variance of white noise."""
    noise = draws(20_000, 1)
    assert smooth_poses(noise)[6:-6].var().item() == pytest.approx(25 / 143, rel=0.05)


@pytest.mark.parametrize("frames", [0, 1, 20])
def test_short_clips_have_no_blink(frames: int):
    closed = random_blinks(frames, seeded(0))
    assert closed.shape == (frames, 1) and not closed.any()


def starts(closed: Tensor) -> list[int]:
    """Frames where the eyes begin to close; whole blinks are checked on the way."""
    shut = torch.nonzero(closed[:, 0])[:, 0].tolist()
    begun = shut[:: len(BLINK)]
    for start in begun:
        assert torch.equal(closed[start : start + len(BLINK), 0], torch.tensor(BLINK))
    assert len(shut) == len(BLINK) * len(begun)
    return begun


@pytest.mark.parametrize("frames", range(21, 200))
def test_blinks_are_whole_with_pauses_between_them_and_open_eyes_at_the_end(frames: int):
    closed = random_blinks(frames, seeded(frames))
    pauses = [after - before - len(BLINK) for before, after in pairwise([-len(BLINK), *starts(closed)])]
    assert all(10 <= pause < max(min(frames // 2, 70), 11) for pause in pauses)
    assert closed[-1] == 0 and (frames > 70 or pauses)


def test_people_blink_every_two_seconds():
    frames = 25 * 3600
    pauses = torch.tensor([after - before for before, after in pairwise(starts(random_blinks(frames, seeded(7))))])
    # Pauses of 10 to 69 frames and 5 for the blink: 44.5 on average.
    assert pauses.float().mean().item() == pytest.approx(44.5, rel=0.03)
    assert set(pauses.tolist()) == set(range(15, 75))


def test_the_seed_decides():
    first, same, other = (random_blinks(300, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, same) and not torch.equal(first, other)


def test_given_pauses_are_used_until_one_does_not_fit():
    assert starts(blinks(30, [10, 8, 1])) == [10, 23]
    assert starts(blinks(28, [10, 8, 1])) == [10]
    assert starts(blinks(15, iter([10]))) == []


def test_one_angle_stays():
    assert spread_angles([12], 5).tolist() == [12] * 5
    assert spread_angles([12, 12, 12], 5).tolist() == [12] * 5
    assert spread_angles([12, 40], 1).tolist() == [12]


def test_angles_turn_at_one_speed():
    track = spread_angles([-20, 30, 10], 71)
    assert len(track) == 71 and track[0] == -20 and track[50] == 30
    torch.testing.assert_close(track.diff().abs()[:-1], torch.ones(69), rtol=0, atol=1e-5)
    assert abs(track[-1] - 10) <= 1
    torch.testing.assert_close(track, spread_angles([-20, -20, 30, 30, 10, 10], 71))


@pytest.mark.parametrize("frames", [1, 2, 3, 10, 999])
@pytest.mark.parametrize("keys", [[0], [0, 10], [30, -30, 30], [0.5, 0.25, 90, 90, -17]])
def test_angles_fill_the_clip_and_stay_between_the_keys(keys: list[float], frames: int):
    track = spread_angles(keys, frames)
    assert track.shape == (frames,) and track[0] == keys[0]
    assert track.min() >= min(keys) and track.max() <= max(keys)


def test_no_angle_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="no angle"):
        spread_angles([], 5)


def test_rows_are_looped_and_cut():
    rows = torch.arange(3)[:, None]
    assert loop(rows, 7)[:, 0].tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert loop(rows, 2)[:, 0].tolist() == [0, 1]


@pytest.mark.parametrize("width", [70, 73])
def test_eyes_of_a_video_replace_the_expression_of_the_reference(width: int):
    source, video = draws(1, width), draws(4, width, seed=1)
    plain, borrowed = reference_rows(source, 6), reference_rows(source, 6, video)
    assert plain.shape == borrowed.shape == (6, 70) and (plain == source[:, :70]).all()
    assert torch.equal(borrowed[:, EXPRESSION], video[[0, 1, 2, 3, 0, 1], EXPRESSION])
    assert torch.equal(borrowed[:, POSE], plain[:, POSE])


def test_borrowed_motion_is_relative_to_its_first_frame():
    rows, video = draws(5, 70), draws(3, 73, seed=1)
    moved = add_motion(rows, video)
    assert torch.equal(moved[[0, 3]], rows[[0, 3]]) and torch.equal(moved[:, EXPRESSION], rows[:, EXPRESSION])
    torch.testing.assert_close(moved[4, POSE] - rows[4, POSE], video[1, POSE] - video[0, POSE])
