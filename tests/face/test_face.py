"""Boxes, faces and the table of the 68 landmarks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkingface.face.detect.mediapipe import EYE_CORNERS, MESH_68, MESH_POINTS, landmarks_of
from talkingface.face.face import Box, Face, largest_first

NUMBERS = st.floats(-1000, 1000)
BOXES = st.builds(
    lambda x, y, w, h: Box(x, y, x + w, y + h), NUMBERS, NUMBERS, st.floats(0.1, 500), st.floats(0.1, 500)
)


@given(BOXES, BOXES)
def test_iou_is_symmetric_between_nothing_and_the_same(one: Box, other: Box) -> None:
    assert one.iou(other) == pytest.approx(other.iou(one)) and 0 <= one.iou(other) <= 1 + 1e-9
    assert one.iou(one) == pytest.approx(1)


def test_iou_of_halves() -> None:
    assert Box(0, 0, 2, 2).iou(Box(1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert Box(0, 0, 1, 1).iou(Box(1, 0, 2, 1)) == 0 and Box(0, 0, 0, 0).iou(Box(0, 0, 0, 0)) == 0


@given(BOXES, st.floats(0.1, 5))
def test_enlarging_keeps_the_middle(box: Box, factor: float) -> None:
    larger = box.enlarged(factor)
    np.testing.assert_allclose(larger.center, box.center, atol=1e-6)
    assert larger.width == pytest.approx(box.width * factor) and larger.height == pytest.approx(box.height * factor)


def test_box_around_points_ignores_depth() -> None:
    assert Box.around(np.array([[1, 5, -90], [4, 2, 90]])) == Box(1, 2, 4, 5)
    assert Box(1, 2, 4, 9).side == 7 and Box(1, 2, 4, 9).center == (2.5, 5.5)


def test_faces_are_ordered_by_size_then_place() -> None:
    boxes = [Box(5, 0, 15, 10), Box(0, 0, 10, 10), Box(0, 0, 30, 5)]
    ordered = largest_first([Face(box, 1, None, None, "given") for box in boxes])
    assert [face.box for face in ordered] == [boxes[2], boxes[1], boxes[0]]


@pytest.mark.parametrize("degrees", [0, 30, 90, -120])
def test_roll_is_clockwise_as_seen(degrees: int) -> None:
    landmarks = np.zeros((68, 2), np.float32)
    landmarks[45] = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    roll = Face(Box(0, 0, 1, 1), 1, landmarks, None, "given").roll
    assert roll is not None and math.degrees(roll) == pytest.approx(degrees, abs=1e-4)
    assert Face(Box(0, 0, 1, 1), 1, None, None, "given").roll is None


def test_the_table_names_68_different_points_of_the_mesh() -> None:
    assert MESH_68.shape == (68,) and len(set(MESH_68)) == 68 and MESH_68.min() >= 0 and MESH_68.max() < MESH_POINTS
    assert (MESH_68[36], MESH_68[45]) == EYE_CORNERS
    mesh = np.arange(2 * MESH_POINTS * 3, dtype=np.float32).reshape(2, MESH_POINTS, 3)
    np.testing.assert_array_equal(landmarks_of(mesh)[1, 30], mesh[1, MESH_68[30], :2])
