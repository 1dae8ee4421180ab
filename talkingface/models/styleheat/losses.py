"""Losses of the calibrator's training, StyleHEAT's stage 2 (paper, section 3.4, and the released trainer)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch.nn.functional as F
from torch import Tensor

from ...nn.perceptual import perceptual_loss
from ...nn.roi import cut_out
from ...nn.vgg import VGG19
from .face_parts import LEFT_EYE, MOUTH, PARTS, RIGHT_EYE, part_mask
from .loss_weights import CalibrationWeights

CUT_SIDES = {MOUTH: 120, LEFT_EYE: 80, RIGHT_EYE: 80}

Adversarial: TypeAlias = Callable[[Tensor], Tensor]
"""Made pictures (N, 3, H, W) -> a scalar, small where a discriminator takes them for real."""


@dataclass(frozen=True)
class CalibrationStep:
    """What one step has computed; pictures are (N, 3, H, W) in [-1, 1].

    Attributes:
        made: the result.
        warped: what the generator gives with the warp alone.
        real: the target.
        boxes: (4, N, 4), of the target's `face_parts.PARTS`.
        iteration: steps taken before this one.
    """

    made: Tensor
    warped: Tensor
    real: Tensor
    boxes: Tensor
    iteration: int


def calibration_losses(
    step: CalibrationStep, weights: CalibrationWeights, vgg: VGG19, adversarial: Adversarial | None = None
) -> dict[str, Tensor]:
    """The weighted terms by name; their sum is the loss. A term of weight zero is not computed."""
    mask = part_mask(step.boxes, step.made, weights.outside_at(step.iteration))
    terms: dict[str, tuple[float, Callable[[], Tensor]]] = {
        "local_loss": (weights.local_loss, lambda: local_loss(step)),
        "perceptual_warp": (weights.perceptual_warp, lambda: perceptual_loss(vgg, step.warped, step.real)),
        "perceptual_final": (
            weights.perceptual_final,
            lambda: perceptual_loss(vgg, step.made * mask, step.real * mask, style=weights.style),
        ),
        "perceptual_regular": (
            weights.perceptual_regular,
            lambda: perceptual_loss(vgg, step.made * (1 - mask), step.warped * (1 - mask), style=weights.style),
        ),
    }
    if adversarial is not None:
        terms["gan_loss"] = (weights.gan_loss, lambda: adversarial(step.made))
    return {name: weight * term() for name, (weight, term) in terms.items() if weight}


def local_loss(step: CalibrationStep) -> Tensor:
    """Mean absolute differences of the mouth and of either eye, cut out at one size; their sum."""
    total = step.made.new_zeros(())
    for part, side in CUT_SIDES.items():
        boxes = step.boxes[PARTS.index(part)]
        total = total + F.l1_loss(cut_out(step.made, boxes, side), cut_out(step.real, boxes, side))
    return total
