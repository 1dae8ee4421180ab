"""Finding the subject by the agreement of crops, with a detector that can be written down: three coloured spots."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from talkingface.models.fom.locate import (
    ENOUGH,
    MARGIN,
    candidates,
    confirm,
    cut,
    implied_boxes,
    inside,
    locate,
    most_voted,
)
from talkingface.nn.geometry.grids import coordinate_grid
from talkingface.types import Square

# Usual places of the red, the green and the blue spot in a crop that shows the subject.
USUAL = torch.tensor([[-0.3, -0.3], [0.3, -0.3], [0.0, 0.4]])


def picture_with(box: tuple[float, float, float], height: int, width: int) -> Tensor:
    """A dark picture with one spot of each colour, at their usual places of the box (centre x, centre y, side)."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    x, y, side = box
    layers = []
    for dx, dy in USUAL.tolist():
        distance = (columns - x - dx * side / 2) ** 2 + (rows - y - dy * side / 2) ** 2
        layers.append(torch.exp(-distance / (0.06 * side) ** 2))
    return torch.stack(layers)[None]


def spots(crops: Tensor) -> Tensor:
    """Centre of each colour; the middle of the crop where there is none of it."""
    grid = coordinate_grid(crops.shape[-2], crops.shape[-1], crops)
    weight = crops + 1e-4
    return torch.einsum("nkhw,hwc->nkc", weight, grid) / weight.sum(dim=(2, 3))[..., None]


@pytest.mark.parametrize("box", [(60.0, 70.0, 80.0), (150.0, 100.0, 60.0), (120.0, 100.0, 150.0)])
def test_the_subject_is_found_wherever_it_is(box):
    found = locate(spots, USUAL, picture_with(box, 200, 260))
    assert found is not None
    x, y, side = box
    assert abs(found.left + found.side / 2 - x) < 0.08 * side
    assert abs(found.top + found.side / 2 - y) < 0.08 * side
    assert abs(found.side / (MARGIN * side) - 1) < 0.12


def test_nothing_is_found_where_nothing_is():
    assert locate(spots, USUAL, torch.zeros(1, 3, 200, 260)) is None


def test_large_pictures_give_the_place_in_their_own_pixels():
    found = locate(spots, USUAL, picture_with((700.0, 500.0, 400.0), 1100, 1300))
    assert found is not None
    assert abs(found.left + found.side / 2 - 700) < 40 and abs(found.side - MARGIN * 400) < 50


def test_cutting_a_box_gives_its_pixels():
    picture = torch.rand(1, 3, 200, 300)
    crops = cut(picture, torch.tensor([[164.0, 84.0, 128.0], [100.0, 100.0, 64.0]]))
    assert crops.shape == (2, 3, 128, 128)
    torch.testing.assert_close(crops[0], picture[0, :, 20:148, 100:228], atol=1e-4, rtol=0)


def test_keypoints_at_their_usual_places_imply_the_box_they_are_in():
    box = torch.tensor([[50.0, 80.0, 40.0]])
    implied, misfit = implied_boxes(box[:, None, :2] + USUAL[None] * 20, USUAL)
    torch.testing.assert_close(implied, box)
    assert misfit.item() < 1e-6


def test_crops_that_contradict_each_other_do_not_confirm_a_place():
    generator = torch.Generator().manual_seed(0)

    def made_up(boxes: Tensor) -> tuple[Tensor, Tensor]:
        return boxes * (0.3 + 1.5 * torch.rand(boxes.shape, generator=generator)), torch.full((len(boxes),), 0.1)

    _, agreement = confirm(made_up, torch.tensor([50.0, 50.0, 80.0]))
    assert agreement < ENOUGH


def test_crops_that_imply_one_box_confirm_it():
    subject = torch.tensor([52.0, 47.0, 85.0])
    found, agreement = confirm(lambda boxes: (subject.expand(len(boxes), 3), torch.zeros(len(boxes))), subject + 5)
    torch.testing.assert_close(found, subject)
    assert agreement == pytest.approx(1, abs=1e-5)


def test_places_to_try_differ():
    boxes = torch.tensor(list(candidates(100, 100)))
    two = torch.tensor([[30.0, 30.0, 40.0], [70.0, 70.0, 50.0]])
    implied = two[torch.arange(len(boxes)) % 2]
    places = most_voted(boxes, implied, torch.zeros(len(boxes)))
    assert sorted(place.tolist() for place, _ in places) == two.tolist()


def test_squares_lie_inside_the_picture():
    assert inside(torch.tensor([10.0, 190.0, 60.0]), 200, 300) == Square(0, 140, 60)
    assert inside(torch.tensor([150.0, 100.0, 500.0]), 200, 300) == Square(50, 0, 200)
