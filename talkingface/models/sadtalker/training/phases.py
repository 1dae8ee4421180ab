"""Training of SadTalker, stage by stage: what a stage needs of the data, its phases, and how it is judged.

The stages follow each other, each in a run of its own that begins with the weights of those before it. Expression and
pose need coefficients and sound; render and mapping need pictures and coefficients. Of the published architecture the
renderer comes before the mapping network, which is trained against it; of the compact one it is the other way round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from ....errors import ConfigError, WeightsError
from ....nn.losses.perceptual import VGG19
from ...base import Batch, Phase
from ..compact.objective import CompactMappingObjective, CompactRenderObjective
from ..compact.pose import CompactPose
from ..config import Pictures, SadTalkerConfig, TrainParams
from ..networks.audio2pose import Audio2Pose
from . import expression as objective_expression
from . import pictures as objective_pictures
from . import pose as objective_pose
from .expression import ExpressionObjective
from .head_estimator import HeadEstimator
from .mapping import MappingObjective
from .pose import PoseObjective
from .render import PictureDiscriminator, RenderObjective

if TYPE_CHECKING:
    from ..plugin import SadTalker

POSE_MOMENTS = {"published": Audio2Pose.moments, "compact": CompactPose.moments}


def samples(config: SadTalkerConfig, stage: str) -> Mapping[str, Any]:
    """What a training item of a stage holds, as described in ``talkingface.models.samples``."""
    if stage == "expression":
        return objective_expression.samples(config.train_params.expression, config.space)
    if stage == "pose":
        return objective_pose.samples(POSE_MOMENTS[config.architecture], config.space)
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
    stage, params = plugin.stage, train_params(plugin.config, plugin.stage, train)
    vgg = _vgg_for(plugin, params)
    if plugin.config.architecture == "published" and stage in ("render", "mapping"):
        _add_training_networks(plugin, stage, params)
    objective = _objective(plugin, stage, params, vgg)
    rate = params.learning_rate
    found = [Phase(stage, _stepped(stage, objective), objective.losses, _adam(rate), through=_through(objective))]
    if getattr(objective, "uses_discriminator", False):
        rate = params.learning_rate_discriminator
        found.append(Phase("discriminator", _judges(stage, objective), objective.discriminator_losses, _adam(rate)))
    return found


def validate(plugin: SadTalker, batch: Batch, stage: str) -> tuple[dict[str, float], dict[str, Tensor]]:
    """Scores and pictures of a batch of a stage; of the first score the lowest is the best."""
    params = getattr(plugin.config.train_params, _group(plugin.config, stage))
    scores, pictures = _objective(plugin, stage, params, None).validate(batch)
    return scores, pictures


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
    own, group = config.train_params.model_dump(), _group(config, stage)
    own[group].update(getattr(train, "loss_weights", None) or {})
    if "scales" in getattr(train, "model_fields_set", ()) and "scales" in own[group]:
        own[group]["scales"] = train.scales
    try:
        return getattr(TrainParams.model_validate(own), group)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"'{name}': {first['msg']}", where="train") from None


def _group(config: SadTalkerConfig, stage: str) -> str:
    """Name of a stage's group of training settings."""
    return "compact" if config.architecture == "compact" and stage in ("render", "mapping") else stage


def _objective(plugin: SadTalker, stage: str, params: Any, vgg: VGG19 | None) -> Any:
    """What computes the losses of a stage."""
    networks, config = plugin.networks, plugin.config
    if stage == "expression":
        return ExpressionObjective(networks, params, config.space)
    if stage == "pose":
        return PoseObjective(networks, params)
    if config.architecture == "compact":
        return (CompactMappingObjective if stage == "mapping" else CompactRenderObjective)(networks, params)
    if stage == "mapping":
        return MappingObjective(networks, config.coefficients, params, vgg)
    return RenderObjective(networks, params, vgg)


def _stepped(stage: str, objective: Any) -> list[str]:
    """Names of the networks that a stage trains."""
    if stage == "expression":
        return ["audio2exp"]
    if stage == "pose":
        return [f"audio2pose.{name}" for name in objective.network.learns]
    if stage == "mapping":
        return ["mapping"]
    return ["generator", *(["kp_extractor", "he_estimator"] if isinstance(objective, RenderObjective) else [])]


def _judges(stage: str, objective: Any) -> list[str]:
    """Names of the networks that judge what a stage makes."""
    return [f"audio2pose.{name}" for name in objective.network.judges] if stage == "pose" else ["discriminator"]


def _through(objective: Any) -> tuple[str, ...]:
    return tuple(getattr(objective, "through", ()))


def _add_training_networks(plugin: SadTalker, stage: str, params: Any) -> None:
    """What reads motion off pictures, and the renderer's discriminator, unless they are there."""
    config, networks = plugin.config, plugin.networks
    needs_estimator = stage == "render" or params.keypoints > 0
    if needs_estimator and "he_estimator" not in networks:
        estimator = config.train_params.render.head_estimator_params
        networks["he_estimator"] = HeadEstimator(estimator, config.mapping_params, config.common_params)
    if stage == "render" and params.generator_gan and "discriminator" not in networks:
        networks["discriminator"] = PictureDiscriminator(params.discriminator_params)


def _take_vgg(plugin: SadTalker, state: Mapping[str, Tensor]) -> None:
    vgg = VGG19()
    vgg.load_torchvision(state)
    plugin.vgg = vgg


def _vgg_for(plugin: SadTalker, params: Any) -> VGG19 | None:
    """VGG19 where it is wanted.

    Raises:
        WeightsError: if it is wanted and not there.
    """
    if not (isinstance(params, Pictures) and any(params.perceptual)):
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
