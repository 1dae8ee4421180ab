"""Training of each stage: its phases with their optimizers, the contents of its items, and its validation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ....motion.windows import RADIUS
from ....nn.stylegan2.layers import EqualConv2d, EqualLinear, ModulatedConv2d
from ....nn.stylegan2.losses import Lazy
from ...base import Batch, Phase
from ...samples import CoefficientWindow
from ..compact.guide import WarpInput
from ..config import AdamParams, StyleHeatConfig
from ..networks.pictures import resized
from .generator import GeneratorObjective
from .objective import INVERTING, Objective, Pairs

FIXED_DRAW = 0


def validate_stage(stage: str, objective: Objective, batch: Batch) -> tuple[dict[str, float], dict[str, Tensor]]:
    """Scores (lower is better) and pictures (N, 3, H, W) in [0, 1] of a batch in a stage."""
    if stage == "generator":
        return _drawn(objective, batch)
    if stage == "inversion":
        return _inverted(objective, batch)
    return _moved(objective, batch, calibrated=stage in ("calibrator", "joint"))


def _moved(objective: Objective, batch: Batch, *, calibrated: bool) -> tuple[dict[str, float], dict[str, Tensor]]:
    """Scores and pictures of the driving frame made of the source frame."""
    pairs, count = Pairs.of(batch), len(batch["source"])
    source, target = pairs.source[:count], pairs.target[:count]
    inputs = next(WarpInput(pairs.windows, objective.guide(batch)).split(count))
    side = target.shape[-1]
    if not calibrated:
        small = resized(source, objective.config.encoder.size)
        warped = resized(objective.model.video_warper(small, inputs.windows, inputs.guide).apply(small), side)
        return {"l1": _error(warped, target)}, {"warp": _shown(warped)}
    inversion = objective.invert(source)
    moved = objective.model.move(inversion, inputs.windows, inputs.guide)
    made = resized(objective.model.draw(inversion, moved), side)
    warped = resized(objective.model.draw_warped(inversion, moved), side)
    return {"l1": _error(made, target)}, {"warp": _shown(warped), "result": _shown(made)}


def _inverted(objective: Objective, batch: Batch) -> tuple[dict[str, float], dict[str, Tensor]]:
    """Scores and pictures of the source frame, by codes alone and with details."""
    real = batch["source"] * 2 - 1
    inverter, side = objective.model.generator, real.shape[-1]
    rough = inverter.encode(real)
    made = resized(inverter.detail(rough, rough.residual).full, side)
    by_codes = resized(rough.picture, side)
    return {"l1": _error(made, real)}, {"codes": _shown(by_codes), "result": _shown(made)}


def _drawn(objective: Objective, batch: Batch) -> tuple[dict[str, float], dict[str, Tensor]]:
    """Pictures of fixed draws, and the advantage of real ones over them in the discriminator's scores; 0 is a tie."""
    generator, real = objective.model.generator.stylegan, batch["source"] * 2 - 1
    random = torch.Generator().manual_seed(FIXED_DRAW)
    drawn = torch.randn(len(real), generator.structure.code_length, generator=random).to(real)
    made = generator(generator.codes_of(drawn)).picture
    advantage = objective.scores(real).mean() - objective.scores(made).mean()
    return {"advantage": float(advantage.abs())}, {"drawn": _shown(resized(made, real.shape[-1]))}


def _error(made: Tensor, real: Tensor) -> float:
    """Mean absolute error, of pictures in [0, 1]."""
    return float((made - real).abs().mean()) / 2


def _shown(pictures: Tensor) -> Tensor:
    return (pictures.clamp(-1, 1) + 1) / 2


# Parts of the generator that draw; its mapping network, which codes of pictures do not pass, is left out.
SYNTHESIS = ("stylegan.input", "stylegan.conv1", "stylegan.convs", "stylegan.to_rgb1", "stylegan.to_rgbs")
WINDOW = tuple(range(-RADIUS, RADIUS + 1))


def samples_of(stage: str, config: StyleHeatConfig) -> Mapping[str, Any]:
    """Contents of a training item: two frames, and coefficients around them for the stages that move."""
    pictures = {"source": "random", "driving": "random"}
    if stage in ("inversion", "generator"):
        return pictures
    rows = {f"{name}_rows": CoefficientWindow(name, WINDOW, space=config.space) for name in pictures}
    landmarks = {f"{name}_keypoints": CoefficientWindow(name, key="keypoint") for name in pictures}
    uses_parts = stage == "calibrator" and config.train_params.calibrator.loss_weights.uses_parts
    return {**pictures, **rows, **(landmarks if uses_parts else {})}


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
    adam = EqualisedAdam(stage.adam, stage.equalised, objective.model)
    made = Phase("joint", learning, objective.joint_losses, adam)
    return [made, *_adversary(objective, stage.adam)] if stage.loss_weights.adversarial else [made]


def _learning(*networks: str) -> list[str]:
    """Names of networks, each once; of the generator those of the parts that draw."""
    parts = [part for name in networks for part in (SYNTHESIS if name == "stylegan" else (name,))]
    return list(dict.fromkeys(parts))


def _adversary(objective: Objective, adam: AdamParams) -> list[Phase]:
    return [Phase("discriminator", ["discriminator"], objective.discriminator_losses, _adam(adam))]


def _generator_phases(generator: GeneratorObjective) -> list[Phase]:
    """Phases of both sides and their penalties; a penalty shares the optimizer of its side, as in the paper."""
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
        gain: factor of the steps.
        model: the module that holds the weights.
    """

    params: AdamParams
    gain: float
    model: nn.Module

    def __call__(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Optimizer of parameters."""
        kinds = EqualConv2d | EqualLinear | ModulatedConv2d
        scaled = {id(layer.weight) for layer in self.model.modules() if isinstance(layer, kinds)}
        wanted = list(parameters)
        groups = [
            {
                "params": [parameter for parameter in wanted if id(parameter) in scaled],
                "lr": self.params.lr * self.gain,
            },
            {"params": [parameter for parameter in wanted if id(parameter) not in scaled], "lr": self.params.lr},
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
        """Optimizer of parameters; the same one for the same parameters."""
        wanted = list(parameters)
        names = [id(parameter) for parameter in wanted]
        if self._made is None or self._made[0] != names:
            rate, betas = Lazy(self.every, 0.0).adam(self.params.lr, (self.params.beta1, self.params.beta2))
            self._made = (names, torch.optim.Adam(wanted, lr=rate, betas=betas))
        return self._made[1]
