"""Losses of the stages in which StyleHEAT learns to move and to give back pictures.

Pictures of batches are (N, 3, H, W) in [0, 1]; the networks' are in [-1, 1]. ``source`` and ``driving`` are two frames
of one person, ``source_rows`` and ``driving_rows`` (N, 27, 73 or 260) the coefficients around them, and
``source_keypoints`` and ``driving_keypoints`` (N, 1, 136) their landmarks in a frame of 256 pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import NoReturn

import torch
from torch import Tensor, nn

from ....errors import WeightsError
from ....face3d.coefficients import row73
from ....nn.losses.identity import ALIGNED_SIZE, IdentityNetwork, identity_loss
from ....nn.losses.perceptual import VGG19, perceptual_loss
from ....nn.stylegan2.losses import discriminator_loss, generator_loss
from ...base import Batch, Losses
from ..compact.guide import Guide
from ..compact.joint import FacePairs, flow_error
from ..config import StyleHeatConfig
from ..networks.build import StyleHeatNetworks, TrainingNumbers
from ..networks.inversion import Inversion
from ..networks.pictures import resized
from .face_parts import LANDMARK_FRAME, part_boxes
from .losses import CalibrationStep, calibration_losses, reconstruction_loss

ADVERSARIAL = 0.1  # times the loss itself, before its weight, as published
INVERTING = frozenset({"stylegan", "e4e_encoder", "hfgi_aligner", "hfgi_encoder"})
MEAN_DRAWS = 4096


@dataclass
class Helpers:
    """Fixed networks of others that some losses look through; None where their weights were not given."""

    vgg: VGG19 | None = None
    identity: IdentityNetwork | None = None

    def the_vgg(self) -> VGG19:
        """VGG19.

        Raises:
            WeightsError: if it was not given.
        """
        return self.vgg or _missing("vgg19")

    def the_identity(self) -> IdentityNetwork:
        """IR-SE50; errors as for `the_vgg`."""
        return self.identity or _missing("ir_se50")


def _missing(name: str) -> NoReturn:
    raise WeightsError(
        f"a loss needs the weights of {name}",
        where="train.loss_weights",
        cure=f"Get them with --run_mode=fetch --checkpoint={name}, or set the weights of such losses to 0.",
    )


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
            found = torch.cat([batch["driving_keypoints"], batch["source_keypoints"]])
            landmarks = found.reshape(len(found), -1, 2)
        return cls(torch.cat([source, driving]), torch.cat([driving, source]), windows, landmarks)


class Objective:
    """Losses by stage.

    The discriminator sees what the other loss of the same batch made, so `discriminator_losses` goes after it.

    Args:
        networks: by name, see networks.py.
        whole: the same as one.
        config: of them.
        helpers: fixed networks.
    """

    def __init__(
        self, networks: nn.ModuleDict, whole: StyleHeatNetworks, config: StyleHeatConfig, helpers: Helpers
    ) -> None:
        self.networks, self.whole, self.config, self.helpers = networks, whole, config, helpers
        self._shown: tuple[Batch, Tensor, Tensor] | None = None

    def warper_losses(self, batch: Batch) -> Losses:
        """Stage 1: the source, warped, against the target."""
        stage, pairs = self.config.train_params.video_warper, Pairs.of(batch)
        weights, side = stage.loss_weights, self.config.encoder.size
        source, target = resized(pairs.source, side), resized(pairs.target, side)
        if torch.rand(()) < stage.mirror and not self.config.warper.guided:
            half = len(source) // 2
            source = torch.cat([source[:half], target[half:].flip(-1)])
        warped = self.whole.video_warper(source, pairs.windows, self.guide(batch)).apply(source)
        return _weighted(
            perceptual=(weights.perceptual, lambda: perceptual_loss(self._vgg(target), warped, target)),
            reconstruction=(weights.reconstruction, lambda: reconstruction_loss(warped, target, weights.focus)),
        )

    def calibrator_losses(self, batch: Batch) -> Losses:
        """Stage 2: the frames that are made against the targets."""
        stage, pairs = self.config.train_params.calibrator, Pairs.of(batch)
        weights, side = stage.loss_weights, pairs.target.shape[-1]
        inversion = self.invert(pairs.source, learns=bool(set(stage.tune) & INVERTING))
        moved = self.whole.move(inversion, pairs.windows, self.guide(batch))
        made = resized(self.whole.draw(inversion, moved), side)
        warped = resized(self.whole.draw_warped(inversion, moved), side) if weights.looks_at_warp else None
        boxes = None if pairs.landmarks is None else part_boxes(pairs.landmarks, side / LANDMARK_FRAME)
        step = CalibrationStep(made, warped, pairs.target, boxes, self._next_iteration())
        self._shown = (batch, pairs.target, made.detach())
        judge = partial(self._passing, inverted=stage.inverted_adversary) if weights.gan_loss else None
        return calibration_losses(step, weights, self._vgg(made) if weights.perceptual else None, judge)

    def inversion_losses(self, batch: Batch) -> Losses:
        """Our own stage: both frames, given back."""
        weights = self.config.train_params.inversion.loss_weights
        real = torch.cat([batch["source"], batch["driving"]]) * 2 - 1
        self._ensure_mean_code()
        inverter = self.whole.generator
        rough = inverter.encode(real)
        full = inverter.detail(rough, rough.residual).full
        side = min(real.shape[-1], full.shape[-1])
        made, real = resized(full, side), resized(real, side)
        self._shown = (batch, real, made.detach())
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
        """Our own stage: the frames that are made, and the sources given back, with a warp that the mesh shows."""
        weights, pairs, faces = self.config.train_params.joint.loss_weights, Pairs.of(batch), FacePairs.of(batch)
        self._ensure_mean_code()
        rough = self.whole.generator.encode(pairs.source)
        own = self.whole.generator.detail(rough, rough.residual)
        guide = faces.guide(self.config.flow_side)
        seen = guide if self.config.warper.guided else None
        moved = self.whole.move(own._replace(picture=own.picture.detach()), pairs.windows, seen)
        made, side = self.whole.draw(own, moved), pairs.target.shape[-1]
        made, given_back = resized(made, side), resized(own.full, side)
        small = resized(pairs.source, rough.picture.shape[-1])
        counts = faces.counts(weights, pairs.target)
        self._shown = (batch, pairs.target, made.detach())
        return _weighted(
            reconstruction=(
                weights.reconstruction,
                lambda: reconstruction_loss(made, pairs.target, weights.focus, counts),
            ),
            own=(weights.own, lambda: reconstruction_loss(given_back, pairs.source, weights.focus)),
            rough=(weights.rough, lambda: reconstruction_loss(rough.picture, small, weights.focus)),
            flow=(weights.flow, lambda: flow_error(moved.warp, guide)),
            offsets=(weights.offsets, lambda: offsets_length(rough.codes)),
            adversarial=(weights.adversarial, lambda: generator_loss(self.scores(made))),
        )

    def discriminator_losses(self, batch: Batch) -> Losses:
        """How the discriminator tells real pictures from those that the last loss made of the same batch."""
        if self._shown is None or self._shown[0] is not batch:
            raise RuntimeError("the discriminator's loss needs the other one of the same batch before it")
        _, real, made = self._shown
        return {"discriminator": discriminator_loss(self.scores(real), self.scores(made))}

    def guide(self, batch: Batch) -> Guide | None:
        """For both directions of a batch, in the order of `Pairs`; None where the warper takes none."""
        return FacePairs.of(batch).guide(self.config.flow_side) if self.config.warper.guided else None

    def scores(self, pictures: Tensor) -> Tensor:
        """What the discriminator says of pictures in [-1, 1] of any size."""
        found: Tensor = self.networks["discriminator"](resized(pictures, self.config.discriminator.size))
        return found

    def invert(self, pictures: Tensor, *, learns: bool = False) -> Inversion:
        """Inverted pictures (N, 3, H, W) in [-1, 1].

        Args:
            learns: whether encoders or generator learn along. Otherwise they get no gradient, and their batch norms
                keep to what they know (the published trainer lets these see the batch).
        """
        if not learns:
            for name in INVERTING:
                self.networks[name].eval()
        with torch.set_grad_enabled(learns and torch.is_grad_enabled()):
            found: Inversion = self.whole.generator(pictures)
        return found

    def _vgg(self, like: Tensor) -> VGG19:
        return self.helpers.the_vgg().to(like.device)

    def _identity(self, made: Tensor, real: Tensor) -> Tensor:
        network = self.helpers.the_identity().to(made.device)
        return identity_loss(network, resized(made, ALIGNED_SIZE), resized(real, ALIGNED_SIZE))

    def _passing(self, made: Tensor, *, inverted: bool) -> Tensor:
        """The adversarial loss as the published trainer scales it."""
        return ADVERSARIAL * generator_loss(self.scores(made), inverted=inverted)

    def _ensure_mean_code(self) -> None:
        """Give an encoder that has no mean code yet that of the generator."""
        encoder = self.whole.generator.e4e_encoder
        if not encoder.latent_avg.any():
            random = torch.Generator().manual_seed(0)
            encoder.load_mean(self.whole.generator.stylegan.mean_code(MEAN_DRAWS, random)[0])

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
