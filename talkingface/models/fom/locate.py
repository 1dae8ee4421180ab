"""Finds the subject in a picture with the keypoint detector alone, where no face detector is at hand.

The detector looks at many crops. Where a crop shows the subject, its keypoints lie to each other as they usually do,
and the crop they imply (the one in which they would lie at their usual places) is the same for all crops that show the
subject. Elsewhere the keypoints are made up, keep to the crop instead of to the picture, and imply a different crop
each time. So the crop that most others agree on, though they lie elsewhere themselves, holds the subject.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from ...types import Square

CROP_SIDE = 128  # what the detector is shown, in pixels
SHORTER_SIDE = 512  # larger pictures are pooled to about this first
SMALLEST = 1 / 7  # of the shorter side: the smallest crop looked at
RATIO, STEP = 1.35, 1 / 4  # from one size of crops to the next; from one crop to the next, in sides
TOLERANCE = 0.12  # of implied crops that agree, and of keypoints about their usual places
ENOUGH = 0.35  # votes of the smallest group of crops that is believed
CHUNK = 64

FindPoints = Callable[[Tensor], Tensor]


def locate(find_points: FindPoints, usual: Tensor, picture: Tensor) -> Square | None:
    """The square of a picture that the most crops agree on, moved inside the picture.

    Args:
        find_points: (N, 3, S, S) crops in [0, 1] -> keypoints (N, K, 2), (x, y) in [-1, 1].
        usual: (K, 2), where the keypoints lie on average.
        picture: (1, 3, H, W) in [0, 1].

    Returns:
        None where too few crops agree, as in pictures without a subject.
    """
    height, width = picture.shape[-2:]
    factor = max(1, round(min(height, width) / SHORTER_SIDE))
    small = F.avg_pool2d(picture, factor) if factor > 1 else picture
    boxes = torch.tensor(list(candidates(small.shape[-2], small.shape[-1])), device=picture.device)
    points = torch.cat([find_points(cut(small, chunk)) for chunk in boxes.split(CHUNK)])
    implied, misfit = implied_boxes(boxes[:, None, :2] + points * boxes[:, None, 2:] / 2, usual)
    found = agreed_box(boxes, implied, misfit)
    return None if found is None else inside(found * factor, height, width)


def candidates(height: int, width: int) -> Iterator[tuple[float, float, float]]:
    """Boxes (centre x, centre y, side) to look at, of all sizes down to `SMALLEST`, some beyond the border."""
    shorter = min(height, width)
    side = float(shorter)
    while side >= shorter * SMALLEST:
        margin, step = 0.4 * side, STEP * side
        for y in torch.arange(margin, height - margin + 1, step).tolist():
            for x in torch.arange(margin, width - margin + 1, step).tolist():
                yield x, y, side
        side /= RATIO


def cut(picture: Tensor, boxes: Tensor) -> Tensor:
    """The boxes (N, 3) of a picture (1, 3, H, W) as (N, 3, S, S); beyond its border the border goes on."""
    height, width = picture.shape[-2:]
    size = torch.tensor([width, height], dtype=picture.dtype, device=picture.device)
    scale = boxes[:, 2:] / size
    theta = torch.diag_embed(scale)
    theta = torch.cat([theta, (2 * boxes[:, :2] / size - 1)[..., None]], dim=2)
    grid = F.affine_grid(theta, [len(boxes), 3, CROP_SIDE, CROP_SIDE], align_corners=False)
    field = grid.flatten(0, 1)[None]  # one tall field reads the picture once
    crops = F.grid_sample(picture, field, padding_mode="border", align_corners=False)
    return crops[0].unflatten(1, (len(boxes), CROP_SIDE)).transpose(0, 1)


def implied_boxes(points: Tensor, usual: Tensor) -> tuple[Tensor, Tensor]:
    """For keypoints (N, K, 2) in the picture the boxes (N, 3) in which they lie best at their usual places (K, 2).

    Returns:
        The boxes, and how far the keypoints lie from there (N,), root mean square in half sides of the box.
    """
    centred, shape = points - points.mean(dim=1, keepdim=True), usual - usual.mean(dim=0)
    half_side = ((centred * shape).sum(dim=(1, 2)) / shape.square().sum()).clamp_min(1.0)
    offset = centred - half_side[:, None, None] * shape
    misfit = offset.square().sum(dim=2).mean(dim=1).sqrt() / half_side
    centre = points.mean(dim=1) - half_side[:, None] * usual.mean(dim=0)
    return torch.cat([centre, 2 * half_side[:, None]], dim=1), misfit


def agreed_box(boxes: Tensor, implied: Tensor, misfit: Tensor) -> Tensor | None:
    """The mean (3,) of the implied boxes that agree with the one that has most votes; None if they are too few.

    A vote counts by how alike two crops imply and by how different the crops are, for neighbours see the same anyway.
    """
    trust = torch.exp(-((misfit / TOLERANCE) ** 2))
    alike = torch.exp(-((distance(implied) / TOLERANCE) ** 2)) * trust
    votes = (alike * distance(boxes).clamp_max(0.6)).sum(dim=1) * trust
    best = int(votes.argmax())
    if votes[best] < ENOUGH:
        return None
    weights = alike[best]
    return (weights[:, None] * implied).sum(dim=0) / weights.sum()


def distance(boxes: Tensor) -> Tensor:
    """How different boxes (N, 3) are, (N, N): shift in sides plus the logarithm of the ratio of sizes."""
    shift = torch.cdist(boxes[:, :2], boxes[:, :2]) / boxes[:, 2:]
    size = boxes[:, 2].log()
    return shift + (size[:, None] - size).abs()


def inside(box: Tensor, height: int, width: int) -> Square:
    """A box (centre x, centre y, side) as a square that lies within H x W, moved or shrunk where it must be."""
    x, y, wanted = box.tolist()
    side = max(1, min(round(wanted), height, width))
    left = min(max(round(x - side / 2), 0), width - side)
    top = min(max(round(y - side / 2), 0), height - side)
    return Square(left, top, side)
