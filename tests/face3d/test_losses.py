"""Losses and augmentation: what makes them small, and that mirroring twice is nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from talkingface.face3d.deep import ReconNet
from talkingface.face3d.fit import training as losses
from talkingface.face3d.fit.recognition import PLACES, cut_identity, identity_matrix
from talkingface.face3d.fit.training import MIRROR_68, Move

RANDOM = np.random.default_rng(8)


def test_losses_vanish_on_what_they_ask_for() -> None:
    picture, mask = torch.rand(2, 3, 8, 8), torch.ones(2, 1, 8, 8)
    assert losses.photometric_loss(picture, picture, mask) == pytest.approx(1e-3)
    assert losses.photometric_loss(picture, 1 - picture, 0 * mask) == 0
    features = torch.randn(3, 16)
    assert losses.identity_loss(features, 2 * features) == pytest.approx(0, abs=1e-6)
    assert losses.identity_loss(features, -features) == pytest.approx(2)
    rows = torch.zeros(2, 257)
    rows[:, 227:254] = torch.arange(9.0).repeat(3)
    assert losses.gamma_loss(rows) == 0 and losses.coefficient_loss(rows) == 0
    assert losses.reflectance_loss(torch.full((1, 5, 3), 0.4), torch.ones(5)) == 0


def test_landmarks_of_nose_and_lips_count_twenty_times() -> None:
    points = torch.zeros(1, 68, 2)
    for index, weight in ((0, 1), (28, 20), (30, 20), (31, 1), (59, 1), (60, 20), (67, 20)):
        moved = points.clone()
        moved[0, index, 0] = 2.0
        assert losses.landmark_loss(moved, points) == pytest.approx(weight * 4 / 68)


def test_a_mirrored_face_keeps_the_meaning_of_its_points() -> None:
    assert sorted(MIRROR_68) == list(range(68))
    np.testing.assert_array_equal(MIRROR_68[MIRROR_68], np.arange(68))
    points = RANDOM.uniform(40, 180, (68, 2))
    mirror = Move(mirror=True)
    np.testing.assert_allclose(mirror.landmarks(mirror.landmarks(points, (224, 224)), (224, 224)), points)
    # The left eye of the mirrored picture is the right eye of the picture.
    np.testing.assert_allclose(mirror.landmarks(points, (224, 224))[36], [224 - points[45, 0], points[45, 1]])


def test_moves_are_drawn_within_their_ranges_and_follow_from_the_seed() -> None:
    drawn = [Move.draw(np.random.default_rng(seed)) for seed in range(200)]
    assert drawn == [Move.draw(np.random.default_rng(seed)) for seed in range(200)]
    shifts = np.array([move.shift for move in drawn])
    assert shifts.min() == -10 and shifts.max() == 10
    assert 0.9 <= min(move.scale for move in drawn) < 0.92 and 1.08 < max(move.scale for move in drawn) <= 1.1
    assert max(abs(move.degrees) for move in drawn) <= 10
    assert 60 < sum(move.mirror for move in drawn) < 140


@pytest.mark.parametrize("degrees", [-40.0, 0.0, 25.0])
def test_the_recognition_crop_undoes_turn_scale_and_shift(degrees: float) -> None:
    angle = np.radians(degrees)
    turn = 1.7 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = PLACES @ turn.T + (30, 12)
    matrix = identity_matrix(points)
    np.testing.assert_allclose(points @ matrix[:, :2].T + matrix[:, 2], PLACES, atol=1e-9)
    assert np.linalg.det(identity_matrix(PLACES * (-1, 1) + (112, 0))[:, :2]) > 0
    np.testing.assert_array_equal(identity_matrix(np.ones((5, 2))), np.eye(3)[:2])


def test_the_recognition_crop_moves_whole_pixels_exactly() -> None:
    picture = torch.rand(1, 3, 120, 130, requires_grad=True)
    matrix = torch.tensor([[[1.0, 0, -7], [0, 1, -5]]])
    found = cut_identity(picture, matrix)
    torch.testing.assert_close(found, picture[:, :, 5:117, 7:119], atol=1e-4, rtol=0)
    found.sum().backward()
    assert picture.grad is not None and picture.grad[0, 0, 60, 60] == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(("backbone", "entries"), [("resnet18", 120 + 14), ("resnet50", 332)])
def test_an_untrained_network_shows_the_mean_face(backbone: str, entries: int) -> None:
    network = ReconNet(backbone).eval()
    assert len(network.state_dict()) == entries
    with torch.no_grad():
        assert not network(torch.rand(1, 3, 224, 224)).any()


def test_the_other_variant_ends_in_one_layer() -> None:
    network = ReconNet("resnet18", use_last_fc=True).eval()
    names = set(network.state_dict())
    assert {"backbone.fc.weight", "backbone.fc.bias"} <= names and not any("final" in name for name in names)
    with torch.no_grad():
        assert network(torch.rand(2, 3, 224, 224)).shape == (2, 257)
