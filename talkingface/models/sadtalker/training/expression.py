"""Training of the expression network (SadTalker, section 3.2).

The paper distils lips: its targets are the coefficients of videos whose lips Wav2Lip has redrawn from one frame, and a
lip reader scores the rendered result. Neither network is here. The targets are the coefficients of the real video, and
a loss on the points of the mouth makes lips count more than the rest of the face. The paper's landmark loss of the eyes
is here as it is meant: the ratio that the network is given sets the opening of the lids. Both need the shape of an
expression, which the space ``mesh`` has; in ``bfm`` the coefficients alone are compared, and the ratio is always zero.

The velocity term is that of VOCA (Cudeiro et al., CVPR 2019, section 4.2): frames do not depend on each other, and
without it the mouth trembles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from ....face3d.mesh import CHIN, INNER_LIPS, OUTER_LIPS
from ....face3d.mesh_space import INNER_LIPS as LIP_PAIR
from ....face3d.mesh_space import LID_PAIRS, MeshSpace, shipped_space
from ....motion.coefficients import Coefficients
from ....nn.precision import float32_region
from ...base import Batch, Losses
from ...samples import CoefficientWindow, Window
from ..config import ExpressionTrain
from .phases import Stage
from .sound import another_voice, sound_of, windows_of, with_pauses

CLOSED = 0.5
"""Rest of the lids' opening when the eyes are closed, as a part of that of open eyes: the mesh network draws
shut eyes half open (the fullest blinks of 227 clips: 0.38 at least, 0.55 at a quarter of the clips)."""
LIP_SHAPES = 8  # shapes that lips can take, nearly all that matter

_MOUTH = (*INNER_LIPS, *OUTER_LIPS, CHIN)


class ExpressionShape:
    """Measures expressions. Lengths are in units of the space, 0.1 m on a face whose eyes are 62 mm apart.

    Args:
        space: None takes the model that ships.
    """

    def __init__(self, space: MeshSpace | None = None) -> None:
        space = space or shipped_space()
        self._mean = torch.from_numpy(space.mean).float()
        self._directions = torch.from_numpy(space.expression).float()
        self.awake = float(self.lids(torch.zeros(1, len(self._directions))))
        """Opening of the lids of the mean face at rest."""

    def lip_part(self, expression: Tensor) -> Tensor:
        """Part of expressions (..., 64) that moves the lips."""
        lips = self._directions[:, list(_MOUTH)].flatten(1)
        shapes = torch.linalg.svd(lips, full_matrices=False).U[:, :LIP_SHAPES].to(expression)
        return expression @ shapes @ shapes.T

    def mouth(self, expression: Tensor) -> Tensor:
        """Points of lips and chin (..., 41, 3) of expressions (..., 64)."""
        return self._points(expression, _MOUTH)

    def lips(self, expression: Tensor) -> Tensor:
        """Opening (...) of the lips, of expressions (..., 64)."""
        return self._gap(expression, LIP_PAIR)

    def lids(self, expression: Tensor) -> Tensor:
        """Opening (...) of the lids, the mean of both eyes."""
        return torch.stack([self._gap(expression, pair) for pair in LID_PAIRS]).mean(dim=0)

    def closed(self, expression: Tensor, reference: Tensor) -> Tensor:
        """Ratio (...) that the expression network is given: 0 for eyes as open as the reference's, 1 for closed ones.

        A reference that was taken in the middle of a blink counts as half awake.

        Args:
            expression: (..., 64), of frames.
            reference: the same shape, of the same person's reference frame.
        """
        awake = self.lids(reference).clamp(min=self.awake / 2)
        return ((1 - self.lids(expression) / awake) / (1 - CLOSED)).clamp(0, 1)

    def wanted_lids(self, closed: Tensor, reference: Tensor) -> Tensor:
        """Opening (...) of the lids at a ratio (...) of `closed`: its inverse."""
        awake = self.lids(reference).clamp(min=self.awake / 2)
        return awake * (1 - closed * (1 - CLOSED))

    def _gap(self, expression: Tensor, pair: tuple[int, int]) -> Tensor:
        points = self._points(expression, pair)
        return (points[..., 0, :] - points[..., 1, :]).norm(dim=-1)

    def _points(self, expression: Tensor, numbers: tuple[int, ...]) -> Tensor:
        chosen = list(numbers)
        directions = self._directions[:, chosen].to(expression.device)
        with float32_region(expression):
            moved = torch.tensordot(expression.float(), directions, dims=1)
        return self._mean[chosen].to(expression.device) + moved


def samples(train: ExpressionTrain, space: str) -> dict[str, object]:
    """Consecutive moments with their sound, and another moment of the same clip as the reference."""
    return {
        "clip": Window(train.frames),
        "coefficients": CoefficientWindow("clip", tuple(range(train.frames)), space=space),
        "sound": sound_of("clip", 0, train.frames),
        "other": Window(),
        "reference": CoefficientWindow("other", space=space),
    }


class ExpressionNetwork(Protocol):
    """Interface of ``audio2exp`` in training."""

    def sequence(self, windows: Tensor, reference: Tensor, closed: Tensor) -> Tensor:
        """Expressions (N, T, 64) of consecutive moments from windows (N, T, 80, 16), references (N, T, 64) and the
        ratio (N, T, 1) by which the eyes are closed."""


@dataclass(frozen=True)
class SpokenBatch:
    """Expressions of a batch of N items of T moments, made and real.

    Attributes:
        made, real: (N, T, 64), expressions.
        reference: (N, T, 64), of the reference frame.
        closed: (N, T, 1), wanted ratio by which the eyes are closed, 0..1.
    """

    made: Tensor
    real: Tensor
    reference: Tensor
    closed: Tensor


class ExpressionObjective:
    """Losses of ``audio2exp``, weighted scalars by name.

    Args:
        networks: with ``audio2exp``.
        train: weights of the losses.
        space: of the coefficients.
    """

    learns, through, discriminators = ("audio2exp",), (), ()

    def __init__(self, networks: nn.ModuleDict, train: ExpressionTrain, space: str) -> None:
        self.networks, self.train = networks, train
        self.shape = ExpressionShape() if space == "mesh" else None

    def losses(self, batch: Batch) -> Losses:
        """Weighted losses of a batch, with other voices and pauses where the settings want them; see `samples`."""
        return self.compare(self.speak(batch, vary=True))

    def speak(self, batch: Batch, *, vary: bool = False) -> SpokenBatch:
        """Expressions of the network for a batch.

        Args:
            vary: change voices and put in pauses as the settings ask, for training.
        """
        real = Coefficients(batch["coefficients"]).exp
        reference = Coefficients(batch["reference"]).exp.expand_as(real)
        closed = torch.zeros_like(real[..., :1])
        if self.shape is not None:
            closed = self.shape.closed(real, reference)[..., None]
        windows = windows_of(batch["sound"], real.shape[1])
        if vary:
            windows, real = self._varied(windows, real, reference)
        network = cast(ExpressionNetwork, self.networks["audio2exp"])
        return SpokenBatch(network.sequence(windows, reference, closed).float(), real, reference, closed)

    def _varied(self, windows: Tensor, real: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
        """Windows of other voices, and of pauses, in which lips take the shape of the most closed moment there is."""
        if self.train.other_voices:
            windows = another_voice(windows)
        if not self.train.pauses or self.shape is None:
            return windows, real
        paused = with_pauses(windows, self.train.pauses)
        known = torch.cat([real, reference[:, :1]], dim=1)
        closest = self.shape.lips(known).argmin(dim=1)
        rest = known[torch.arange(len(known)), closest][:, None]
        return paused.windows, real + paused.shares * self.shape.lip_part(rest - real)

    def compare(self, spoken: SpokenBatch) -> Losses:
        """Weighted losses of spoken expressions; those without a weight are left out."""
        train, made, real = self.train, spoken.made, spoken.real
        terms = {"coefficients": train.coefficients * (made - real).square().mean()}
        if train.velocity and made.shape[1] > 1:
            terms["velocity"] = train.velocity * (made.diff(dim=1) - real.diff(dim=1)).square().mean()
        if self.shape is not None and train.mouth:
            distance = (self.shape.mouth(made) - self.shape.mouth(real)).norm(dim=-1)
            terms["mouth"] = train.mouth * distance.mean()
        if self.shape is not None and train.following and made.shape[1] > 1:
            openings = torch.stack([self.shape.lips(made), self.shape.lips(real)], dim=1)
            terms["following"] = train.following * (1 - torch.stack([_correlation(pair) for pair in openings])).mean()
        if self.shape is not None and train.eyes:
            wanted = self.shape.wanted_lids(spoken.closed[..., 0], spoken.reference)
            terms["eyes"] = train.eyes * (self.shape.lids(made) - wanted).abs().mean()
        return terms

    def validate(self, batch: Batch) -> tuple[dict[str, float], dict[str, Tensor]]:
        """Mean absolute error; in the space ``mesh`` also error (in units of the face) and correlation of the mouth."""
        spoken = self.speak(batch)
        scores = {"l1": float((spoken.made - spoken.real).abs().mean())}
        if self.shape is not None:
            distance = (self.shape.mouth(spoken.made) - self.shape.mouth(spoken.real)).norm(dim=-1)
            openings = torch.stack([self.shape.lips(values).flatten() for values in (spoken.made, spoken.real)])
            scores["mouth_error"] = float(distance.mean())
            scores["mouth_correlation"] = float(_correlation(openings))
        return scores, {}


_STILL = 1e-6  # squared opening over an item that counts as none


def _correlation(pair: Tensor) -> Tensor:
    """Correlation of two rows of openings (2, n); 0 where one of them never changes."""
    centred = pair - pair.mean(dim=1, keepdim=True)
    return (centred[0] * centred[1]).sum() / (centred.square().sum(dim=1) + _STILL).sqrt().prod()


EXPRESSION = Stage(
    samples=lambda networks, config: samples(config.train_params.expression, config.space),
    objective=lambda networks, config, train, vgg: ExpressionObjective(networks, train, config.space),
)
