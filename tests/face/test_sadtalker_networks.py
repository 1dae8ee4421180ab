"""Meaning of the numbers of SadTalker's face finder and 98-point network. The networks have recorded cases."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from talkingface.face.detect.networks.retinaface import anchors, decode_boxes, decode_points
from talkingface.face.detect.networks.wflw import heatmap_points, reduce_to_68


def test_anchors_cover_each_stride_of_an_odd_picture():
    found = anchors(200, 264)
    assert found.shape == (2 * (25 * 33 + 13 * 17 + 7 * 9), 4)
    first, last = found[1] * torch.tensor([264, 200, 264, 200]), found[-1] * torch.tensor([264, 200, 264, 200])
    assert torch.allclose(first, torch.tensor([4.0, 4, 32, 32])) and torch.allclose(
        last, torch.tensor([8.5 * 32, 6.5 * 32, 512, 512])
    )


def test_offsets_of_nothing_are_the_anchors():
    priors = anchors(64, 96)
    boxes = decode_boxes(torch.zeros(len(priors), 4), priors, 64, 96)
    points = decode_points(torch.zeros(len(priors), 10), priors, 64, 96)
    assert torch.allclose(boxes[0], torch.tensor([4.0 - 8, 4 - 8, 4 + 8, 4 + 8]))
    assert torch.allclose(points[0], torch.tensor([4.0, 4.0]).expand(5, 2))


def test_offsets_move_and_scale():
    priors = torch.tensor([[0.5, 0.5, 0.2, 0.4]])
    box = decode_boxes(torch.tensor([[1.0, -1.0, 5 * math.log(2), 0.0]]), priors, 100, 100)
    assert torch.allclose(box, torch.tensor([[52.0 - 20, 46 - 20, 52 + 20, 46 + 20]]))
    point = decode_points(torch.tensor([[0.0] * 8 + [1.0, 1.0]]), priors, 100, 100)
    assert torch.allclose(point[0, 4], torch.tensor([52.0, 54.0]))


@pytest.mark.parametrize("fault", [False, True])
def test_points_lean_to_the_larger_neighbour(fault: bool):
    heatmaps = torch.zeros(1, 2, 64, 64)
    heatmaps[0, 0, 10, 20], heatmaps[0, 0, 10, 21], heatmaps[0, 0, 9, 20] = 3, 1, 2
    heatmaps[0, 1, 30, 40] = 1
    points = heatmap_points(heatmaps, fault=fault)
    assert points.tolist() == [[[20.75, 10.25], [40.5, 30.5]]]


def test_points_at_the_border_do_not_touch_others():
    heatmaps = torch.zeros(1, 2, 64, 64)
    heatmaps[0, 0, 10, 20], heatmaps[0, 0, 11, 20] = 3, 1
    heatmaps[0, 1, 63, 0], heatmaps[0, 1, 62, 63] = 3, 1
    assert heatmap_points(heatmaps).tolist() == [[[20.5, 10.75], [0.5, 63.5]]]
    faulty = heatmap_points(heatmaps, fault=True)
    assert faulty.tolist() == [[[20.5, 10.5], [0.25, 63.5]]]


def test_68_of_98_points_keep_their_places():
    points = np.stack([np.arange(98), -np.arange(98)], axis=1).astype(np.float32)
    found = reduce_to_68(points)
    assert found.shape == (68, 2) and found.dtype == np.float32
    assert found[[0, 8, 16, 27, 30, 36, 45, 48, 60, 67], 0].tolist() == [0, 16, 32, 51, 54, 60, 72, 76, 88, 95]
    assert found[18].tolist() == [37.5, -37.5]
