"""Training of SadTalker, stage by stage: what a stage needs of the data, its phases, and how it is judged.

The stages follow each other, each in a run of its own that begins with the weights of those before it. Expression and
pose need coefficients and sound; render and mapping need pictures and coefficients, and mapping a trained renderer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from ...errors import ConfigError, WeightsError
from ...nn.vgg import VGG19
from ..base import Batch, Phase
from . import objective_expression, objective_pictures, objective_pose
from .config import SadTalkerConfig
from .head_estimator import HeadEstimator
from .objective_expression import ExpressionObjective
from .objective_mapping import MappingObjective
from .objective_pose import PoseObjective
from .objective_render import PictureDiscriminator, RenderObjective
from .pose_cvae import SEQUENCE
from .train_config import Pictures, TrainParams

if TYPE_CHECKING:
    from .plugin import SadTalker

Params = TypeVar("Params")


def samples(config: SadTalkerConfig, stage: str) -> Mapping[str, Any]:
    """What a training item of a stage holds, as described in ``talkingface.models.samples``."""
    if stage == "expression":
        return objective_expression.samples(config.train_params.expression, config.space)
    if stage == "pose":
        return objective_pose.samples(SEQUENCE, config.space)
    return objective_pictures.samples(config.space)


def phases(plugin: SadTalker, train: Any) -> list[Phase]:
    """The phases of the plug-in's stage.

    Networks that only this stage needs are added to the plug-in's.

    Args:
        train: the settings of the trainer; its ``loss_weights`` are those of the stage.

    Raises:
        ConfigError: if a name or value in `train` does not fit.
        WeightsError: if the perceptual loss has a weight but VGG19's weights were not given.
    """
    return _PHASES[plugin.stage](plugin, train_params(plugin.config, plugin.stage, train))


def validate(plugin: SadTalker, batch: Batch, stage: str) -> tuple[dict[str, float], dict[str, Tensor]]:
    """Scores and pictures of a batch of a stage; lower is better for the first score."""
    networks, config = plugin.networks, plugin.config
    params = config.train_params
    if stage == "expression":
        return ExpressionObjective(networks, params.expression, config.space).validate(batch), {}
    if stage == "pose":
        return PoseObjective(networks, params.pose).validate(batch), {}
    if stage == "mapping":
        return MappingObjective(networks, config.coefficients, params.mapping).validate(batch)
    return RenderObjective(networks, params.render).validate(batch)


def auxiliary(plugin: SadTalker, train: Any) -> Mapping[str, Callable[[Mapping[str, Tensor]], None]]:
    """VGG19, where the stage's perceptual loss has a weight."""
    params = train_params(plugin.config, plugin.stage, train)
    wanted = isinstance(params, Pictures) and any(params.perceptual)
    return {"vgg19": partial(_take_vgg, plugin)} if wanted else {}


def train_params(config: SadTalkerConfig, stage: str, train: Any) -> Any:
    """The group of training settings of a stage, with what the trainer's settings set on top.

    Raises:
        ConfigError: if a name or value in them does not fit.
    """
    own = config.train_params.model_dump()
    own[stage].update(getattr(train, "loss_weights", None) or {})
    if "scales" in getattr(train, "model_fields_set", ()) and "scales" in own[stage]:
        own[stage]["scales"] = train.scales
    try:
        return getattr(TrainParams.model_validate(own), stage)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"'{name}': {first['msg']}", where="train") from None


def _take_vgg(plugin: SadTalker, state: Mapping[str, Tensor]) -> None:
    vgg = VGG19()
    vgg.load_torchvision(state)
    plugin.vgg = vgg


def _expression(plugin: SadTalker, params: Any) -> list[Phase]:
    objective = ExpressionObjective(plugin.networks, params, plugin.config.space)
    return [Phase("expression", ["audio2exp"], objective.losses, _adam(params.learning_rate))]


def _pose(plugin: SadTalker, params: Any) -> list[Phase]:
    objective = PoseObjective(plugin.networks, params)
    parts, judges = ([f"audio2pose.{name}" for name in names] for names in _parts(objective))
    found = [Phase("pose", parts, objective.losses, _adam(params.learning_rate))]
    if objective.uses_discriminator:
        rate = params.learning_rate_discriminator
        found.append(Phase("discriminator", judges, objective.discriminator_losses, _adam(rate)))
    return found


def _parts(objective: PoseObjective) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(objective.network.learns), tuple(objective.network.judges)


def _render(plugin: SadTalker, params: Any) -> list[Phase]:
    vgg = _vgg_for(plugin, params)
    _add_head_estimator(plugin)
    objective = RenderObjective(plugin.networks, params, vgg)
    names = ["kp_extractor", "generator", "he_estimator"]
    found = [Phase("render", names, objective.losses, _adam(params.learning_rate))]
    if objective.uses_discriminator:
        _add(plugin.networks, "discriminator", lambda: PictureDiscriminator(params.discriminator_params))
        rate = params.learning_rate_discriminator
        found.append(Phase("discriminator", ["discriminator"], objective.discriminator_losses, _adam(rate)))
    return found


def _mapping(plugin: SadTalker, params: Any) -> list[Phase]:
    vgg = _vgg_for(plugin, params)
    objective = MappingObjective(plugin.networks, plugin.config.coefficients, params, vgg)
    if params.keypoints:
        _add_head_estimator(plugin)
    rate = params.learning_rate
    return [Phase("mapping", ["mapping"], objective.losses, _adam(rate), through=objective.through)]


_PHASES: dict[str, Callable[[Any, Any], list[Phase]]] = {
    "expression": _expression,
    "pose": _pose,
    "render": _render,
    "mapping": _mapping,
}


def _add_head_estimator(plugin: SadTalker) -> None:
    config = plugin.config
    params = config.train_params.render.head_estimator_params
    _add(
        plugin.networks,
        "he_estimator",
        lambda: HeadEstimator(params, config.mapping_params, config.common_params),
    )


def _add(networks: nn.ModuleDict, name: str, build: Callable[[], nn.Module]) -> None:
    if name not in networks:
        networks[name] = build()


def _vgg_for(plugin: SadTalker, params: Pictures) -> VGG19 | None:
    """VGG19 where it is wanted.

    Raises:
        WeightsError: if it is wanted and not there.
    """
    if not any(params.perceptual):
        return None
    if plugin.vgg is None:
        raise WeightsError(
            "the perceptual loss needs the weights of VGG19",
            where=f"{plugin.stage}.perceptual",
            cure="Get them with --run_mode=fetch --checkpoint=vgg19, "
            "or train without: --train.loss_weights.perceptual=0.",
        )
    return plugin.vgg


def _adam(rate: float) -> Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]:
    """Adam with the momenta of the published renderers."""
    return lambda parameters: torch.optim.Adam(parameters, lr=rate, betas=(0.5, 0.999))
