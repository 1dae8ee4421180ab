"""A student of FOM as the trainer sees it: smaller networks that learn from a trained model, the teacher.

Stages as in PaddleGAN: the detector learns the teacher's keypoints; the generator draws with the teacher's keypoints;
both are trained together. What the student does not have yet is the teacher's.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ....face3d.mesh import LEFT_EYE, OUTER_LIPS, RIGHT_EYE
from ....nn.geometry.grids import inverse_2x2
from ....nn.geometry.keypoints import Keypoints
from ....nn.geometry.thin_plate import ThinPlateTransform
from ....nn.losses.perceptual import VGG16, perceptual_distance
from ....nn.precision import float32_region
from ....nn.pruning.remove import sparsity_penalty
from ...base import Batch, Losses, Phase
from ...mesh_faces import surroundings
from ..config import FOMConfig
from ..networks.student import NETWORKS, redraw
from ..plugin import FOM
from .losses import pyramid_error
from .student_settings import StudentLosses

STAGES = {"keypoints": ("kp_detector",), "generator": ("generator",), "both": NETWORKS}
"""Stage -> networks of the student that it trains, and that draw in its validation."""

_LAYERS = ("predictor", "dense_motion_network.predictor", "dense_motion_network.hourglass", "bottleneck")


class StudentTraining(FOM):
    """The model whose networks are the student's.

    Args:
        config: of the student.
        teacher: trained networks of the same architecture; they stay as they are.
        losses: weights.
        rate: learning rate.
        vgg: fixed features of the perceptual loss; None trains without it.
    """

    stages = tuple(STAGES)

    def __init__(
        self, config: FOMConfig, teacher: nn.ModuleDict, losses: StudentLosses, rate: float, vgg: VGG16 | None = None
    ) -> None:
        super().__init__(config)
        self.networks = nn.ModuleDict({name: self.networks[name] for name in NETWORKS})
        self.teacher = teacher.requires_grad_(False).eval()
        self.losses, self.rate, self.features = losses, rate, vgg

    def phases(self, train: Any) -> list[Phase]:
        """One phase, of the networks that the stage trains."""
        objective = StudentObjective(self.networks, self.teacher, STAGES[self.stage], self.losses, self.features)
        return [Phase("student", list(STAGES[self.stage]), objective, partial(_adam, rate=self.rate))]

    @torch.no_grad()
    def validate(self, batch: Batch) -> tuple[dict[str, float], dict[str, Tensor]]:
        """Errors of the driving frames, and pictures.

        ``l1`` is the student's, with the teacher's network where the stage trains none; ``taught`` is its distance
        from the teacher's pictures, ``teacher`` the error of these.
        """
        pictures = {}
        for name, own in (("prediction", STAGES[self.stage]), ("teacher", ())):
            detector, generator = _taken(self.networks, self.teacher, own)
            both = torch.cat([batch["source"], batch["driving"]])
            count = len(batch["source"])
            drawn = redraw(generator, both, detector(both), _points(batch), torch.ones(2 * count), count)
            pictures[name] = drawn["prediction"][count:]
        made, taught, real = pictures["prediction"], pictures["teacher"], batch["driving"]
        scores = {"l1": made - real, "taught": made - taught, "teacher": taught - real}
        return {name: float(error.abs().mean()) for name, error in scores.items()}, pictures


def _adam(parameters: Iterable[nn.Parameter], rate: float) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=rate, betas=(0.5, 0.999))


def _taken(student: nn.ModuleDict, teacher: nn.ModuleDict, own: Iterable[str]) -> tuple[nn.Module, nn.Module]:
    """Detector and generator: the student's where they are its own, else the teacher's."""
    detector, generator = (student[name] if name in own else teacher[name] for name in NETWORKS)
    return detector, generator


def _points(batch: Batch) -> Tensor:
    return torch.cat([batch["points_source"], batch["points_driving"]])


class StudentObjective:
    """Losses, weighted scalars by name, of a stage; both frames of each pair are drawn from the other.

    Args:
        student: its networks.
        teacher: likewise.
        own: names of the networks that are trained.
        weights: of the losses.
        vgg: fixed features; None where there are none.
    """

    def __init__(
        self,
        student: nn.ModuleDict,
        teacher: nn.ModuleDict,
        own: tuple[str, ...],
        weights: StudentLosses,
        vgg: VGG16 | None = None,
    ) -> None:
        self.student, self.teacher, self.own, self.weights, self.vgg = student, teacher, own, weights, vgg
        self._strong = [Strength(networks[name]) for networks in (student, teacher) for name in own]

    def __call__(self, batch: Batch) -> Losses:
        """Losses () of pairs ``source`` and ``driving`` (N, 3, H, W) with the points of their faces."""
        pictures, points = torch.cat([batch["source"], batch["driving"]]), _points(batch)
        with torch.no_grad():
            taught: Keypoints = self.teacher["kp_detector"](pictures)
        losses: Losses = {}
        keypoints = taught
        if "kp_detector" in self.own:
            keypoints = self.student["kp_detector"](pictures)
            losses |= self._keypoint_losses(keypoints, taught)
        if "generator" in self.own:
            losses |= self._picture_losses(pictures, points, keypoints, taught)
        losses["attention"] = self.weights.attention * self._attention()
        if "kp_detector" in self.own and self.weights.equivariance:
            losses["equivariance"] = self.weights.equivariance * self._equivariance(pictures, keypoints)
        if self.weights.sparsity:
            penalty = torch.stack([sparsity_penalty(self.student[name]) for name in self.own]).mean()
            losses["sparsity"] = self.weights.sparsity * penalty
        return losses

    def _keypoint_losses(self, keypoints: Keypoints, taught: Keypoints) -> Losses:
        """Distances from the teacher's keypoints."""
        weights = {"value": self.weights.keypoints, "jacobian": self.weights.jacobians}
        return {f"{name}s": weights[name] * (keypoints[name] - taught[name]).abs().mean() for name in taught}

    def _equivariance(self, pictures: Tensor, keypoints: Keypoints) -> Tensor:
        """Distance, a scalar, of keypoints of half the pictures, warped and warped back, from those found before."""
        half = pictures[len(pictures) // 2 :]
        transform = ThinPlateTransform.random(len(half), half, sigma_affine=0.05, sigma_tps=0.005, points=5)
        warped = self.student["kp_detector"](transform.warp_frames(half, align_corners=True))
        with float32_region(half):
            moved = (keypoints["value"][len(half) :] - transform.warp_points(warped["value"])).abs().mean()
            if "jacobian" not in warped:
                return moved
            turned = transform.jacobian(warped["value"]) @ warped["jacobian"]
            product = inverse_2x2(keypoints["jacobian"][len(half) :]) @ turned
            return moved + 0.2 * (product - torch.eye(2).to(product)).abs().mean()

    def _picture_losses(self, pictures: Tensor, points: Tensor, keypoints: Keypoints, taught: Keypoints) -> Losses:
        """Distances of the drawn frames from the teacher's and from the real ones."""
        weights, count = self.weights, len(pictures) // 2
        told = (torch.rand(len(points), device=points.device) >= weights.without_points).to(points.dtype)
        made = redraw(self.student["generator"], pictures, keypoints, points, told, count)
        with torch.no_grad():
            wanted = redraw(self.teacher["generator"], pictures, taught, points, told, count)
        drawn = made["prediction"].float()
        face = 1 + weights.face * surroundings(points, [OUTER_LIPS, LEFT_EYE, RIGHT_EYE], pictures)
        maps = [name for name in ("deformed", "occlusion_map", "mask") if name in made]
        losses = {
            "taught": weights.taught * pyramid_error(drawn, wanted["prediction"].float(), face),
            "reconstruction": weights.reconstruction * pyramid_error(drawn, pictures, face),
            "edges": weights.edges * edge_error(drawn, pictures, face),
            "motion": weights.motion * torch.stack([(made[n] - wanted[n]).abs().mean() for n in maps]).sum(),
        }
        if self.vgg is not None and weights.perceptual:
            losses["perceptual"] = weights.perceptual * self._perceptual(drawn, pictures)
        return losses

    def _perceptual(self, made: Tensor, real: Tensor) -> Tensor:
        """Distance in VGG16's features, a scalar, of a window of half the side, somewhere in the picture."""
        assert self.vgg is not None  # noqa: S101 (narrows the type)
        side = made.shape[-1] // 2
        top, left = (int(torch.randint(side + 1, ())) for _ in range(2))
        parts = (pictures[..., top : top + side, left : left + side] for pictures in (made, real))
        return perceptual_distance(self.vgg, *parts).mean()

    def _attention(self) -> Tensor:
        """Distance of the student's maps of strength from the teacher's, a scalar, over layers and networks."""
        half = len(self._strong) // 2
        distances = [
            (own.maps[layer] - other.maps[layer]).square().sum(dim=1).mean()
            for own, other in zip(self._strong[:half], self._strong[half:], strict=True)
            for layer in own.maps
            if own.maps[layer].shape == other.maps[layer].shape
        ]
        return torch.stack(distances).sum()


def edge_error(made: Tensor, real: Tensor, importance: Tensor) -> Tensor:
    """Absolute error, a scalar, of the differences of neighbouring pixels of (N, 3, H, W).

    Args:
        importance: (N, 1, H, W), weights of the pixels.
    """
    across = (made.diff(dim=-1) - real.diff(dim=-1)).abs() * importance[..., 1:]
    down = (made.diff(dim=-2) - real.diff(dim=-2)).abs() * importance[..., 1:, :]
    return across.mean() + down.mean()


class Strength:
    """Maps of where a network's features are strong, kept at each run of it.

    Mean squares over channels, brought to length 1: they compare networks of different widths (Zagoruyko and Komodakis
    2017, attention transfer, equation 2).

    Attributes:
        maps: layer -> (N, H * W), of its last run.
    """

    def __init__(self, network: nn.Module) -> None:
        self.maps: dict[str, Tensor] = {}
        for name, module in network.named_modules():
            if name in _LAYERS:
                module.register_forward_hook(partial(self._keep, name))

    def _keep(self, name: str, module: nn.Module, given: Any, result: Tensor) -> None:
        self.maps[name] = nn.functional.normalize(result.float().square().mean(dim=1).flatten(1), dim=1)
