"""Training of the renderer and of the mapping network (SadTalker, section 3.4).

The renderer is face-vid2vid, from scratch, with the losses of its paper (Wang et al. 2021, section 3.2). It is trained
first and without coefficients: a network that only training needs reads the motion of the keypoints off the driving
picture, and coefficients only give the true angles of the head. The adversary is a patch discriminator with hinge
losses. Then the mapping network learns to move the keypoints by coefficients, against a renderer that stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from ....motion.coefficients import row70, row73
from ....nn.antialias import ImagePyramid
from ....nn.geometry.thin_plate import ThinPlateTransform
from ....nn.losses.gan import PatchDiscriminator, feature_distance, hinge_discriminator_loss, hinge_generator_loss
from ....nn.losses.perceptual import VGG19
from ...base import Batch, Losses
from ..config import DiscriminatorParams, MappingTrain, RenderTrain, SadTalkerConfig
from ..networks.mapping import HeadMotion
from ..networks.motion import transform_keypoints
from . import pictures as render_losses
from .head_estimator import build_head_estimator
from .phases import Builders, Stage
from .pictures import PictureLosses, middle, moving_window, picture_samples, pictures_of, still_window


class MappingObjective:
    """Losses of ``mapping``, weighted scalars by name.

    Args:
        networks: with ``kp_extractor`` and ``generator``, and ``he_estimator`` where keypoints are compared.
        coefficients: of a frame, 70 or 73.
        train: weights of the losses.
        vgg: for the perceptual loss; None where its weights are zero.
    """

    learns: tuple[str, ...] = ("mapping",)
    discriminators: tuple[str, ...] = ()

    def __init__(
        self, networks: nn.ModuleDict, coefficients: int, train: MappingTrain, vgg: VGG19 | None = None
    ) -> None:
        self.networks, self.train = networks, train
        self._columns = row73 if coefficients == 73 else row70
        self._pictures = PictureLosses(train, vgg)

    @property
    def through(self) -> list[str]:
        """Networks that have to be trained before."""
        return ["kp_extractor", "generator", *(["he_estimator"] if self.train.keypoints else [])]

    def losses(self, batch: Batch) -> Losses:
        """Weighted losses; see `picture_samples`."""
        for name in self.through:
            self.networks[name].eval()  # their batch statistics must not drift either
        canonical, source, driving = self._keypoints(batch)
        terms: Losses = {}
        if self.train.keypoints:
            with torch.no_grad():
                estimate = self.networks["he_estimator"]
                wanted = [transform_keypoints(canonical, estimate(batch[name])) for name in ("source", "driving")]
            distances = [(a - b).abs().mean() for a, b in zip((source, driving), wanted, strict=True)]
            terms["keypoints"] = self.train.keypoints * torch.stack(distances).mean()
        if self.train.reconstruction or any(self.train.perceptual):
            made = self.networks["generator"](batch["source"], source, driving)
            terms |= self._pictures(made, batch["driving"])
        return terms

    def validate(self, batch: Batch) -> tuple[dict[str, float], dict[str, Tensor]]:
        """Mean absolute error of the driving frames drawn from their coefficients, and the pictures."""
        _, source, driving = self._keypoints(batch)
        made = self.networks["generator"](batch["source"], source, driving)
        return {"l1": float((made - batch["driving"]).abs().mean())}, pictures_of(batch, made)

    def _keypoints(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Canonical keypoints of the source, and those of source and driving frames by their coefficients."""
        with torch.no_grad():
            canonical = self.networks["kp_extractor"](batch["source"])
        windows = still_window(batch["source_rows"]), moving_window(batch["driving_rows"])
        mapping = self.networks["mapping"]
        source, driving = (transform_keypoints(canonical, mapping(self._columns(window.mT).mT)) for window in windows)
        return canonical, source, driving


def _only_training_mapping(config: SadTalkerConfig, train: MappingTrain) -> Builders:
    return {"he_estimator": partial(build_head_estimator, config)} if train.keypoints > 0 else {}


MAPPING = Stage(
    picture_samples,
    objective=lambda networks, config, train, vgg: MappingObjective(networks, config.coefficients, train, vgg),
    only_training=_only_training_mapping,
)


DiscriminatorOutput = list[tuple[list[Tensor], Tensor]]
"""For each scale the features (N, C, h, w) after each block, and the scores (N, 1, h, w)."""


class PictureDiscriminator(nn.Module):
    """A patch discriminator for each scale."""

    def __init__(self, params: DiscriminatorParams) -> None:
        super().__init__()
        widths = (params.block_expansion, params.max_features, params.num_blocks)
        self.pyramid = ImagePyramid(params.scales)
        self.discs = nn.ModuleList(PatchDiscriminator(3, *widths, sn=True) for _ in params.scales)

    def forward(self, pictures: Tensor) -> DiscriminatorOutput:
        """Features and scores of (N, 3, H, W) pictures in [0, 1], for each scale."""
        scaled = self.pyramid(pictures).values()
        return [disc(picture) for disc, picture in zip(self.discs, scaled, strict=True)]


@dataclass(frozen=True)
class Redrawn:
    """Driving frames drawn from the source frames.

    Attributes:
        canonical: (N, K, 3), keypoints without pose and expression, of the source.
        motion: of the driving frames.
        keypoints: (N, K, 3), of the driving frames.
        prediction: (N, 3, H, W) in [0, 1].
    """

    canonical: Tensor
    motion: HeadMotion
    keypoints: Tensor
    prediction: Tensor


class RenderObjective:
    """Losses, weighted scalars by name, of ``kp_extractor``, ``generator``, ``he_estimator`` and ``discriminator``.

    Args:
        networks: these four.
        train: weights of the losses.
        vgg: for the perceptual loss; None where its weights are zero.
    """

    learns: tuple[str, ...] = ("generator", "kp_extractor", "he_estimator")
    through: tuple[str, ...] = ()

    def __init__(self, networks: nn.ModuleDict, train: RenderTrain, vgg: VGG19 | None = None) -> None:
        self.networks, self.train = networks, train
        self._pictures = PictureLosses(train, vgg)
        self._made: tuple[Batch, Tensor] | None = None

    @property
    def discriminators(self) -> list[str]:
        return ["discriminator"] if self.train.generator_gan > 0 else []

    def losses(self, batch: Batch) -> Losses:
        """Weighted losses of the networks that draw; see `picture_samples`."""
        drawn = self.redraw(batch)
        self._made = (batch, drawn.prediction.detach())
        terms = self._pictures(drawn.prediction, batch["driving"])
        if self.discriminators:
            terms |= self._adversarial(drawn.prediction, batch["driving"])
        return terms | self._priors(drawn, batch)

    def discriminator_losses(self, batch: Batch) -> Losses:
        """Hinge losses on the driving frames and on those that `losses` has drawn of this batch."""
        if self._made is None or self._made[0] is not batch:
            raise RuntimeError("the discriminator's losses need the generator's of the same batch before them")
        discriminator = self.networks["discriminator"]
        pairs = zip(discriminator(batch["driving"]), discriminator(self._made[1]), strict=True)
        losses = [hinge_discriminator_loss(real, fake) for (_, real), (_, fake) in pairs]
        return {"gan": torch.stack(losses).sum()}

    def redraw(self, batch: Batch) -> Redrawn:
        """Redraw the driving frames from the source frames."""
        estimate, generator = self.networks["he_estimator"], self.networks["generator"]
        canonical = self.networks["kp_extractor"](batch["source"])
        motion = estimate(batch["driving"])
        source, driving = (transform_keypoints(canonical, moved) for moved in (estimate(batch["source"]), motion))
        return Redrawn(canonical, motion, driving, generator(batch["source"], source, driving))

    def validate(self, batch: Batch) -> tuple[dict[str, float], dict[str, Tensor]]:
        """Mean absolute error of the driving frames redrawn from the source frames, and the pictures."""
        made = self.redraw(batch).prediction
        return {"l1": float((made - batch["driving"]).abs().mean())}, pictures_of(batch, made)

    def _adversarial(self, made: Tensor, real: Tensor) -> Losses:
        discriminator, train = self.networks["discriminator"], self.train
        pairs = list(zip(discriminator(real), discriminator(made), strict=True))
        adversarial = torch.stack([hinge_generator_loss(scores) for _, (_, scores) in pairs]).sum()
        terms = {"gan": train.generator_gan * adversarial}
        if any(train.feature_matching):
            distances = [feature_distance(wanted, got, train.feature_matching) for (wanted, _), (got, _) in pairs]
            terms["feature_matching"] = torch.stack([torch.as_tensor(distance) for distance in distances]).sum()
        return terms

    def _priors(self, drawn: Redrawn, batch: Batch) -> Losses:
        """Weighted priors, which keep keypoints and motion meaningful."""
        train = self.train
        terms: Losses = {}
        if train.separation:
            terms["separation"] = train.separation * render_losses.separation(drawn.keypoints)
        if train.deformation:
            terms["deformation"] = train.deformation * render_losses.deformation(drawn.motion)
        if train.head_pose:
            angles = render_losses.head_pose(drawn.motion, row70(middle(batch["driving_rows"])))
            terms["head_pose"] = train.head_pose * angles
        if train.equivariance:
            terms["equivariance"] = train.equivariance * self._equivariance(drawn, batch["driving"])
        return terms

    def _equivariance(self, drawn: Redrawn, driving: Tensor) -> Tensor:
        """Equivariance loss of a driving frame that is warped at random, with the same canonical keypoints."""
        train = self.train
        warp = ThinPlateTransform.random(
            len(driving), driving, sigma_affine=train.sigma_affine, sigma_tps=train.sigma_tps, points=train.points_tps
        )
        motion = self.networks["he_estimator"](warp.warp_frames(driving, align_corners=True))
        return render_losses.equivariance(drawn.keypoints, transform_keypoints(drawn.canonical, motion), warp)


def _only_training(config: SadTalkerConfig, train: RenderTrain) -> Builders:
    builders: dict[str, Callable[[], nn.Module]] = {"he_estimator": partial(build_head_estimator, config)}
    if train.generator_gan:
        builders["discriminator"] = partial(PictureDiscriminator, train.discriminator_params)
    return builders


RENDER = Stage(
    picture_samples,
    objective=lambda networks, config, train, vgg: RenderObjective(networks, train, vgg),
    only_training=_only_training,
)
