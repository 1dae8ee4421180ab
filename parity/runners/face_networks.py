"""Runs the recorded cases of the networks that SadTalker finds faces and landmarks with."""

from __future__ import annotations

import torch
from torch import Tensor

from talkingface.face.detect.retinaface_network import MEAN_BGR, RetinaFace, anchors, decode_boxes, decode_points
from talkingface.face.detect.wflw_network import SIDE, LandmarkNet98, heatmap_points, reduce_to_68

from ..case import Case
from ..draw import Array
from ..pictures import resize_bilinear, waves
from ..run import Runner

EDGE = -9.0  # what the outermost cells of the inner heatmaps are set to


@torch.no_grad()
def landmark_net(case: Case) -> dict[str, Tensor]:
    """Heatmaps of a face, points of given heatmaps, and 68 of 98 points."""
    numbers = case.build["parameters"]
    network = LandmarkNet98(numbers["num_modules"], numbers["num_landmarks"]).eval()
    case.load(network)
    face = resize_bilinear(waves(case.input("picture_params").numpy(), tuple(numbers["picture_size"])), (SIDE, SIDE))
    found = network(_batch(face[..., ::-1]).to(case.dtype) / 255)
    heatmaps = case.input("heatmaps")
    inner = torch.full_like(heatmaps, EDGE)
    inner[..., 1:-1, 1:-1] = heatmaps[..., 1:-1, 1:-1]
    return {
        "first_heatmaps": found[0],
        "last_heatmaps": found[-1],
        "points_inner": heatmap_points(inner, fault=True)[0],
        "points_edge": heatmap_points(heatmaps, fault=True)[0],
        "points_68": torch.from_numpy(reduce_to_68(case.input("landmarks_98").numpy())),
    }


@torch.no_grad()
def face_detector(case: Case) -> dict[str, Tensor]:
    """Heads, anchors, boxes and points; red and blue stay exchanged, as published."""
    network = RetinaFace().eval()
    case.load(network)
    height, width = case.build["parameters"]["picture_size"]
    picture = waves(case.input("picture_params").numpy(), (height, width))
    mean = torch.tensor(MEAN_BGR, dtype=case.dtype)[:, None, None]
    boxes, shares, points = network(_batch(picture).to(case.dtype) - mean)
    priors = anchors(height, width)
    return {
        "loc": boxes,
        "conf": shares,
        "landm": points,
        "priors": priors,
        "boxes": decode_boxes(boxes[0], priors, height, width),
        "points": decode_points(points[0], priors, height, width).flatten(1),
    }


def _batch(picture: Array) -> Tensor:
    """(H, W, 3) as (1, 3, H, W)."""
    return torch.from_numpy(picture.copy()).permute(2, 0, 1)[None]


RUNNERS: dict[str, Runner] = {"sadtalker/landmark-net": landmark_net, "sadtalker/face-detector": face_detector}
