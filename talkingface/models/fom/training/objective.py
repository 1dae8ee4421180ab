"""One training step of FOM: its networks run, and its losses summed up."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ....nn.antialias import ImagePyramid
from ....nn.geometry.keypoints import Keypoints, detach_keypoints
from ....nn.geometry.thin_plate import ThinPlateTransform
from ....nn.losses.perceptual import VGG19
from ...base import Batch, Losses
from ..config import FOMConfig, TrainParams
from .losses import DISCRIMINATOR_TERMS, GENERATOR_TERMS, DiscriminatorOutput, DiscriminatorStep, GeneratorStep

TransformDraw = Callable[[Tensor], ThinPlateTransform]


class Objective:
    """Losses, weighted scalars by name, of generator and keypoint detector, and of the discriminator.

    The discriminator gets the prediction that the generator made from the same batch, so `discriminator_losses` goes
    after `generator_losses`, as the phases of a step do.

    Args:
        networks: kp_detector, generator, discriminator.
        config: of the networks.
        train: weights, scales and the random transform.
        vgg: fixed features of the perceptual loss; None where its weights are zero.
        draw_transform: driving frames -> the transform to use, for fixed draws; None draws at random.
    """

    def __init__(
        self,
        networks: nn.ModuleDict,
        config: FOMConfig,
        train: TrainParams,
        vgg: VGG19 | None = None,
        draw_transform: TransformDraw | None = None,
    ) -> None:
        self.networks, self.config, self.train, self.vgg = networks, config, train, vgg
        scales = dict.fromkeys([*train.scales, *config.discriminator_params.scales])
        self.pyramid = ImagePyramid(list(scales), config.common_params.num_channels)
        self.draw_transform = draw_transform or self._random_transform
        self._made: tuple[Batch, Tensor, Tensor, Keypoints] | None = None

    @property
    def uses_discriminator(self) -> bool:
        """True where there is an adversary at all; without its GAN loss there is no feature matching, as published."""
        return self.train.loss_weights.generator_gan > 0

    def generator_losses(self, batch: Batch) -> Losses:
        """Weighted losses of generator and keypoint detector for frames ``source`` and ``driving`` (N, 3, H, W)."""
        return self.sum_up(batch, self.generator_step(batch))

    def sum_up(self, batch: Batch, step: GeneratorStep) -> Losses:
        """Weighted losses of a step that has been run; keeps the prediction for the discriminator's phase."""
        made = step.generated["prediction"].detach()
        self._made = (batch, step.driving, made, detach_keypoints(step.kp_driving))
        terms = {term.__name__: term(step, self.train.loss_weights) for term in GENERATOR_TERMS}
        return {name: value for name, value in terms.items() if value is not None}

    def generator_step(self, batch: Batch) -> GeneratorStep:
        """Run the networks that the weights ask for."""
        detector = self.networks["kp_detector"]
        if self.train.lr_kp_detector == 0:
            detector.eval()  # frozen: its batch statistics must not drift either
        source, driving = batch["source"], batch["driving"]
        if self.train.both_directions:
            source, driving, kp_source, kp_driving = _both_directions(source, driving, detector)
        else:
            kp_source, kp_driving = detector(source), detector(driving)
        generated = self.networks["generator"](source, kp_source, kp_driving)
        self.pyramid.to(driving)
        real, fake = self.pyramid(driving), self.pyramid(generated["prediction"])
        compared = self.train.scales
        step = GeneratorStep(
            driving, kp_source, kp_driving, generated, {s: real[s] for s in compared}, {s: fake[s] for s in compared}
        )
        if self.vgg is not None and any(self.train.loss_weights.perceptual):
            step.vgg = self.vgg.to(driving)
        if self.uses_discriminator:
            step.disc_fake = self._discriminate(fake, kp_driving)
            step.disc_real = self._discriminate(real, kp_driving)
        self._transform(step, driving)
        return step

    def discriminator_losses(self, batch: Batch) -> Losses:
        """Weighted losses of the discriminator for the frames that `generator_losses` was given last."""
        driving, prediction, keypoints = self._prediction_for(batch)
        self.pyramid.to(prediction)
        disc_fake = self._discriminate(self.pyramid(prediction), keypoints)
        disc_real = self._discriminate(self.pyramid(driving), keypoints)
        step = DiscriminatorStep(disc_real, disc_fake)
        terms = {term.__name__: term(step, self.train.loss_weights) for term in DISCRIMINATOR_TERMS}
        return {name: value for name, value in terms.items() if value is not None}

    def _prediction_for(self, batch: Batch) -> tuple[Tensor, Tensor, Keypoints]:
        if self._made is None or self._made[0] is not batch:
            raise RuntimeError("the discriminator's losses need the generator's of the same batch before them")
        return self._made[1:]

    def _discriminate(self, pyramid: dict[float, Tensor], keypoints: Keypoints) -> DiscriminatorOutput:
        scales = self.config.discriminator_params.scales
        output: DiscriminatorOutput = self.networks["discriminator"](
            {scale: pyramid[scale] for scale in scales}, detach_keypoints(keypoints)
        )
        return output

    def _transform(self, step: GeneratorStep, driving: Tensor) -> None:
        """Warp the driving frame at random and find its keypoints, where an equivariance weight asks for it."""
        weights = self.train.loss_weights
        if not (weights.equivariance_value or weights.equivariance_jacobian):
            return
        step.transform = self.draw_transform(driving)
        frames = step.transform.warp_frames(driving, align_corners=self.config.align_corners)
        step.kp_transformed = self.networks["kp_detector"](frames)

    def _random_transform(self, driving: Tensor) -> ThinPlateTransform:
        wanted = self.train.transform_params
        return ThinPlateTransform.random(
            len(driving),
            driving,
            sigma_affine=wanted.sigma_affine,
            sigma_tps=wanted.sigma_tps,
            points=wanted.points_tps,
        )


def _both_directions(
    source: Tensor, driving: Tensor, detector: nn.Module
) -> tuple[Tensor, Tensor, Keypoints, Keypoints]:
    """Each pair and its exchange as one batch of 2 N; the keypoints of each picture are found once."""
    first, second = torch.cat([source, driving]), torch.cat([driving, source])
    keypoints = detector(first)
    exchanged = {name: values.roll(len(source), 0) for name, values in keypoints.items()}
    return first, second, keypoints, exchanged
