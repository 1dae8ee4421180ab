"""Recorded cases of the First Order Motion Model: operations, networks, the whole way, a training step."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor, nn

from talkingface.models.base import Batch
from talkingface.models.fom.config import FOMConfig
from talkingface.models.fom.networks.build import build_networks
from talkingface.models.fom.plugin import FOM
from talkingface.models.fom.retarget import movement_scale, normalize_kp
from talkingface.models.fom.training.losses import GeneratorStep
from talkingface.models.fom.training.objective import Objective
from talkingface.nn.antialias import AntiAliasDownsample, ImagePyramid
from talkingface.nn.geometry.grids import coordinate_grid, gaussian_heatmaps
from talkingface.nn.geometry.keypoints import Keypoints
from talkingface.nn.geometry.thin_plate import ThinPlateTransform
from talkingface.nn.losses.perceptual import VGG19
from talkingface.types import Source

from ..case import Case
from ..run import Runner


def _config(case: Case) -> FOMConfig:
    return FOMConfig.from_released(case.build, align_corners=case.align_corners)


def _network(case: Case, name: str, *, alone: bool = True) -> Any:
    """Network of the case with its weights, in eval mode; `alone`: the case has no other."""
    network = build_networks(_config(case))[name]
    case.load(network, None if alone else name)
    return network.eval()


def _keypoints(case: Case, prefix: str) -> Keypoints:
    """Keypoints of the inputs ``<prefix>_value`` and, where it exists, ``<prefix>_jacobian``."""
    names = [name for name in ("value", "jacobian") if case.has(f"{prefix}_{name}")]
    return {name: case.input(f"{prefix}_{name}") for name in names}


def _named(prefix: str, values: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": value for name, value in values.items()}


def kp2gaussian(case: Case) -> dict[str, Tensor]:
    """Heatmaps ``gaussian_<H>x<W>[_var<variance>]`` and grids ``coordinate_grid_<H>x<W>``."""
    points, out = case.input("kp_value"), {}
    for name in case.outputs:
        height, width = (int(side) for side in re.findall(r"_(\d+)x(\d+)", name)[0])
        if name.startswith("coordinate_grid"):
            out[name] = coordinate_grid(height, width, like=points)
            continue
        variance = re.findall(r"_var([\d.]+)", name) or [case.build["params"]["kp_variance"]]
        out[name] = gaussian_heatmaps(points, (height, width), float(variance[0]))
    return out


def antialias(case: Case) -> dict[str, Tensor]:
    """Pictures ``down_<scale>``, and the kernels ``kernel_<scale>`` that blur them."""
    image, out = case.input("image"), {}
    for name in case.outputs:
        what, _, scale = name.rpartition("_")
        down = AntiAliasDownsample(image.shape[1], float(scale)).to(case.dtype)
        out[name] = down.weight if what == "kernel" else down(image)
    return out


def transform(case: Case) -> dict[str, Tensor]:
    """Frame, points and Jacobians under the thin-plate transform of fixed draws."""
    warp = _transform(case)
    points = case.input("coordinates")
    return {
        "frame": warp.warp_frames(case.input("frame"), align_corners=case.align_corners),
        "warped": warp.warp_points(points),
        "jacobian": warp.jacobian(points),
        "warped_affine_only": ThinPlateTransform(case.input("theta")).warp_points(points),
    }


def normalized_keypoints(case: Case) -> dict[str, Tensor]:
    """Keypoints ``<mode>.value`` and ``<mode>.jacobian``; the words of a mode say which switches are on."""
    source, initial, driving = (_keypoints(case, name) for name in ("source", "initial", "driving"))
    scale = movement_scale(source["value"][0], initial["value"][0])
    out = {"movement_scale": torch.tensor(scale, dtype=case.dtype)}
    for mode in {name.partition(".")[0] for name in case.outputs if "." in name}:
        words = mode.split("_")
        keypoints = normalize_kp(
            source,
            driving,
            initial,
            adapt_movement_scale="adapt" in words,
            use_relative_movement="relative" in words,
            use_relative_jacobian="relative" in words and "value_only" not in mode,
        )
        out |= _named(mode, keypoints)
    return out


@torch.no_grad()
def kp_detector(case: Case) -> dict[str, Tensor]:
    """Keypoints of a picture."""
    keypoints: Keypoints = _network(case, "kp_detector")(case.input("image"))
    return keypoints


@torch.no_grad()
def generator(case: Case) -> dict[str, Tensor]:
    """Picture and maps of the generator for given keypoints."""
    network = _network(case, "generator")
    return dict(network(case.input("source_image"), _keypoints(case, "kp_source"), _keypoints(case, "kp_driving")))


@torch.no_grad()
def variant(case: Case) -> dict[str, Tensor]:
    """Keypoints and picture of options that no official config has."""
    detector = _network(case, "kp_detector", alone=False)
    source = case.input("source_image")
    kp_source, kp_driving = detector(source), detector(case.input("driving_image"))
    out = _network(case, "generator", alone=False)(source, kp_source, kp_driving)
    return {**_named("kp_source", kp_source), **_named("kp_driving", kp_driving), **out}


@torch.no_grad()
def discriminator(case: Case) -> dict[str, Tensor]:
    """Scores and features in eval mode; where outputs are named ``train.*``, after a pass in train mode."""
    network = _network(case, "discriminator")
    pyramid = ImagePyramid(case.build["pyramid_scales"]).to(case.dtype)(case.input("image"))
    keypoints = _keypoints(case, "kp") or None
    if not any(name.startswith("train.") for name in case.outputs):
        return _by_scale(network(pyramid, keypoints))
    out = _named("train", _by_scale(network.train()(pyramid, keypoints)))
    out |= _named("eval", _by_scale(network.eval()(pyramid, keypoints)))
    return out | _named("after", network.state_dict())


def _by_scale(found: dict[float, tuple[list[Tensor], Tensor]]) -> dict[str, Tensor]:
    """Scores and features of a discriminator, by the names of the outputs."""
    out = {}
    for scale, (features, scores) in found.items():
        out[f"prediction_map_{scale:g}"] = scores
        out |= {f"feature_maps_{scale:g}.{index}": feature for index, feature in enumerate(features)}
    return out


@torch.no_grad()
def end_to_end(case: Case) -> dict[str, Tensor]:
    """Frames of a source and a driving clip, through the driver and the fast renderer that users get."""
    plugin = FOM(_config(case))
    for name in plugin.inference_networks:
        case.load(plugin.networks[name], name)
    source = case.input("source_image").permute(2, 0, 1)[None]
    frames = case.input("driving_video").permute(0, 3, 1, 2)
    extractor, renderer = plugin.extractor(), plugin.renderer()
    still, driving = extractor.extract([source], Fraction(25)), extractor.extract([frames], Fraction(25))
    motion = plugin.retarget(still, driving, case.build["mode"])
    pictures = renderer.render(renderer.encode_source(Source(source)), motion)
    keypoints = {"kp_source": still, "kp_driving": driving, "kp_norm": motion}
    out = {"prediction": pictures.permute(0, 2, 3, 1)}
    for name, found in keypoints.items():
        out |= _named(name, dict(found.values))
    return out


def train_losses(case: Case) -> dict[str, Tensor]:
    """Losses of one training step, norms of gradients, and batch-norm buffers after it."""
    config, vgg = _config(case), VGG19()
    networks = build_networks(config).train()
    for name, network in networks.items():
        case.load(network, name)
    case.load(vgg, "vgg")
    objective = Objective(networks, config, config.train_params, vgg, lambda frames: _transform(case))
    batch: Batch = {name: case.input(name) for name in ("source", "driving")}
    step = objective.generator_step(batch)
    losses = objective.sum_up(batch, step)
    losses["total_generator"] = torch.stack(list(losses.values())).sum()
    losses["total_generator"].backward()
    gradients = {name: _gradient_norms(networks[name]) for name in ("generator", "kp_detector")}
    networks["discriminator"].zero_grad()
    losses |= objective.discriminator_losses(batch)
    losses["disc_gan"].backward()
    gradients["discriminator"] = _gradient_norms(networks["discriminator"])
    out = {f"loss:{name}": value for name, value in losses.items()}
    for name, network in networks.items():
        out |= {f"grad:{name}.{key}": value for key, value in gradients[name].items()}
        out |= {f"after:{name}.{key}": value for key, value in network.state_dict().items()}
    return out | _step_outputs(step, batch["driving"], config)


def _transform(case: Case) -> ThinPlateTransform:
    """Transform of fixed draws; without control points it is affine."""
    control = case.input("control_params") if case.has("control_params") else None
    return ThinPlateTransform(case.input("theta"), control)


def _step_outputs(step: GeneratorStep, driving: Tensor, config: FOMConfig) -> dict[str, Tensor]:
    out = {"prediction": step.generated["prediction"]}
    if step.transform is not None:
        out["transformed_frame"] = step.transform.warp_frames(driving, align_corners=config.align_corners)
    out |= _named("kp_source", step.kp_source) | _named("kp_driving", step.kp_driving)
    return out | _named("transformed_kp", step.kp_transformed or {})


def _gradient_norms(network: nn.Module) -> dict[str, Tensor]:
    return {name: p.grad.norm() for name, p in network.named_parameters() if p.grad is not None}


RUNNERS: dict[str, Runner] = {
    "fom/kp2gaussian": kp2gaussian,
    "fom/antialias": antialias,
    "fom/transform": transform,
    "fom/normalize-kp": normalized_keypoints,
    "fom/kp-detector": kp_detector,
    "fom/generator": generator,
    "fom/variant": variant,
    "fom/discriminator": discriminator,
    "fom/e2e": end_to_end,
    "fom/train-losses": train_losses,
}
