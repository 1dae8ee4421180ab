"""Losses of the stages in which StyleHEAT learns to move and to give back pictures.

Pictures of batches are (N, 3, H, W) in [0, 1]; the networks' are in [-1, 1]. ``source`` and ``driving`` are two frames
of one person, ``source_rows`` and ``driving_rows`` (N, 27, 73 or 260) the coefficients around them, and
``source_keypoints`` and ``driving_keypoints`` (N, 1, 136) their landmarks in a frame of 256 pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from ....motion.coefficients import row73
from ....nn.losses.identity import ALIGNED_SIZE, identity_loss
from ....nn.losses.perceptual import VGG19, perceptual_loss
from ....nn.stylegan2.losses import discriminator_loss, generator_loss
from ...base import Batch, Losses
from ...fixed import FixedNetworks
from ..compact.guide import MotionGuide
from ..compact.joint import FacePairs, flow_error
from ..config import StyleHeatConfig
from ..networks.build import StyleHeatNetworks, TrainingNumbers
from ..networks.inversion import Inversion
from ..networks.pictures import resized
from .losses import LANDMARK_FRAME, CalibrationStep, calibration_losses, part_boxes, reconstruction_loss

ADVERSARIAL = 0.1  # times the loss itself, before its weight, as published
INVERTING = frozenset({"stylegan", "e4e_encoder", "hfgi_aligner", "hfgi_encoder"})
MEAN_DRAWS = 4096


@dataclass(frozen=True)
class Pairs:
    """Each pair of frames in both directions, 2 N in all.

    Attributes:
        source, target: (2 N, 3, H, W) in [-1, 1].
        windows: (2 N, 73, 27), of the targets.
        landmarks: (2 N, 68, 2), of the targets, in a frame of 256 pixels; None where no loss asks for them.
    """

    source: Tensor
    target: Tensor
    windows: Tensor
    landmarks: Tensor | None = field(default=None, repr=False)

    @classmethod
    def of(cls, batch: Batch) -> Pairs:
        source, driving = batch["source"] * 2 - 1, batch["driving"] * 2 - 1
        windows = row73(torch.cat([batch["driving_rows"], batch["source_rows"]])).transpose(1, 2)
        landmarks = None
        if "driving_keypoints" in batch:
            points = torch.cat([batch["driving_keypoints"], batch["source_keypoints"]])
            landmarks = points.reshape(len(points), -1, 2)
        return cls(torch.cat([source, driving]), torch.cat([driving, source]), windows, landmarks)


class Objective:
    """Losses by stage, weighted scalars by name.

    The discriminator scores the pictures that another loss made of the batch, so `discriminator_losses` follows it.

    Args:
        networks: by name, see `networks_by_name`.
        model: the module that holds them.
        config: of them.
        fixed: networks of others that losses need.
    """

    def __init__(
        self, networks: nn.ModuleDict, model: StyleHeatNetworks, config: StyleHeatConfig, fixed: FixedNetworks
    ) -> None:
        self.networks, self.model, self.config, self.fixed = networks, model, config, fixed
        self._made: tuple[Batch, Tensor, Tensor] | None = None

    def warper_losses(self, batch: Batch) -> Losses:
        """Losses of stage 1: the warped source against the target."""
        stage, pairs = self.config.train_params.video_warper, Pairs.of(batch)
        weights, side = stage.loss_weights, self.config.encoder.size
        source, target = resized(pairs.source, side), resized(pairs.target, side)
        if torch.rand(()) < stage.mirror and not self.config.warper.guided:
            half = len(source) // 2
            source = torch.cat([source[:half], target[half:].flip(-1)])
        warped = self.model.video_warper(source, pairs.windows, self.guide(batch)).apply(source)
        return _weighted(
            perceptual=(weights.perceptual, lambda: perceptual_loss(self._vgg(target), warped, target)),
            reconstruction=(weights.reconstruction, lambda: reconstruction_loss(warped, target, weights.focus)),
        )

    def calibrator_losses(self, batch: Batch) -> Losses:
        """Losses of stage 2: the frames that are made against the targets."""
        stage, pairs = self.config.train_params.calibrator, Pairs.of(batch)
        weights, side = stage.loss_weights, pairs.target.shape[-1]
        inversion = self.invert(pairs.source, learns=bool(set(stage.tune) & INVERTING))
        moved = self.model.move(inversion, pairs.windows, self.guide(batch))
        made = resized(self.model.draw(inversion, moved), side)
        warped = resized(self.model.draw_warped(inversion, moved), side) if weights.uses_warp else None
        boxes = None if pairs.landmarks is None else part_boxes(pairs.landmarks, side / LANDMARK_FRAME)
        step = CalibrationStep(made, warped, pairs.target, boxes, self._next_iteration())
        self._made = (batch, pairs.target, made.detach())
        adversarial = partial(self._adversarial, inverted=stage.inverted_adversary) if weights.gan_loss else None
        return calibration_losses(step, weights, self._vgg(made) if weights.perceptual else None, adversarial)

    def inversion_losses(self, batch: Batch) -> Losses:
        """Losses of our own stage: both frames against their inversions."""
        weights = self.config.train_params.inversion.loss_weights
        real = torch.cat([batch["source"], batch["driving"]]) * 2 - 1
        self._ensure_mean_code()
        inverter = self.model.generator
        rough = inverter.encode(real)
        full = inverter.detail(rough, rough.residual).full
        side = min(real.shape[-1], full.shape[-1])
        made, real = resized(full, side), resized(real, side)
        self._made = (batch, real, made.detach())
        small = resized(real, rough.picture.shape[-1])
        return _weighted(
            reconstruction=(weights.reconstruction, lambda: reconstruction_loss(made, real, weights.focus)),
            rough=(weights.rough, lambda: reconstruction_loss(rough.picture, small, weights.focus)),
            perceptual=(weights.perceptual, lambda: perceptual_loss(self._vgg(real), made, real)),
            identity=(weights.identity, lambda: self._identity(made, real)),
            offsets=(weights.offsets, lambda: offsets_length(rough.codes)),
            adversarial=(weights.adversarial, lambda: generator_loss(self.scores(made))),
        )

    def joint_losses(self, batch: Batch) -> Losses:
        """Losses of our own stage: frames that are made, inversions of the sources, and the warp against the mesh."""
        weights, pairs, faces = self.config.train_params.joint.loss_weights, Pairs.of(batch), FacePairs.of(batch)
        self._ensure_mean_code()
        rough = self.model.generator.encode(pairs.source)
        own = self.model.generator.detail(rough, rough.residual)
        guide = faces.guide(self.config.flow_side)
        warper_guide = guide if self.config.warper.guided else None
        moved = self.model.move(own._replace(picture=own.picture.detach()), pairs.windows, warper_guide)
        made, side = self.model.draw(own, moved), pairs.target.shape[-1]
        made, inverted = resized(made, side), resized(own.full, side)
        small = resized(pairs.source, rough.picture.shape[-1])
        counts = faces.counts(weights, pairs.target)
        self._made = (batch, pairs.target, made.detach())
        return _weighted(
            reconstruction=(
                weights.reconstruction,
                lambda: reconstruction_loss(made, pairs.target, weights.focus, counts),
            ),
            own=(weights.own, lambda: reconstruction_loss(inverted, pairs.source, weights.focus)),
            rough=(weights.rough, lambda: reconstruction_loss(rough.picture, small, weights.focus)),
            flow=(weights.flow, lambda: flow_error(moved.warp, guide)),
            offsets=(weights.offsets, lambda: offsets_length(rough.codes)),
            adversarial=(weights.adversarial, lambda: generator_loss(self.scores(made))),
        )

    def discriminator_losses(self, batch: Batch) -> Losses:
        """Loss of the discriminator, between real pictures and those that the last loss made of the same batch."""
        if self._made is None or self._made[0] is not batch:
            raise RuntimeError("the discriminator's loss needs the other one of the same batch before it")
        _, real, made = self._made
        return {"discriminator": discriminator_loss(self.scores(real), self.scores(made))}

    def guide(self, batch: Batch) -> MotionGuide | None:
        """Guide of both directions of a batch, in the order of `Pairs`; None where the warper takes none."""
        return FacePairs.of(batch).guide(self.config.flow_side) if self.config.warper.guided else None

    def scores(self, pictures: Tensor) -> Tensor:
        """Scores (N, 1) of the discriminator for pictures (N, 3, H, W) in [-1, 1] of any size."""
        scores: Tensor = self.networks["discriminator"](resized(pictures, self.config.discriminator.size))
        return scores

    def invert(self, pictures: Tensor, *, learns: bool = False) -> Inversion:
        """Inverted pictures (N, 3, H, W) in [-1, 1].

        Args:
            learns: encoders or generator learn along. Otherwise they get no gradient, and their batch norms keep their
                statistics (the published trainer updates these).
        """
        if not learns:
            for name in INVERTING:
                self.networks[name].eval()
        with torch.set_grad_enabled(learns and torch.is_grad_enabled()):
            inversion: Inversion = self.model.generator(pictures)
        return inversion

    def _vgg(self, like: Tensor) -> VGG19:
        return self.fixed.required_vgg().to(like.device)

    def _identity(self, made: Tensor, real: Tensor) -> Tensor:
        network = self.fixed.required_identity().to(made.device)
        return identity_loss(network, resized(made, ALIGNED_SIZE), resized(real, ALIGNED_SIZE))

    def _adversarial(self, made: Tensor, *, inverted: bool) -> Tensor:
        """The adversarial loss as the published trainer scales it."""
        return ADVERSARIAL * generator_loss(self.scores(made), inverted=inverted)

    def _ensure_mean_code(self) -> None:
        """Set the mean code of an encoder that has none yet to that of the generator."""
        encoder = self.model.generator.e4e_encoder
        if not encoder.latent_avg.any():
            random = torch.Generator().manual_seed(0)
            encoder.load_mean(self.model.generator.stylegan.mean_code(MEAN_DRAWS, random)[0])

    def _next_iteration(self) -> int:
        """Steps before this one; counted only in training."""
        numbers = self.networks["progress"]
        if not isinstance(numbers, TrainingNumbers):
            raise TypeError("the training numbers are of another kind")
        before = int(numbers.iteration)
        if numbers.training:
            numbers.iteration += 1
        return before


def offsets_length(codes: Tensor) -> Tensor:
    """Mean length of the offsets of codes (N, codes, length) from the first one (Tov et al. 2021, section 4.1)."""
    return (codes[:, 1:] - codes[:, :1]).norm(dim=2).mean()


def _weighted(**terms: tuple[float, Callable[[], Tensor]]) -> Losses:
    """Terms times their weights; those of weight zero are not computed."""
    return {name: weight * term() for name, (weight, term) in terms.items() if weight}
