"""Codes are moved by as much as asked for, whatever they were, and only where asked for."""

from __future__ import annotations

import pytest
import torch

from talkingface.errors import ShapeError
from talkingface.models.styleheat.edits.attributes import Components, Target, move_along


@pytest.fixture
def components() -> Components:
    torch.manual_seed(0)
    directions = torch.linalg.qr(torch.randn(6, 3)).Q.T[:, None]
    return Components(torch.randn(1, 6), directions, torch.tensor([0.5, 1.0, 2.0]))


def test_places_do_not_depend_on_where_codes_were(components):
    codes = torch.randn(2, 1, 6).expand(-1, 4, -1)
    moved = components.place(codes, Target(1, slice(0, 3)), -3)
    places = (moved - components.mean) @ components.directions[:, 0].T / components.deviations
    before = (codes - components.mean) @ components.directions[:, 0].T / components.deviations
    assert torch.allclose(places[:, :3, 1], torch.tensor(-3.0), atol=1e-5)
    assert torch.allclose(places[..., [0, 2]], before[..., [0, 2]], atol=1e-5)
    assert torch.equal(moved[:, 3:], codes[:, 3:])


def test_what_is_not_there_is_refused(components):
    for target in (Target(3, slice(0, 1)), Target(0, slice(3, 5))):
        with pytest.raises(ShapeError, match="asked for"):
            components.place(torch.zeros(1, 4, 6), target, 1)


def test_there_and_back(components):
    codes, direction = torch.randn(2, 4, 6), torch.randn(1, 4, 6)
    assert torch.allclose(move_along(move_along(codes, direction, 5), direction, -5), codes, atol=1e-5)
