"""Training of the generator with mixed keypoints, whichever model gives the keypoints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..face3d.mesh import LEFT_EYE, OUTER_LIPS, RIGHT_EYE
from ..nn.geometry.grids import take_windows, window_corners
from ..nn.geometry.keypoints import Keypoints
from ..nn.losses.gan import PatchDiscriminator, discriminator_loss, feature_distance, generator_loss
from ..nn.losses.perceptual import VGG16, perceptual_distance
from .base import Batch, Losses, Phase
from .mesh_faces import surroundings
from .mixed_generator import PARTS, FacePoints, MixedGenerator
from .mixed_settings import MixedLosses

Moves = Callable[[Batch], tuple[Keypoints, Keypoints]]
"""Batch of N pairs -> keypoints of its 2N pictures (sources, then driving frames), and of the frames that they are to
become: each the other one of its pair."""


class MixedTraining:
    """Phases and scores of a plug-in whose generator has mixed keypoints and is trained alone.

    Args:
        networks: of the plug-in, with ``generator`` and ``discriminator`` (a RegionDiscriminator).
        moves: gives the keypoints.
        losses: weights.
        rates: learning rate by phase, ``generator`` and ``discriminator``.
        vgg: fixed features of the perceptual loss; None where its weight is zero.
    """

    def __init__(
        self, networks: nn.ModuleDict, moves: Moves, losses: MixedLosses, rates: Mapping[str, float], vgg: VGG16 | None
    ) -> None:
        self.networks, self.moves, self.losses, self.rates, self.features = networks, moves, losses, dict(rates), vgg

    def phases(self) -> list[Phase]:
        """The generator, then the discriminators where a loss asks for them."""
        objective = MixedObjective(self.networks, self.moves, self.losses, self.features)
        phases = [Phase("generator", ["generator"], objective.generator_losses, self._optimizer("generator"))]
        if self.losses.adversarial:
            optimizer = self._optimizer("discriminator")
            phases.append(Phase("discriminator", ["discriminator"], objective.discriminator_losses, optimizer))
        return phases

    def _optimizer(self, name: str) -> Any:
        return partial(_adam, rate=self.rates[name])

    @torch.no_grad()
    def validate(self, batch: Batch) -> tuple[dict[str, float], dict[str, Tensor]]:
        """Errors of the driving frames redrawn with points and without, and the pictures.

        Args:
            batch: ``source`` and ``driving`` (N, 3, H, W) in [0, 1], ``points_source`` and ``points_driving``
                (N, 468, 2), (x, y) in [-1, 1].

        Returns:
            ``l1`` with points, ``l1_lips`` the same around the lips, ``l1_keypoints`` without points; and pictures
            (N, 3, H, W).
        """
        generator: Any = self.networks["generator"]
        source, driving = batch["source"], batch["driving"]
        count = len(source)
        first, second = ({k: v[:count] for k, v in part.items()} for part in self.moves(batch))
        known = torch.ones(count, device=source.device)
        face = FacePoints(batch["points_driving"], known)
        state = generator.encode_face(source, FacePoints(batch["points_source"], known))
        drawn = generator.decode_face(state, first, second, face, explain=True)
        plain = generator.decode_face(state, first, second, FacePoints(face.points, 0 * known))["prediction"]
        error = (drawn["prediction"] - driving).abs()
        lips = surroundings(face.points, [OUTER_LIPS], driving)
        scores = {
            "l1": float(error.mean()),
            "l1_lips": float((error * lips).sum() / (3 * lips.sum()).clamp(min=1)),
            "l1_keypoints": float((plain - driving).abs().mean()),
        }
        return scores, {"prediction": drawn["prediction"], "keypoints": plain, "deformed": drawn["deformed"]}


def detected(detector: nn.Module, batch: Batch) -> tuple[Keypoints, Keypoints]:
    """Keypoints that a detector, which is not trained, finds in the pictures themselves; see `Moves`.

    Args:
        batch: with ``source`` and ``driving``, (N, 3, H, W) in [0, 1].
    """
    with torch.no_grad():
        found: Keypoints = detector.eval()(torch.cat([batch["source"], batch["driving"]]))
    return found, {name: value.roll(len(batch["source"]), 0) for name, value in found.items()}


def _adam(parameters: Iterable[nn.Parameter], rate: float) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=rate, betas=(0.5, 0.999))


PATCH = "patch"
WINDOWS = {**{name: part.share for name, part in PARTS.items()}, PATCH: (3 / 8, 3 / 8)}
"""Region -> height and width of its window over the picture's side; a patch lies anywhere in the middle."""

_MIDDLE = 0.6  # of the picture: where the centres of patches are drawn


@dataclass(frozen=True)
class Redrawn:
    """Frames drawn from a source.

    Attributes:
        out: of `MixedGenerator.decode_face`.
        real: (N, 3, H, W), the driving frames.
        face: their faces; present everywhere, also where the generator got none.
    """

    out: dict[str, Tensor]
    real: Tensor
    face: FacePoints


class RegionDiscriminator(nn.ModuleDict):
    """A patch discriminator for each window."""

    def __init__(self, width: int = 24, blocks: int = 3) -> None:
        super().__init__({name: PatchDiscriminator(3, width, 4 * width, blocks, sn=True) for name in WINDOWS})


class MixedObjective:
    """Losses of the generator, and of the discriminators, which see what the generator made of the same batch.

    Args:
        networks: ``generator``, ``discriminator`` (a RegionDiscriminator).
        moves: gives the keypoints.
        weights: of the losses.
        vgg: fixed features; None where their weight is zero.
    """

    def __init__(self, networks: nn.ModuleDict, moves: Moves, weights: MixedLosses, vgg: VGG16 | None = None) -> None:
        self.networks, self.moves, self.weights, self.vgg = networks, moves, weights, vgg
        self._made: tuple[Batch, dict[str, tuple[Tensor, Tensor]]] | None = None

    def generator_losses(self, batch: Batch) -> Losses:
        """Weighted losses () of both frames of each pair, redrawn from the other."""
        redrawn = self.redraw(batch)
        pairs = self._windows(redrawn)
        self._made = (batch, {name: (made.detach(), real) for name, (made, real) in pairs.items()})
        return {**self._errors(redrawn), **self._perceptual(pairs), **self._adversarial(pairs)}

    def discriminator_losses(self, batch: Batch) -> Losses:
        """Losses () of the discriminators on the windows of the last `generator_losses`."""
        if self._made is None or self._made[0] is not batch:
            raise RuntimeError("the discriminators' losses need the generator's of the same batch before them")
        discriminators: Any = self.networks["discriminator"]
        return {
            name: discriminator_loss(discriminators[name](real)[1], discriminators[name](made)[1])
            for name, (made, real) in self._made[1].items()
        }

    def redraw(self, batch: Batch) -> Redrawn:
        """Run the networks on both directions of pairs (N, 3, H, W); a share of the items goes without points."""
        source, driving = batch["source"], batch["driving"]
        pictures = torch.cat([source, driving])
        points = torch.cat([batch["points_source"], batch["points_driving"]])
        generator: Any = self.networks["generator"]
        present = (torch.rand(len(points), device=points.device) >= self.weights.without_points).to(points.dtype)
        face = FacePoints(points, torch.ones_like(present))
        count = len(source)
        out = generator.decode_face(
            generator.encode_face(pictures, face),
            *self.moves(batch),
            FacePoints(points.roll(count, 0), present),
            explain=True,
        )
        return Redrawn(out, pictures.roll(count, 0), FacePoints(points.roll(count, 0), torch.ones_like(present)))

    def _errors(self, redrawn: Redrawn) -> Losses:
        """Absolute errors of colours at several sizes, of differences of neighbours, and of the warped source."""
        weights, made, real = self.weights, redrawn.out["prediction"], redrawn.real
        lips = surroundings(redrawn.face.points, [OUTER_LIPS], real)
        eyes = surroundings(redrawn.face.points, [LEFT_EYE, RIGHT_EYE], real)
        importance = 1 + weights.lips * lips + weights.eyes * eyes
        warped = (redrawn.out["deformed"] - real).abs() * (1 - lips)  # an open mouth cannot be warped from a shut one
        return {
            "error": ((made - real).abs() * importance).mean(),
            "smaller": weights.smaller * smaller_error(made, real),
            "edges": weights.edges * edge_error(made, real, importance),
            "deformed": weights.deformed * warped.mean(),
            "painted": weights.painted * (1 - redrawn.out["occlusion_map"]).mean(),
        }

    def _perceptual(self, pairs: dict[str, tuple[Tensor, Tensor]]) -> Losses:
        """Distance in VGG16's features of one region, which is drawn anew at each step."""
        if self.vgg is None or not self.weights.perceptual:
            return {}
        region = self._region()
        distance = perceptual_distance(self.vgg, *pairs[region]).mean()
        return {f"perceptual_{region}": self.weights.perceptual * distance}

    def _region(self) -> str:
        """The region that is compared at this step."""
        shares = self.weights.regions
        drawn = float(torch.rand(())) * sum(shares.values())
        for name, share in shares.items():
            drawn -= share
            if drawn < 0:
                return name
        return next(reversed(shares))

    def _adversarial(self, pairs: dict[str, tuple[Tensor, Tensor]]) -> Losses:
        """Scores and features of the windows as the discriminators see them."""
        if not self.weights.adversarial:
            return {}
        losses: Losses = {}
        discriminators: Any = self.networks["discriminator"]
        for name, (made, real) in pairs.items():
            seen, scores = discriminators[name](made)
            with torch.no_grad():
                wanted, _ = discriminators[name](real)
            losses[f"adversarial_{name}"] = self.weights.adversarial * generator_loss(scores)
            matched = feature_distance(wanted, seen, [self.weights.matching] * len(seen))
            losses[f"matching_{name}"] = torch.as_tensor(matched)
        return losses

    def _windows(self, redrawn: Redrawn) -> dict[str, tuple[Tensor, Tensor]]:
        """Region -> windows of the prediction and of the driving frame, (N, 3, h, w) each."""
        made, real = redrawn.out["prediction"], redrawn.real
        size = (real.shape[-2], real.shape[-1])
        points = redrawn.face.points
        anywhere = (2 * torch.rand(len(points), 2, device=points.device) - 1) * _MIDDLE
        places = {**{name: part.centre(points) for name, part in PARTS.items()}, PATCH: anywhere}
        found = {}
        for name, (height, width) in WINDOWS.items():
            window = (round(size[0] * height), round(size[1] * width))
            corners = window_corners(places[name], window, size)
            found[name] = (take_windows(made, corners, window), take_windows(real, corners, window))
        return found


def smaller_error(made: Tensor, real: Tensor) -> Tensor:
    """Sum () of the mean absolute errors of pictures (N, C, H, W) at half, quarter and eighth size."""
    return torch.stack([(F.avg_pool2d(made, k) - F.avg_pool2d(real, k)).abs().mean() for k in (2, 4, 8)]).sum()


def edge_error(made: Tensor, real: Tensor, weight: Tensor) -> Tensor:
    """Sum () of the mean absolute errors of the differences between neighbouring pixels, to the right and below.

    Args:
        made, real: (N, C, H, W).
        weight: (N, 1, H, W), how much each place counts.
    """
    pairs = zip(_differences(made), _differences(real), strict=True)
    return torch.stack([((a - b).abs() * weight[..., 1:, 1:]).mean() for a, b in pairs]).sum()


def _differences(pictures: Tensor) -> tuple[Tensor, Tensor]:
    corner = pictures[..., :-1, :-1]
    return pictures[..., 1:, :-1] - corner, pictures[..., :-1, 1:] - corner


def start_from(generator: MixedGenerator, state: dict[str, Tensor]) -> list[str]:
    """Take the weights of a generator with fewer maps or painters; returns what kept its fresh weights.

    A convolution with more inputs than the file's begins with zeros at those that are new.
    """
    own = generator.state_dict()
    fresh = [name for name in own if name not in state]
    for name, value in state.items():
        if own[name].shape == value.shape:
            own[name] = value
        else:
            grown = torch.zeros_like(own[name])
            grown[:, : value.shape[1]] = value
            own[name] = grown
    generator.load_state_dict(own)
    return fresh


def decide(generator: MixedGenerator, factor: float) -> None:
    """Make the choice between the warped source and painted colours steeper.

    A mixture of both is blurred wherever they disagree by a pixel, and the absolute error rewards it.
    """
    final = generator.final
    with torch.no_grad():
        for values in (final.weight, final.bias):
            assert values is not None  # noqa: S101 (narrows the type)
            values.copy_(steeper(values, factor))


def steeper(values: Tensor, factor: float) -> Tensor:
    """Weights or biases (C, ...) of the last layer, with the logits of the choice, its last four channels, scaled."""
    return torch.cat([values[:-4], values[-4:] * factor])
