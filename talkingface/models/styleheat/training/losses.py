"""Losses of StyleHEAT's training: parts of the face, their mask, reconstruction, and the terms of the calibrator.

Those of the calibrator, stage 2, are of the paper (section 3.4) and of the released trainer.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from ....nn.losses.perceptual import VGG19, perceptual_loss
from ..config import CalibrationWeights


def cut_out(pictures: Tensor, boxes: Tensor, side: int) -> Tensor:
    """One part of each picture, resampled; differentiable in the pictures.

    Each of the side x side cells is the mean of ceil(box / side) bilinear samples on either axis. Edges are positions
    where integers are pixel centres (torchvision's roi_align with aligned=False). Samples more than a pixel outside are
    black, those nearer take the border pixel.

    Args:
        pictures: (N, C, H, W).
        boxes: (N, 4), left, top, right, bottom; a box thinner than one pixel counts as one.

    Returns:
        (N, C, side, side).
    """
    height, width = pictures.shape[-2:]
    rows, columns = [], []
    for left, top, right, bottom in boxes.tolist():
        rows.append(_sampling(top, bottom, height, side, pictures))
        columns.append(_sampling(left, right, width, side, pictures))
    return torch.einsum("nph,nchw,nqw->ncpq", torch.stack(rows), pictures, torch.stack(columns))


def _sampling(start: float, stop: float, length: int, cells: int, like: Tensor) -> Tensor:
    """Weights (cells, length) of the pixels of one axis."""
    extent = max(stop - start, 1.0)
    samples = math.ceil(extent / cells)
    steps = torch.arange(cells * samples, dtype=torch.float64, device=like.device)
    places = start + (steps + 0.5) * extent / (cells * samples)
    inside = (places >= -1) & (places <= length)
    pixels = torch.arange(length, dtype=torch.float64, device=like.device)
    hats = (1 - (places.clamp(0, length - 1)[:, None] - pixels).abs()).clamp(min=0) * inside[:, None]
    return hats.view(cells, samples, length).mean(dim=1).to(like.dtype)


LANDMARK_FRAME = 256  # side in pixels of the frame that stored landmarks refer to


class Part(NamedTuple):
    """Landmarks `first` to `end` - 1, and the pixels added on each side of their bounds."""

    first: int
    end: int
    margin: int


MOUTH, LEFT_EYE, RIGHT_EYE, NOSE = (
    Part(48, 68, 8),
    Part(36, 42, 15),
    Part(42, 48, 15),
    Part(27, 36, 15),
)
PARTS = (MOUTH, LEFT_EYE, RIGHT_EYE, NOSE)


def part_boxes(landmarks: Tensor, scale: float) -> Tensor:
    """Boxes of `PARTS`.

    Args:
        landmarks: (N, 68, 2), in a frame of 256 pixels.
        scale: of the pictures to that frame; 2 for pictures of 512 pixels.

    Returns:
        (4, N, 4), integers: left, top, right, bottom.
    """
    boxes = []
    for part in PARTS:
        points = landmarks[:, part.first : part.end] * scale
        low, high = points.amin(dim=1).long() - part.margin, points.amax(dim=1).long() + part.margin
        boxes.append(torch.cat([low, high], dim=1))
    return torch.stack(boxes)


def part_mask(boxes: Tensor, like: Tensor, outside: float) -> Tensor:
    """Mask with 1 inside any of the boxes, `outside` elsewhere.

    Args:
        boxes: (parts, N, 4), as of `part_boxes`; the parts outside the picture are left out.
        like: (N, C, H, W), gives size, dtype and device.

    Returns:
        (N, 1, H, W).
    """
    height, width = like.shape[-2:]
    left, top, right, bottom = boxes.to(like.device)[..., None].unbind(dim=2)
    columns = torch.arange(width, device=like.device)
    rows = torch.arange(height, device=like.device)
    across, down = (columns >= left) & (columns < right), (rows >= top) & (rows < bottom)
    inside = (down[..., :, None] & across[..., None, :]).any(dim=0)[:, None]
    return torch.where(inside, 1.0, outside).to(like.dtype)


SIZES = 3  # full, half and quarter
MIDDLE, SPREAD = (0.0, 0.1), 0.45  # of faces in framed pictures: (x, y) and deviation, in [-1, 1]


def reconstruction_loss(made: Tensor, real: Tensor, focus: float = 0.0, counts: Tensor | None = None) -> Tensor:
    """Mean absolute error of pictures (N, 3, H, W) over three sizes; a scalar.

    Args:
        focus: extra weight of the middle, where the face is, over that of the border.
        counts: extra weight of each pixel, (N, 1, H, W).
    """
    weight = 1 + focus * _middle(made) if focus else None
    if counts is not None:
        weight = counts + (1 if weight is None else weight)
    total = made.new_zeros(())
    for size in range(SIZES):
        if size:
            made, real = F.avg_pool2d(made, 2), F.avg_pool2d(real, 2)
            weight = None if weight is None else F.avg_pool2d(weight, 2)
        error = (made - real).abs()
        total = total + (error.mean() if weight is None else (error * weight).mean() / weight.mean())
    return total / SIZES


def _middle(like: Tensor) -> Tensor:
    """(1, 1, H, W), 1 in the middle of a face and falling off as a Gaussian."""
    height, width = like.shape[-2:]
    y, x = (torch.linspace(-1, 1, side, device=like.device, dtype=like.dtype) for side in (height, width))
    squares = (x - MIDDLE[0]).square() + (y - MIDDLE[1]).square()[:, None]
    return torch.exp(-squares / (2 * SPREAD**2))[None, None]


CUT_SIDES = {MOUTH: 120, LEFT_EYE: 80, RIGHT_EYE: 80}

Value = TypeVar("Value")
Adversarial: TypeAlias = Callable[[Tensor], Tensor]
"""Made pictures (N, 3, H, W) -> a scalar, small where a discriminator takes them for real."""


@dataclass(frozen=True)
class CalibrationStep:
    """Results of one step; pictures are (N, 3, H, W) in [-1, 1].

    Attributes:
        made: the result.
        warped: the generator's result with the warp alone; None where no term needs it.
        real: the target.
        boxes: (4, N, 4), of the target's `PARTS`; None where no term needs parts.
        iteration: steps taken before this one.
    """

    made: Tensor
    warped: Tensor | None
    real: Tensor
    boxes: Tensor | None
    iteration: int

    def alone(self) -> Tensor:
        """Pictures (N, 3, H, W) of the warp alone, which some term must need."""
        return _required(self.warped)

    def mask(self, weights: CalibrationWeights) -> Tensor:
        """Mask (N, 1, H, W) with 1 in the parts of the face."""
        return part_mask(_required(self.boxes), self.made, weights.outside_at(self.iteration))


def calibration_losses(
    step: CalibrationStep, weights: CalibrationWeights, vgg: VGG19 | None, adversarial: Adversarial | None = None
) -> dict[str, Tensor]:
    """Weighted terms, scalars by name; their sum is the loss. A term of weight zero is not computed.

    Args:
        vgg: for the perceptual terms; None where all of them have weight zero.
    """
    terms: dict[str, tuple[float, Callable[[], Tensor]]] = {
        "local_loss": (weights.local_loss, lambda: local_loss(step)),
        "perceptual_warp": (weights.perceptual_warp, lambda: perceptual_loss(_required(vgg), step.alone(), step.real)),
        "perceptual_final": (weights.perceptual_final, lambda: _final(step, weights, _required(vgg))),
        "perceptual_regular": (weights.perceptual_regular, lambda: _regular(step, weights, _required(vgg))),
        "reconstruction": (
            weights.reconstruction,
            lambda: reconstruction_loss(step.made, step.real, weights.focus),
        ),
        "reconstruction_warp": (
            weights.reconstruction_warp,
            lambda: reconstruction_loss(step.alone(), step.real, weights.focus),
        ),
    }
    if adversarial is not None:
        terms["gan_loss"] = (weights.gan_loss, lambda: adversarial(step.made))
    return {name: weight * term() for name, (weight, term) in terms.items() if weight}


def _final(step: CalibrationStep, weights: CalibrationWeights, vgg: VGG19) -> Tensor:
    mask = step.mask(weights)
    return perceptual_loss(vgg, step.made * mask, step.real * mask, style=weights.style)


def _regular(step: CalibrationStep, weights: CalibrationWeights, vgg: VGG19) -> Tensor:
    rest = 1 - step.mask(weights)
    return perceptual_loss(vgg, step.made * rest, step.alone() * rest, style=weights.style)


def local_loss(step: CalibrationStep) -> Tensor:
    """Sum, a scalar, of the mean absolute differences of the mouth and of either eye, cut out at one size."""
    total = step.made.new_zeros(())
    for part, side in CUT_SIDES.items():
        boxes = _required(step.boxes)[PARTS.index(part)]
        total = total + F.l1_loss(cut_out(step.made, boxes, side), cut_out(step.real, boxes, side))
    return total


def _required(value: Value | None) -> Value:
    """The value, which a term with a weight needs."""
    if value is None:
        raise ValueError("a loss with a weight lacks its input")
    return value
