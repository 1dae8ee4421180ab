"""Training of the pose network and its discriminator (SadTalker, section 3.3).

A conditional VAE gives the change of the head's pose since the first frame, from the sound, a style and a latent. Its
losses are those of the paper: reconstruction, distance of the latent from the normal distribution, and a discriminator
of motion. The style of a person is the number of the identity, as there are more people than styles, modulo their
count. Unlike in the paper the discriminator judges motion of free latents beside reconstructions, because it is these
that inference draws; and as no audio encoder of Wav2Lip is here, the network's own one is trained along.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from ....face3d.coefficients import row70
from ....nn.losses.gan import discriminator_loss, generator_loss
from ...base import Batch, Losses
from ...samples import Identity, Rows, Stretch
from ..config import PoseTrain
from ..networks.pose_cvae import STYLES
from ..voice.rows import POSE
from .sound import heard, sound_of


class PoseNetwork(Protocol):
    """What the training asks of ``audio2pose``.

    Attributes:
        moments: that it makes at once, T.
        learns: names of its parts that make motion.
        judges: names of its parts that judge motion; empty where it has none.
    """

    moments: int
    learns: Sequence[str]
    judges: Sequence[str]

    def reconstruct(self, motion: Tensor, windows: Tensor, first: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        """A motion (N, T, 6) since `first` (N, 6), made anew from a latent that is drawn for it, with its sound
        (N, T, 80, 16) and style (N,); and the divergence of the latents from the normal distribution, a scalar."""

    def imagine(self, windows: Tensor, first: Tensor, style: Tensor, random: torch.Generator | None = None) -> Tensor:
        """A motion (N, T, 6) of free latents."""

    def judge(self, motion: Tensor) -> Tensor:
        """Scores of motions, any shape: 1 for real ones."""


def samples(moments: int, space: str) -> dict[str, object]:
    """A first moment and those behind it, with the sound of these, and whose they are."""
    return {
        "clip": Stretch(moments + 1),
        "coefficients": Rows("clip", tuple(range(moments + 1)), space=space),
        "sound": sound_of("clip", 1, moments),
        "identity": Identity(),
    }


@dataclass(frozen=True)
class _Conditions:
    """What is known of a batch: the real motion, and all that the network is told."""

    motion: Tensor
    windows: Tensor
    first: Tensor
    style: Tensor


class PoseObjective:
    """Losses of ``audio2pose``. The discriminator sees what the generator made of the same batch just before.

    Args:
        networks: with ``audio2pose``.
        train: weights of the losses.
    """

    def __init__(self, networks: nn.ModuleDict, train: PoseTrain) -> None:
        self.networks, self.train = networks, train
        self._made: tuple[Batch, Tensor] | None = None

    @property
    def network(self) -> PoseNetwork:
        return cast(PoseNetwork, self.networks["audio2pose"])

    @property
    def uses_discriminator(self) -> bool:
        return self.train.gan > 0 and bool(self.network.judges)

    def losses(self, batch: Batch) -> Losses:
        """Weighted losses of what makes motion; see `samples`."""
        given = _conditions(batch)
        made, divergence = self.network.reconstruct(given.motion, given.windows, given.first, given.style)
        made = made.float()
        terms = {
            "reconstruction": self.train.reconstruction * (made - given.motion).square().mean(),
            "kl": self.train.kl * divergence.float(),
        }
        if self.uses_discriminator:
            both = torch.cat([made, self.network.imagine(given.windows, given.first, given.style).float()])
            self._made = (batch, both.detach())
            terms["gan"] = self.train.gan * generator_loss(self.network.judge(both).float())
        return terms

    def discriminator_losses(self, batch: Batch) -> Losses:
        """Real motions should score 1, those that `losses` has made of this batch 0."""
        if self._made is None or self._made[0] is not batch:
            raise RuntimeError("the discriminator's losses need the generator's of the same batch before them")
        real, fake = self.network.judge(_conditions(batch).motion), self.network.judge(self._made[1])
        return {"gan": discriminator_loss(real.float(), fake.float())}

    def validate(self, batch: Batch) -> tuple[dict[str, float], dict[str, Tensor]]:
        """Mean absolute error of reconstructions; range and jerk of free motion as parts of the real ones'."""
        given = _conditions(batch)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            made, _ = self.network.reconstruct(given.motion, given.windows, given.first, given.style)
        free = self.network.imagine(given.windows, given.first, given.style, torch.Generator().manual_seed(0))
        scores = {
            "l1": float((made - given.motion).abs().mean()),
            "range": float(_range(free) / _range(given.motion).clamp(min=1e-6)),
            "jerk": float(_jerk(free) / _jerk(given.motion).clamp(min=1e-6)),
        }
        return scores, {}


def _conditions(batch: Batch) -> _Conditions:
    poses = row70(batch["coefficients"])[..., POSE]
    windows = heard(batch["sound"], poses.shape[1] - 1)
    return _Conditions(poses[:, 1:] - poses[:, :1], windows, poses[:, 0], batch["identity"] % STYLES)


def _range(motion: Tensor) -> Tensor:
    """How far the head turns within an item, in radians, the mean over angles and items."""
    angles = motion[..., :3]
    return (angles.amax(dim=1) - angles.amin(dim=1)).mean()


def _jerk(motion: Tensor) -> Tensor:
    """Mean absolute third difference of the angles: high where the head trembles."""
    return motion[..., :3].diff(n=3, dim=1).abs().mean()
