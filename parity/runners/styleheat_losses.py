"""Recorded cases of StyleHEAT's losses, with their gradients."""

from __future__ import annotations

import re
from functools import partial

import torch
from torch import Tensor

from talkingface.models.styleheat.config import CalibrationWeights
from talkingface.models.styleheat.edits.optimize import (
    FEATURE_WEIGHT,
    LIKELY_WEIGHT,
    Candidate,
    CodeStatistics,
    inversion_losses,
)
from talkingface.models.styleheat.networks.pictures import resized
from talkingface.models.styleheat.training.losses import CalibrationStep, calibration_losses, part_boxes
from talkingface.models.styleheat.training.objective import ADVERSARIAL
from talkingface.nn.blocks.ir_se import Stage
from talkingface.nn.losses.identity import IdentityNetwork, identity_loss
from talkingface.nn.losses.perceptual import LPIPS, VGG19, perceptual_loss
from talkingface.nn.stylegan2.discriminator import Discriminator
from talkingface.nn.stylegan2.losses import generator_loss
from talkingface.nn.stylegan2.structure import FEATURES, StyleGAN2Structure

from ..case import Case
from ..run import Runner
from .styleheat_networks import ir_stages


def perceptual(case: Case) -> dict[str, Tensor]:
    """Loss in three forms, with gradients, and the features of the first picture."""
    vgg, scales = _vgg(case), int(case.build["num_scales"])
    found: dict[str, Tensor] = {}
    for name, style in (("plain", 0.0), ("style", float(case.build["weight_style_to_perceptual"]))):
        made = case.input("input").clone().requires_grad_()
        loss = perceptual_loss(vgg, made, case.input("target"), style=style, scales=scales)
        found |= {f"loss_{name}": loss[None], f"grad_{name}": torch.autograd.grad(loss, made)[0]}
    with torch.no_grad():
        masked = perceptual_loss(vgg, case.input("input"), case.input("target"), mask=case.input("mask"), scales=scales)
        maps = vgg((case.input("input") + 1) / 2)
    names = [f"feature.{name}" for name in case.build["layer_index"]]
    return found | {"loss_masked": masked[None]} | dict(zip(names, maps, strict=True))


@torch.no_grad()
def lpips(case: Case) -> dict[str, Tensor]:
    """Distances of pictures, and the maps that they are means of."""
    network = LPIPS()
    case.load(network)
    one, other = case.input("a"), case.input("b")
    maps = {f"map_{index}": found for index, found in enumerate(network.maps(one, other))}
    return {"distance": network(one, other), **maps}


def identity(case: Case) -> dict[str, Tensor]:
    """Vectors of faces, the loss and its gradient.

    Some PReLU sees numbers 5e-8 of their deviation away from zero, where float32 cannot tell the sign and the gradient
    jumps: it differs by 1e-3 from float64 in the recorded run, and by 0 to 1e-3 in ours, as the order of the sums goes.
    oneDNN orders them by the number of threads. Torch's own convolutions do not, and with channels last they happen to
    decide as the recorded run did; other signs would be as right. All other numbers agree either way.
    """
    settings = case.build["Backbone"]
    stages = [Stage(*stage) for stage in ir_stages(case, settings["num_layers"], settings["mode"])]
    network = IdentityNetwork(stages, size=settings["input_size"]).eval()
    case.load(network)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs leave it out
    real = case.input("y")
    mix = (0.7 * real + 0.3 * case.input("y_hat")).requires_grad_()
    with torch.backends.mkldnn.flags(enabled=False, allow_tf32=None):
        loss = identity_loss(network, mix, real)
        gradient = torch.autograd.grad(loss, mix)[0]
    with torch.no_grad():
        features = {
            "feature_112": network(case.input("face_112")),
            "feature_y": network.of_aligned(real),
            "feature_mix": network.of_aligned(mix),
        }
    return {**features, "loss": loss[None], "grad": gradient}


def inversion(case: Case) -> dict[str, Tensor]:
    """Weighted terms of the loss, their sum, and its gradients."""
    case.require(case.build, {"p_norm_lambda": LIKELY_WEIGHT, "l_F_lambda": FEATURE_WEIGHT})
    statistics = CodeStatistics(*(case.input(name) for name in ("X_mean", "X_comp", "X_stdev")))
    leaves = {name: case.input(name).clone().requires_grad_() for name in ("fake", "latent", "f_latent")}
    terms = inversion_losses(
        Candidate(*leaves.values()), case.input("gt"), case.input("f_init"), _vgg(case), statistics
    )
    loss = torch.stack(list(terms.values())).sum()
    gradients = torch.autograd.grad(loss, list(leaves.values()))
    return {
        "loss": loss[None],
        **{name: term[None] for name, term in terms.items()},
        **dict(zip(("grad_fake", "grad_latent", "grad_f"), gradients, strict=True)),
    }


def stage2(case: Case) -> dict[str, Tensor]:
    """Weighted terms of the calibrator's loss at several iterations, with gradients."""
    weights = _calibration_weights(case)
    vgg, discriminator = VGG19(), discriminator_of(case) if weights.gan_loss else None
    case.load_together(vgg, *([] if discriminator is None else [discriminator]))
    scale = float(case.from_call(r"source_keypoint\w*\)\*([\d.]*\d)", "2"))
    boxes = part_boxes(torch.cat([case.input("target_keypoint"), case.input("source_keypoint")]), scale)
    real = torch.cat([case.input("target"), case.input("source")])
    found: dict[str, Tensor] = {"boxes": boxes}
    for iteration in sorted({int(number) for number in re.findall(r"iter(\d+)\.", " ".join(case.outputs))}):
        made, warped = (case.input(name).clone().requires_grad_() for name in ("fake", "warp"))
        step = CalibrationStep(made, warped, real, boxes, iteration)
        adversarial = None if discriminator is None else partial(_published_adversary, discriminator)
        terms = calibration_losses(step, weights, vgg, adversarial)
        total = torch.stack(list(terms.values())).sum()
        gradients = torch.autograd.grad(total, [made, warped], materialize_grads=True)
        results = {name: term[None] for name, term in terms.items()} | {"total_loss": total[None]}
        results |= dict(zip(("grad_fake", "grad_warp"), gradients, strict=True))
        found |= {f"iter{iteration}.{name}": value for name, value in results.items()}
    return found


def _calibration_weights(case: Case) -> CalibrationWeights:
    style = re.search(r"style ([\d.]*\d)", str(case.build.get("perceptual_final")))
    return CalibrationWeights.model_validate(
        {name.removeprefix("weight_"): weight for name, weight in case.build["weights"].items()}
        | {"style": float(style[1]) if style else 0.0}
    )


def discriminator_of(case: Case) -> Discriminator:
    """Discriminator of the size that the names and shapes of its weights tell."""
    halvings = max(int(name.split(".")[1]) for name in case.weight_specs if name.startswith("convs."))
    size, channels = 4 << halvings, case.weight_specs["convs.0.0.weight"]["shape"][0]
    return Discriminator(StyleGAN2Structure(size=size, splice=min(size, 64), width=channels * size / FEATURES))


def _published_adversary(discriminator: Discriminator, made: Tensor) -> Tensor:
    """Adversarial loss with the sign and the scale of the published trainer."""
    scores = discriminator(resized(made, discriminator.structure.size))
    return ADVERSARIAL * generator_loss(scores, inverted=True)


def _vgg(case: Case) -> VGG19:
    vgg = VGG19()
    case.load(vgg)
    return vgg


RUNNERS: dict[str, Runner] = {
    "styleheat/perceptual-loss": perceptual,
    "styleheat/lpips-alex": lpips,
    "styleheat/ir-se50-id-loss": identity,
    "styleheat/inversion-loss": inversion,
    "styleheat/stage2-losses": stage2,
}
