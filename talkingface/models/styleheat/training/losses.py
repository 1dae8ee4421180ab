"""Losses of the calibrator's training, StyleHEAT's stage 2 (paper, section 3.4, and the released trainer)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from ....nn.losses.perceptual import VGG19, perceptual_loss
from ..config import CalibrationWeights
from .face_parts import LEFT_EYE, MOUTH, PARTS, RIGHT_EYE, cut_out, part_mask

SIZES = 3  # full, half and quarter
MIDDLE, SPREAD = (0.0, 0.1), 0.45  # where faces are in framed pictures: (x, y) and deviation, in [-1, 1]


def reconstruction_loss(made: Tensor, real: Tensor, focus: float = 0.0, counts: Tensor | None = None) -> Tensor:
    """Mean absolute error of pictures (N, 3, H, W) over three sizes; a scalar.

    Args:
        focus: how much more the middle, where the face is, counts than the border.
        counts: how much more each pixel counts, (N, 1, H, W).
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
    """What one step has computed; pictures are (N, 3, H, W) in [-1, 1].

    Attributes:
        made: the result.
        warped: what the generator gives with the warp alone; None where no term looks at it.
        real: the target.
        boxes: (4, N, 4), of the target's `face_parts.PARTS`; None where no term looks at parts.
        iteration: steps taken before this one.
    """

    made: Tensor
    warped: Tensor | None
    real: Tensor
    boxes: Tensor | None
    iteration: int

    def alone(self) -> Tensor:
        """What the warp alone gives, which some term must have asked for."""
        return _there(self.warped)

    def mask(self, weights: CalibrationWeights) -> Tensor:
        """(N, 1, H, W): 1 in the parts of the face."""
        return part_mask(_there(self.boxes), self.made, weights.outside_at(self.iteration))


def calibration_losses(
    step: CalibrationStep, weights: CalibrationWeights, vgg: VGG19 | None, adversarial: Adversarial | None = None
) -> dict[str, Tensor]:
    """The weighted terms by name; their sum is the loss. A term of weight zero is not computed.

    Args:
        vgg: for the perceptual terms; None where all of them have weight zero.
    """
    terms: dict[str, tuple[float, Callable[[], Tensor]]] = {
        "local_loss": (weights.local_loss, lambda: local_loss(step)),
        "perceptual_warp": (weights.perceptual_warp, lambda: perceptual_loss(_there(vgg), step.alone(), step.real)),
        "perceptual_final": (weights.perceptual_final, lambda: _final(step, weights, _there(vgg))),
        "perceptual_regular": (weights.perceptual_regular, lambda: _regular(step, weights, _there(vgg))),
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
    """Mean absolute differences of the mouth and of either eye, cut out at one size; their sum."""
    total = step.made.new_zeros(())
    for part, side in CUT_SIDES.items():
        boxes = _there(step.boxes)[PARTS.index(part)]
        total = total + F.l1_loss(cut_out(step.made, boxes, side), cut_out(step.real, boxes, side))
    return total


def _there(value: Value | None) -> Value:
    """What a term with a weight needs."""
    if value is None:
        raise ValueError("a loss with a weight lacks what it looks at")
    return value
