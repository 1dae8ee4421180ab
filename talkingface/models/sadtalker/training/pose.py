"""Training of the pose network and its discriminator (SadTalker, section 3.3).

A conditional VAE gives the change of the head's pose since the first frame, from the sound, a style and a latent. Its
losses are those of the paper: reconstruction, distance of the latent from the normal distribution, and a discriminator
of motion. The style of a person is the number of the identity, as there are more people than styles, modulo their
count. Unlike in the paper the discriminator scores motion of random latents beside reconstructions, because
inference draws these; and as no audio encoder of Wav2Lip is here, the network's own one is trained along.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from ....motion.coefficients import Coefficients, row70
from ....nn.losses.gan import discriminator_loss, generator_loss
from ...base import Batch, Losses
from ...samples import CoefficientWindow, Identity, Window
from ..config import PoseTrain
from ..networks.pose_cvae import STYLES
from .phases import Stage
from .sound import sound_of, windows_of


class PoseNetwork(Protocol):
    """Interface of ``audio2pose`` in training.

    Attributes:
        moments: T, made at once.
        learns: names of its parts that make motion.
        discriminators: names of its parts that score motion; empty where it has none.
    """

    moments: int
    learns: Sequence[str]
    discriminators: Sequence[str]

    def reconstruct(self, motion: Tensor, windows: Tensor, first: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        """Motion (N, T, 6) relative to `first` (N, 6), reconstructed from a latent that is drawn for it, with its sound
        (N, T, 80, 16) and style (N,); and the divergence of the latents from the normal distribution, a scalar."""

    def imagine(self, windows: Tensor, first: Tensor, style: Tensor, random: torch.Generator | None = None) -> Tensor:
        """Motion (N, T, 6) of random latents."""

    def score(self, motion: Tensor) -> Tensor:
        """Scores of motions (N, T, 6), of any shape: 1 for real ones."""


def samples(moments: int, space: str) -> dict[str, object]:
    """A first moment and those behind it, with the sound of these, and the identity."""
    return {
        "clip": Window(moments + 1),
        "coefficients": CoefficientWindow("clip", tuple(range(moments + 1)), space=space),
        "sound": sound_of("clip", 1, moments),
        "identity": Identity(),
    }


@dataclass(frozen=True)
class _Conditions:
    """Real motion of a batch, and the conditions of the network."""

    motion: Tensor
    windows: Tensor
    first: Tensor
    style: Tensor


class PoseObjective:
    """Losses of ``audio2pose``, weighted scalars by name.

    The discriminator scores the motion that the generator made of the same batch just before.

    Args:
        networks: with ``audio2pose``.
        train: weights of the losses.
    """

    through: tuple[str, ...] = ()

    def __init__(self, networks: nn.ModuleDict, train: PoseTrain) -> None:
        self.networks, self.train = networks, train
        self._made: tuple[Batch, Tensor] | None = None

    @property
    def network(self) -> PoseNetwork:
        return cast(PoseNetwork, self.networks["audio2pose"])

    @property
    def learns(self) -> list[str]:
        return [f"audio2pose.{name}" for name in self.network.learns]

    @property
    def discriminators(self) -> list[str]:
        return [f"audio2pose.{name}" for name in self.network.discriminators] if self.train.gan > 0 else []

    def losses(self, batch: Batch) -> Losses:
        """Weighted losses of the parts that make motion; see `samples`."""
        inputs = _conditions(batch)
        made, divergence = self.network.reconstruct(inputs.motion, inputs.windows, inputs.first, inputs.style)
        made = made.float()
        terms = {
            "reconstruction": self.train.reconstruction * (made - inputs.motion).square().mean(),
            "kl": self.train.kl * divergence.float(),
        }
        if self.discriminators:
            both = torch.cat([made, self.network.imagine(inputs.windows, inputs.first, inputs.style).float()])
            self._made = (batch, both.detach())
            terms["gan"] = self.train.gan * generator_loss(self.network.score(both).float())
        return terms

    def discriminator_losses(self, batch: Batch) -> Losses:
        """Loss of the discriminator: real motions should score 1, those that `losses` has made of this batch 0."""
        if self._made is None or self._made[0] is not batch:
            raise RuntimeError("the discriminator's losses need the generator's of the same batch before them")
        real, fake = self.network.score(_conditions(batch).motion), self.network.score(self._made[1])
        return {"gan": discriminator_loss(real.float(), fake.float())}

    def validate(self, batch: Batch) -> tuple[dict[str, float], dict[str, Tensor]]:
        """Mean absolute error of reconstructions; range and jerk of random motion as parts of the real ones'."""
        inputs = _conditions(batch)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            made, _ = self.network.reconstruct(inputs.motion, inputs.windows, inputs.first, inputs.style)
        free = self.network.imagine(inputs.windows, inputs.first, inputs.style, torch.Generator().manual_seed(0))
        scores = {
            "l1": float((made - inputs.motion).abs().mean()),
            "range": float(_range(free) / _range(inputs.motion).clamp(min=1e-6)),
            "jerk": float(_jerk(free) / _jerk(inputs.motion).clamp(min=1e-6)),
        }
        return scores, {}


def _conditions(batch: Batch) -> _Conditions:
    poses = Coefficients(row70(batch["coefficients"])).pose
    windows = windows_of(batch["sound"], poses.shape[1] - 1)
    return _Conditions(poses[:, 1:] - poses[:, :1], windows, poses[:, 0], batch["identity"] % STYLES)


def _range(motion: Tensor) -> Tensor:
    """Range of the head's angles within an item, in radians, the mean over angles and items."""
    angles = motion[..., :3]
    return (angles.amax(dim=1) - angles.amin(dim=1)).mean()


def _jerk(motion: Tensor) -> Tensor:
    """Mean absolute third difference of the angles: high where the head trembles."""
    return motion[..., :3].diff(n=3, dim=1).abs().mean()


POSE = Stage(
    samples=lambda networks, config: samples(cast(PoseNetwork, networks["audio2pose"]).moments, config.space),
    objective=lambda networks, config, train, vgg: PoseObjective(networks, train),
)
