"""The losses of FOM (paper, section 3.4, and its released training code), each a function of one training step.

A term gets the step and the weights and gives a weighted scalar, or None where its weight is zero, so that nothing is
computed in vain. Training sums up `GENERATOR_TERMS` and `DISCRIMINATOR_TERMS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ....nn.geometry.grids import gaussian_heatmaps, inverse_2x2
from ....nn.geometry.keypoints import Keypoints
from ....nn.geometry.thin_plate import ThinPlateTransform
from ....nn.losses.gan import discriminator_loss, feature_distance, generator_loss
from ....nn.precision import float32_region
from ..config import LossWeights

ERROR_LEVELS = 3
NEAREST = 0.02
FOCUS_VARIANCE = 0.015

Pyramid: TypeAlias = dict[float, Tensor]
DiscriminatorOutput: TypeAlias = dict[float, tuple[list[Tensor], Tensor]]
"""Scale -> (features (N, C, h, w) after each discriminator block, scores (N, 1, h, w))."""


@dataclass
class GeneratorStep:
    """Results of one step of generator and keypoint detector.

    Attributes:
        driving: (N, 3, H, W), the driving frames.
        kp_source, kp_driving: keypoints of the two frames.
        generated: results of the generator; ``prediction`` (N, 3, H, W) in [0, 1].
        real, fake: the driving frame and the prediction at several scales.
        disc_real, disc_fake: the discriminator's output for them; None where no weight asks for it.
        transform, kp_transformed: a random warp, and the keypoints of the warped driving frame; None likewise.
        vgg: fixed features for the perceptual loss; None likewise.
    """

    driving: Tensor
    kp_source: Keypoints
    kp_driving: Keypoints
    generated: dict[str, Tensor]
    real: Pyramid
    fake: Pyramid
    disc_real: DiscriminatorOutput | None = None
    disc_fake: DiscriminatorOutput | None = None
    transform: ThinPlateTransform | None = None
    kp_transformed: Keypoints | None = None
    vgg: nn.Module | None = None


@dataclass
class DiscriminatorStep:
    """The discriminator's output for real pictures, and for predictions without gradients to the generator."""

    disc_real: DiscriminatorOutput
    disc_fake: DiscriminatorOutput


def perceptual(step: GeneratorStep, weights: LossWeights) -> Tensor | None:
    """Distance of VGG19 features, a scalar, summed over layers and scales (paper, equation 6)."""
    if step.vgg is None or not any(weights.perceptual):
        return None
    distances = (
        feature_distance(step.vgg(step.real[scale]), step.vgg(step.fake[scale]), weights.perceptual)
        for scale in step.real
    )
    return _total(distances)


def gen_gan(step: GeneratorStep, weights: LossWeights) -> Tensor | None:
    """Adversarial loss, a scalar: the discriminator should take the prediction for a real picture."""
    if step.disc_fake is None or not weights.generator_gan:
        return None
    return weights.generator_gan * _total(generator_loss(scores) for _, scores in step.disc_fake.values())


def feature_matching(step: GeneratorStep, weights: LossWeights) -> Tensor | None:
    """Distance of the discriminator's features, a scalar, of prediction and driving frame; only beside `gen_gan`."""
    if step.disc_fake is None or step.disc_real is None or not any(weights.feature_matching):
        return None
    distances = (
        feature_distance(real, step.disc_fake[scale][0], weights.feature_matching)
        for scale, (real, _) in step.disc_real.items()
    )
    return _total(distances)


def equivariance_value(step: GeneratorStep, weights: LossWeights) -> Tensor | None:
    """Distance, a scalar, of keypoints of a warped picture, warped back, from those of the picture (equation 9)."""
    if step.transform is None or step.kp_transformed is None or not weights.equivariance_value:
        return None
    back = step.transform.warp_points(step.kp_transformed["value"])
    return weights.equivariance_value * (step.kp_driving["value"] - back).abs().mean()


def equivariance_jacobian(step: GeneratorStep, weights: LossWeights) -> Tensor | None:
    """Distance, a scalar, from the identity of the product of both Jacobians (equation 11)."""
    if step.transform is None or step.kp_transformed is None or not weights.equivariance_jacobian:
        return None
    if "jacobian" not in step.kp_driving:
        return None
    with float32_region(step.driving):
        back = step.transform.jacobian(step.kp_transformed["value"]) @ step.kp_transformed["jacobian"]
        product = inverse_2x2(step.kp_driving["jacobian"]) @ back
    identity = torch.eye(2, dtype=product.dtype, device=product.device)
    return weights.equivariance_jacobian * (identity - product).abs().mean()


def reconstruction(step: GeneratorStep, weights: LossWeights) -> Tensor | None:
    """Absolute error of the prediction, a scalar; not in the paper, it stands in for VGG19 where there is none.

    Pixels near keypoints count more, by the weight `focus`: an eye that closes is a handful of pixels, and the plain
    error would rather spend the network on hair and background.
    """
    if not weights.reconstruction:
        return None
    importance = None
    if weights.focus:
        importance = 1 + weights.focus * near_keypoints(step.kp_driving["value"].detach(), step.driving)
    return weights.reconstruction * pyramid_error(step.generated["prediction"], step.driving, importance)


def deformed(step: GeneratorStep, weights: LossWeights) -> Tensor | None:
    """Absolute error of the warped source, a scalar; not in the paper, it guides the motion directly."""
    if not weights.deformed:
        return None
    return weights.deformed * pyramid_error(step.generated["deformed"], step.driving)


def near_keypoints(points: Tensor, like: Tensor) -> Tensor:
    """(N, 1, H, W) in [0, 1], 1 at keypoints (N, K, 2) and falling off with the spots' spread."""
    spots = gaussian_heatmaps(points, (like.shape[-2], like.shape[-1]), FOCUS_VARIANCE)
    return spots.sum(dim=1, keepdim=True).clamp_max(1)


def pyramid_error(made: Tensor, real: Tensor, importance: Tensor | None = None) -> Tensor:
    """Mean absolute error of (N, C, H, W) pictures, averaged over full, half and quarter size.

    Args:
        importance: (N, 1, H, W), weights of the pixels, multiplied to the error.
    """
    errors = []
    for _ in range(ERROR_LEVELS):
        error = (made - real).abs()
        errors.append((error if importance is None else error * importance).mean())
        made, real = F.avg_pool2d(made, 2), F.avg_pool2d(real, 2)
        importance = None if importance is None else F.avg_pool2d(importance, 2)
    return torch.stack(errors).mean()


def separation(step: GeneratorStep, weights: LossWeights) -> Tensor | None:
    """Prior of the keypoints, a scalar: those nearer to each other than `NEAREST` (squared) push each other away.

    Source: Wang et al. 2021 (one-shot free-view neural talking-head synthesis), keypoint prior loss, in two dimensions.
    """
    if not weights.separation:
        return None
    points = step.kp_driving["value"]
    squared = (points[:, :, None] - points[:, None]).square().sum(dim=-1)
    too_near = (NEAREST - squared).clamp_min(0)
    count = points.shape[1]
    return weights.separation * (too_near.sum(dim=(1, 2)).mean() - count * NEAREST) / count


def disc_gan(step: DiscriminatorStep, weights: LossWeights) -> Tensor | None:
    """Loss of the discriminator, a scalar: real pictures should score 1, made ones 0."""
    if not weights.discriminator_gan:
        return None
    distances = (discriminator_loss(scores, step.disc_fake[scale][1]) for scale, (_, scores) in step.disc_real.items())
    return weights.discriminator_gan * _total(distances)


def _total(values: Iterable[Tensor | float]) -> Tensor:
    return torch.stack([torch.as_tensor(value) for value in values]).sum()


GeneratorTerm: TypeAlias = Callable[[GeneratorStep, LossWeights], Tensor | None]
DiscriminatorTerm: TypeAlias = Callable[[DiscriminatorStep, LossWeights], Tensor | None]

GENERATOR_TERMS: list[GeneratorTerm] = [
    perceptual,
    gen_gan,
    feature_matching,
    equivariance_value,
    equivariance_jacobian,
    reconstruction,
    deformed,
    separation,
]
DISCRIMINATOR_TERMS: list[DiscriminatorTerm] = [disc_gan]
