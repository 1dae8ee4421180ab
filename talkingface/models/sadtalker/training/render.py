"""Training of the renderer: face-vid2vid from scratch, with the losses of its paper (Wang et al. 2021, section 3.2).

As in SadTalker (section 3.4), the renderer is first trained without coefficients: what moves the keypoints is read off
the driving picture by a network that only training needs. Coefficients only tell the true angles of the head. The
adversary is a patch discriminator with hinge losses.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ....face3d.coefficients import row70
from ....nn.antialias import ImagePyramid
from ....nn.blocks.patch_discriminator import PatchDiscriminator
from ....nn.geometry.thin_plate import ThinPlateTransform
from ....nn.losses.gan import feature_distance, hinge_discriminator_loss, hinge_generator_loss
from ....nn.losses.perceptual import VGG19
from ...base import Batch, Losses
from ..config import DiscriminatorParams, RenderTrain
from ..networks.keypoints import transform_keypoints
from ..networks.mapping import HeadMotion
from . import pictures as render_losses
from .pictures import PictureLosses, middle, shown

Judgement = list[tuple[list[Tensor], Tensor]]
"""For each scale the features after each block, and the scores."""


class PictureDiscriminator(nn.Module):
    """A patch discriminator for each scale."""

    def __init__(self, params: DiscriminatorParams) -> None:
        super().__init__()
        widths = (params.block_expansion, params.max_features, params.num_blocks)
        self.pyramid = ImagePyramid(params.scales)
        self.discs = nn.ModuleList(PatchDiscriminator(3, *widths, sn=True) for _ in params.scales)

    def forward(self, pictures: Tensor) -> Judgement:
        """What it says of (N, 3, H, W) pictures in [0, 1], for each scale."""
        scaled = self.pyramid(pictures).values()
        return [disc(picture) for disc, picture in zip(self.discs, scaled, strict=True)]


@dataclass(frozen=True)
class Redrawn:
    """The driving frames, drawn from the source frames.

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
    """Losses of ``kp_extractor``, ``generator`` and ``he_estimator``, and of ``discriminator`` after them.

    Args:
        networks: those four.
        train: weights of the losses.
        vgg: for the perceptual loss; None where its weights are zero.
    """

    def __init__(self, networks: nn.ModuleDict, train: RenderTrain, vgg: VGG19 | None = None) -> None:
        self.networks, self.train = networks, train
        self._pictures = PictureLosses(train, vgg)
        self._made: tuple[Batch, Tensor] | None = None

    @property
    def uses_discriminator(self) -> bool:
        return self.train.generator_gan > 0

    def losses(self, batch: Batch) -> Losses:
        """Weighted losses of what draws; see `objective_pictures.samples`."""
        drawn = self.redraw(batch)
        self._made = (batch, drawn.prediction.detach())
        terms = self._pictures(drawn.prediction, batch["driving"])
        if self.uses_discriminator:
            terms |= self._adversarial(drawn.prediction, batch["driving"])
        return terms | self._priors(drawn, batch)

    def discriminator_losses(self, batch: Batch) -> Losses:
        """Hinge losses on the driving frames and what `losses` has made of this batch."""
        if self._made is None or self._made[0] is not batch:
            raise RuntimeError("the discriminator's losses need the generator's of the same batch before them")
        judge = self.networks["discriminator"]
        pairs = zip(judge(batch["driving"]), judge(self._made[1]), strict=True)
        losses = [hinge_discriminator_loss(real, fake) for (_, real), (_, fake) in pairs]
        return {"gan": torch.stack(losses).sum()}

    def redraw(self, batch: Batch) -> Redrawn:
        """Run the networks."""
        estimate, generator = self.networks["he_estimator"], self.networks["generator"]
        canonical = self.networks["kp_extractor"](batch["source"])
        motion = estimate(batch["driving"])
        source, driving = (transform_keypoints(canonical, moved) for moved in (estimate(batch["source"]), motion))
        return Redrawn(canonical, motion, driving, generator(batch["source"], source, driving))

    def validate(self, batch: Batch) -> tuple[dict[str, float], dict[str, Tensor]]:
        """Mean absolute error of the driving frames redrawn from the source frames, and the pictures."""
        made = self.redraw(batch).prediction
        return {"l1": float((made - batch["driving"]).abs().mean())}, shown(batch, made)

    def _adversarial(self, made: Tensor, real: Tensor) -> Losses:
        judge, train = self.networks["discriminator"], self.train
        pairs = list(zip(judge(real), judge(made), strict=True))
        fooled = torch.stack([hinge_generator_loss(scores) for _, (_, scores) in pairs]).sum()
        terms = {"gan": train.generator_gan * fooled}
        if any(train.feature_matching):
            distances = [feature_distance(wanted, got, train.feature_matching) for (wanted, _), (got, _) in pairs]
            terms["feature_matching"] = torch.stack([torch.as_tensor(distance) for distance in distances]).sum()
        return terms

    def _priors(self, drawn: Redrawn, batch: Batch) -> Losses:
        """What keeps keypoints and motion meaningful."""
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
        """The same for a driving frame that is warped at random, with the same canonical keypoints."""
        train = self.train
        warp = ThinPlateTransform.random(
            len(driving), driving, sigma_affine=train.sigma_affine, sigma_tps=train.sigma_tps, points=train.points_tps
        )
        motion = self.networks["he_estimator"](warp.warp_frames(driving, align_corners=True))
        return render_losses.equivariance(drawn.keypoints, transform_keypoints(drawn.canonical, motion), warp)
