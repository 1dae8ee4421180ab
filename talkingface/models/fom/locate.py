"""Search of the subject in a picture with the keypoint detector alone, where no face detector is installed.

Where a crop shows the subject, its keypoints lie to each other as they usually do, and the crop they imply (the one in
which they would lie at their usual places) is the same for all crops that show the subject. Elsewhere the keypoints
are made up, keep to the crop instead of to the picture, and imply a different crop each time. So the detector examines
many crops, and a crop that others imply too, though they lie elsewhere themselves, may hold the subject; it does if the
crops right around it agree as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from ...types import Square

CROP_SIDE = 128  # of the crops that the detector gets, in pixels
SHORTER_SIDE = 512  # larger pictures are pooled to about this first
SMALLEST = 1 / 7  # of the shorter side: the smallest crop examined
RATIO, STEP = 1.4, 1 / 3  # from one size of crops to the next; from one crop to the next, in sides
TOLERANCE = 0.12  # of implied crops that agree, and of keypoints about their usual places
FARTHEST = 0.6  # crops that differ by more than this count as fully different
TRIED = 5  # places with the most votes that are examined more closely
MANY = 0.3  # votes that make a place fully credible
FRAMED = 0.4  # agreement around the picture's centre, at most 1, of a picture that needs no search
ENOUGH = 0.12  # agreement times credibility of a place that is accepted
MARGIN = 1.15  # of the square over the implied box: training enlarges its pictures at random, so that it is tight
CHUNK = 64

FindPoints = Callable[[Tensor], Tensor]


def locate(find_points: FindPoints, usual: Tensor, picture: Tensor) -> Square | None:
    """Square of a picture that shows the subject framed as in training, moved inside the picture.

    A picture whose central square shows the subject already costs 18 crops, any other some hundreds.

    Args:
        find_points: (N, 3, S, S) crops in [0, 1] -> keypoints (N, K, 2), (x, y) in [-1, 1].
        usual: (K, 2), mean positions of the keypoints.
        picture: (1, 3, H, W) in [0, 1].

    Returns:
        None where too few crops agree, as in pictures without a subject.
    """
    height, width = picture.shape[-2:]
    factor = max(1, round(min(height, width) / SHORTER_SIDE))
    small = F.avg_pool2d(picture, factor) if factor > 1 else picture

    def vote(boxes: Tensor) -> tuple[Tensor, Tensor]:
        points = torch.cat([find_points(cut(small, chunk)) for chunk in boxes.split(CHUNK)])
        return implied_boxes(boxes[:, None, :2] + points * boxes[:, None, 2:] / 2, usual)

    centre = small.new_tensor([small.shape[-1] / 2, small.shape[-2] / 2, min(small.shape[-2:])])
    box, agreement = confirm(vote, centre)
    if agreement < FRAMED:
        box, agreement = search(vote, small.new_tensor(list(candidates(small.shape[-2], small.shape[-1]))))
    if agreement < ENOUGH:
        return None
    return inside(box * box.new_tensor([factor, factor, factor * MARGIN]), height, width)


Vote = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Boxes (N, 3) -> the boxes that their keypoints imply (N, 3), and the keypoints' misfit (N,)."""


def search(vote: Vote, boxes: Tensor) -> tuple[Tensor, float]:
    """Best box (3,) that crops at `boxes` (N, 3) vote for, and its agreement in [0, 1]."""
    best, score = boxes[0], 0.0
    for box, votes in most_voted(boxes, *vote(boxes)):
        confirmed, agreement = confirm(vote, box)
        if agreement * min(1.0, votes / MANY) > score:
            best, score = confirmed, agreement * min(1.0, votes / MANY)
    return best, score


def confirm(vote: Vote, box: Tensor) -> tuple[Tensor, float]:
    """The box (3,) that crops shifted and shrunk around `box` imply together, and their agreement in [0, 1]."""
    shifts = product((-0.1, 0.0, 0.1), (-0.1, 0.0, 0.1), (1.0, 0.85))
    x, y, side = box.tolist()
    boxes = box.new_tensor([(x + dx * side, y + dy * side, scale * side) for dx, dy, scale in shifts])
    implied, misfit = vote(boxes)
    alike, votes, most = agreement_of(boxes, implied, misfit)
    best = int((votes / most).argmax())
    weights = alike[best]
    if weights.sum() == 0:
        return box, 0.0
    return (weights[:, None] * implied).sum(dim=0) / weights.sum(), float(votes[best] / most[best])


def most_voted(boxes: Tensor, implied: Tensor, misfit: Tensor) -> list[tuple[Tensor, float]]:
    """Up to `TRIED` implied boxes (3,) with the most votes, and these; each different from the others."""
    _, votes, _ = agreement_of(boxes, implied, misfit)
    apart = distance(implied)
    chosen: list[int] = []
    for index in votes.argsort(descending=True).tolist():
        if all(apart[index, other] > 2 * TOLERANCE for other in chosen):
            chosen.append(index)
        if len(chosen) == TRIED:
            break
    return [(implied[index], float(votes[index])) for index in chosen]


def agreement_of(boxes: Tensor, implied: Tensor, misfit: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Agreement of crops (N, 3) on the boxes (N, 3) that they imply with a misfit (N,).

    A vote counts by the likeness of the boxes that two crops imply and by the difference of the crops, for neighbours
    show the same anyway.

    Returns:
        (N, N) likeness of what each pair implies; (N,) the votes of each; (N,) the most votes that each could have.
    """
    trust = torch.exp(-((misfit / TOLERANCE) ** 2))
    alike = torch.exp(-((distance(implied) / TOLERANCE) ** 2)) * trust
    different = distance(boxes).clamp_max(FARTHEST)
    return alike, (alike * different).sum(dim=1) * trust, different.sum(dim=1)


def candidates(height: int, width: int) -> Iterator[tuple[float, float, float]]:
    """Boxes (centre x, centre y, side) of all sizes down to `SMALLEST`, some beyond the border."""
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
    """Boxes (N, 3) in which keypoints (N, K, 2) of the picture lie best at their usual places (K, 2).

    Returns:
        The boxes, and the distance (N,) of the keypoints from these places, root mean square in half sides of the box.
    """
    centred, shape = points - points.mean(dim=1, keepdim=True), usual - usual.mean(dim=0)
    half_side = ((centred * shape).sum(dim=(1, 2)) / shape.square().sum()).clamp_min(1.0)
    offset = centred - half_side[:, None, None] * shape
    misfit = offset.square().sum(dim=2).mean(dim=1).sqrt() / half_side
    centre = points.mean(dim=1) - half_side[:, None] * usual.mean(dim=0)
    return torch.cat([centre, 2 * half_side[:, None]], dim=1), misfit


def distance(boxes: Tensor) -> Tensor:
    """Difference of boxes (N, 3), (N, N): shift in sides plus the logarithm of the ratio of sizes."""
    shift = torch.cdist(boxes[:, :2], boxes[:, :2]) / boxes[:, 2:]
    size = boxes[:, 2].log()
    return shift + (size[:, None] - size).abs()


def inside(box: Tensor, height: int, width: int) -> Square:
    """Square within (height, width) nearest to a box (3,): centre x, centre y, side."""
    x, y, wanted = box.tolist()
    side = max(1, min(round(wanted), height, width))
    left = min(max(round(x - side / 2), 0), width - side)
    top = min(max(round(y - side / 2), 0), height - side)
    return Square(left, top, side)
