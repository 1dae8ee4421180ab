"""The training phases of each stage, and what their items hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import nn

from ....motion.windows import RADIUS
from ....nn.stylegan2.layers import EqualConv2d, EqualLinear, ModulatedConv2d
from ....nn.stylegan2.losses import Lazy
from ...base import Phase
from ...samples import Rows
from ..config import AdamParams, StyleHeatConfig
from .generator import GeneratorObjective
from .objective import INVERTING, Objective

# What of the generator draws; its mapping network, which codes of pictures do not come through, is left out.
SYNTHESIS = ("stylegan.input", "stylegan.conv1", "stylegan.convs", "stylegan.to_rgb1", "stylegan.to_rgbs")
WINDOW = tuple(range(-RADIUS, RADIUS + 1))


def samples_of(stage: str, config: StyleHeatConfig) -> Mapping[str, Any]:
    """What a training item of a stage holds: two frames, for the published stages with the motion around them."""
    pictures = {"source": "random", "driving": "random"}
    if stage in ("inversion", "generator"):
        return pictures
    rows = {f"{name}_rows": Rows(name, WINDOW, space=config.space) for name in pictures}
    landmarks = {f"{name}_keypoints": Rows(name, key="keypoint") for name in pictures}
    looks = stage == "calibrator" and config.train_params.calibrator.loss_weights.looks_at_parts
    return {**pictures, **rows, **(landmarks if looks else {})}


def phases_of(stage: str, objective: Objective, generator: GeneratorObjective) -> list[Phase]:
    """The phases of a stage, in the order in which they run within a step."""
    if stage == "generator":
        return _generator_phases(generator)
    own = {
        "video_warper": _warper_phases,
        "calibrator": _calibrator_phases,
        "inversion": _inversion_phases,
        "joint": _joint_phases,
    }
    return own[stage](objective)


def _warper_phases(objective: Objective) -> list[Phase]:
    stage = objective.config.train_params.video_warper
    return [Phase("video_warper", ["video_warper"], objective.warper_losses, _adam(stage.adam), 1, stage.milestones)]


def _calibrator_phases(objective: Objective) -> list[Phase]:
    stage = objective.config.train_params.calibrator
    learning = _learning("calibrator", *stage.tune)
    through = sorted({*INVERTING, "video_warper"} - set(stage.tune))
    made = Phase("calibrator", learning, objective.calibrator_losses, _adam(stage.adam), through=through)
    return [made, *_adversary(objective, stage.adam)] if stage.train_discriminator else [made]


def _inversion_phases(objective: Objective) -> list[Phase]:
    stage = objective.config.train_params.inversion
    learning = _learning("e4e_encoder", "hfgi_aligner", "hfgi_encoder", *stage.tune)
    through = [] if "stylegan" in stage.tune else ["stylegan"]
    made = Phase("inversion", learning, objective.inversion_losses, _adam(stage.adam), through=through)
    return [made, *_adversary(objective, stage.adam)] if stage.loss_weights.adversarial else [made]


def _joint_phases(objective: Objective) -> list[Phase]:
    stage = objective.config.train_params.joint
    learning = _learning("stylegan", "e4e_encoder", "hfgi_aligner", "hfgi_encoder", "video_warper", "calibrator")
    adam = EqualisedAdam(stage.adam, stage.equalised, objective.whole)
    made = Phase("joint", learning, objective.joint_losses, adam)
    return [made, *_adversary(objective, stage.adam)] if stage.loss_weights.adversarial else [made]


def _learning(*networks: str) -> list[str]:
    """Each once; of the generator the part that draws."""
    parts = [part for name in networks for part in (SYNTHESIS if name == "stylegan" else (name,))]
    return list(dict.fromkeys(parts))


def _adversary(objective: Objective, adam: AdamParams) -> list[Phase]:
    return [Phase("discriminator", ["discriminator"], objective.discriminator_losses, _adam(adam))]


def _generator_phases(generator: GeneratorObjective) -> list[Phase]:
    """Both sides, each with its penalty now and then; a penalty shares the optimizer of its side, as in the paper."""
    stage = generator.stage
    weights, learning = stage.loss_weights, ["stylegan"]
    own, others = LazyAdam(stage.adam, weights.path_every), LazyAdam(stage.adam, weights.r1_every)
    sides = [
        ("generator", learning, generator.generator_losses, own, 1, weights.adversarial),
        ("path", learning, generator.path_losses, own, weights.path_every, weights.path),
        ("discriminator", ["discriminator"], generator.discriminator_losses, others, 1, weights.adversarial),
        ("r1", ["discriminator"], generator.penalty_losses, others, weights.r1_every, weights.r1),
    ]
    return [Phase(name, parts, loss, adam, every) for name, parts, loss, adam, every, weight in sides if weight]


def _adam(params: AdamParams) -> Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]:
    return partial(torch.optim.Adam, lr=params.lr, betas=(params.beta1, params.beta2))


@dataclass(frozen=True)
class EqualisedAdam:
    """Adam whose steps are larger for weights of StyleGAN2's kind.

    Those begin with a deviation of 1 and are scaled when they are used (Karras et al. 2018, "Progressive growing of
    GANs", section 4.1), so that a step that suits other weights hardly changes them.

    Attributes:
        params: for other weights.
        gain: how much larger the steps are.
        whole: what the weights belong to.
    """

    params: AdamParams
    gain: float
    whole: nn.Module

    def __call__(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimizer."""
        kinds = EqualConv2d | EqualLinear | ModulatedConv2d
        scaled = {id(layer.weight) for layer in self.whole.modules() if isinstance(layer, kinds)}
        wanted = list(parameters)
        groups = [
            {"params": [one for one in wanted if id(one) in scaled], "lr": self.params.lr * self.gain},
            {"params": [one for one in wanted if id(one) not in scaled], "lr": self.params.lr},
        ]
        return torch.optim.Adam(groups, betas=(self.params.beta1, self.params.beta2))


@dataclass
class LazyAdam:
    """Adam for a loss and a penalty that is computed now and then: one optimizer for both.

    Attributes:
        params: as if there were no penalty.
        every: steps from one penalty to the next.
    """

    params: AdamParams
    every: int
    _made: tuple[Sequence[int], torch.optim.Optimizer] | None = field(default=None, repr=False)

    def __call__(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimizer; the same one for the same parameters."""
        wanted = list(parameters)
        names = [id(parameter) for parameter in wanted]
        if self._made is None or self._made[0] != names:
            rate, betas = Lazy(self.every, 0.0).adam(self.params.lr, (self.params.beta1, self.params.beta2))
            self._made = (names, torch.optim.Adam(wanted, lr=rate, betas=betas))
        return self._made[1]
