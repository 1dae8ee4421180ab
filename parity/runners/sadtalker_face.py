"""Recorded cases of SadTalker's source side: face finding, landmarks, crop, face coefficients, pasting back."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from talkingface.face.crop.published import published_rectangle
from talkingface.face.detect.networks.retinaface import MEAN_BGR, RetinaFace, anchors, decode_boxes, decode_points
from talkingface.face.detect.networks.wflw import SIDE, LandmarkNet98, heatmap_points, reduce_to_68
from talkingface.face.paste.blend import clone
from talkingface.face3d.deep import ReconNet
from talkingface.face3d.five_points import Alignment, align
from talkingface.motion.coefficients import row70

from ..case import Case
from ..draw import Array
from ..pictures import resize_bilinear, waves
from ..run import Runner
from .deep3d import array, trans_params

EDGE = -9.0  # value of the outermost cells of the inner heatmaps


def crop(case: Case) -> dict[str, Tensor]:
    """Published rectangles, and both parts of the picture at the network's size."""
    numbers = case.build["parameters"]
    size, side = tuple(numbers["picture_size"]), numbers["pic_size"]
    picture = waves(array(case, "picture_params"), size)
    found = published_rectangle(array(case, "landmarks"), size, numbers["xsize"])
    left, top, right, bottom = found.framing.outer
    outer = resize_bilinear(picture, found.framing.size)[top:bottom, left:right]
    x1, y1, x2, y2 = (int(edge) for edge in found.inner)
    box = found.box
    values: dict[str, Any] = {
        "rsize": found.framing.size[::-1],
        "crop": found.framing.outer,
        "quad": found.inner,
        "box": box,
        "crop_size": (box[2] - box[0], box[3] - box[1]),
        f"face_{side}": resize_bilinear(outer[y1:y2, x1:x2], (side, side)),
        f"face_{side}_ext": resize_bilinear(outer, (side, side)),
    }
    return {name: torch.from_numpy(np.asarray(value, np.float64)) for name, value in values.items()}


def paste_back(case: Case) -> dict[str, Tensor]:
    """Seamless cloning of a face into a box of another picture, as OpenCV does it with a mask that is all white.

    It leaves out the outermost pixels of the face, keeps the old differences in three more, puts the middle of the
    rest at the middle of the box (half a pixel off where a side is odd), and truncates.
    """
    left, top, right, bottom = case.build["parameters"]["box"]
    pasted = waves(array(case, "picture_params_bg"), tuple(case.build["parameters"]["picture_size"]))
    face_size = (int(case.from_call(r"face: (\d+) x \d+", "256")), int(case.from_call(r"face: \d+ x (\d+)", "256")))
    face = resize_bilinear(waves(array(case, "picture_params_face"), face_size), (bottom - top, right - left))
    new = face[1:-1, 1:-1]
    mask = np.zeros((*new.shape[:2], 1), np.float32)
    mask[3:-3, 3:-3] = 1
    top, left = (top + bottom) // 2 - new.shape[0] // 2, (left + right) // 2 - new.shape[1] // 2
    place = (slice(top, top + new.shape[0]), slice(left, left + new.shape[1]))
    pasted[place] = clone(pasted[place], new, mask).clip(0, 255)
    return {"pasted": torch.from_numpy(pasted)}


@torch.no_grad()
def landmark_net(case: Case) -> dict[str, Tensor]:
    """Heatmaps of a face, points of given heatmaps, and 68 of 98 points."""
    numbers = case.build["parameters"]
    case.require(numbers, {"gray_scale": False, "end_relu": False})
    network = LandmarkNet98(numbers["num_modules"], numbers["num_landmarks"]).eval()
    case.load(network)
    face = resize_bilinear(waves(array(case, "picture_params"), tuple(numbers["picture_size"])), (SIDE, SIDE))
    found = network(batch(face[..., ::-1]).to(case.dtype) / 255)
    heatmaps = case.input("heatmaps")
    inner = torch.full_like(heatmaps, EDGE)
    inner[..., 1:-1, 1:-1] = heatmaps[..., 1:-1, 1:-1]
    return {
        "first_heatmaps": found[0],
        "last_heatmaps": found[-1],
        "points_inner": heatmap_points(inner, fault=True)[0],
        "points_edge": heatmap_points(heatmaps, fault=True)[0],
        "points_68": torch.from_numpy(reduce_to_68(array(case, "landmarks_98"))),
    }


@torch.no_grad()
def face_detector(case: Case) -> dict[str, Tensor]:
    """Heads, anchors, boxes and points; red and blue stay exchanged, as published."""
    anchoring = {"min_sizes": [[16, 32], [64, 128], [256, 512]], "steps": [8, 16, 32], "variance": [0.1, 0.2]}
    case.require(case.build["parameters"], {**anchoring, "mean_bgr": list(MEAN_BGR)})
    network = RetinaFace().eval()
    case.load(network)
    height, width = case.build["parameters"]["picture_size"]
    picture = waves(array(case, "picture_params"), (height, width))
    mean = torch.tensor(MEAN_BGR, dtype=case.dtype)[:, None, None]
    boxes, scores, points = network(batch(picture).to(case.dtype) - mean)
    priors = anchors(height, width)
    return {
        "loc": boxes,
        "conf": scores,
        "landm": points,
        "priors": priors,
        "boxes": decode_boxes(boxes[0], priors, height, width),
        "points": decode_points(points[0], priors, height, width).flatten(1),
    }


@torch.no_grad()
def recon_coeff(case: Case) -> dict[str, Tensor]:
    """Coefficients, 70 + 3 numbers, of a picture with 68 points."""
    network = ReconNet()
    case.load(network)
    _, found, outputs = reconstruct(case, network)
    return {
        **outputs,
        "coeff_70": row70(outputs["full_coeff"]),
        "coeff_last3": torch.from_numpy(found.parameters)[None],
    }


def reconstruct(case: Case, network: ReconNet) -> tuple[Array, Alignment, dict[str, Tensor]]:
    """Picture of a case, uint8, the alignment of its face, and what the two lead to, by the names of the outputs."""
    size = tuple(case.build["parameters"]["picture_size"])
    picture = waves(array(case, "picture_params"), size)
    found = align(array(case, "landmarks"), size, array(case, "standard_5_points").astype(np.float64))
    aligned = found.cut(picture)
    outputs = {
        "trans_params": torch.from_numpy(trans_params(found)),
        "aligned_picture": torch.from_numpy(aligned),
        "full_coeff": network.eval()(batch(aligned).to(case.dtype) / 255),
    }
    return picture, found, outputs


def batch(picture: Array) -> Tensor:
    """Picture (H, W, 3) as (1, 3, H, W)."""
    return torch.from_numpy(picture.copy()).permute(2, 0, 1)[None]


RUNNERS: dict[str, Runner] = {
    "sadtalker/crop": crop,
    "sadtalker/paste-back": paste_back,
    "sadtalker/landmark-net": landmark_net,
    "sadtalker/face-detector": face_detector,
    "sadtalker/recon-coeff": recon_coeff,
}
