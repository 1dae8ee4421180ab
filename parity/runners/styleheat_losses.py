"""Builds the parity cases of StyleHEAT's losses from what they say; see parity."""

from __future__ import annotations

import re

import torch
from torch import Tensor

from talkingface.models.styleheat.config import CalibrationWeights
from talkingface.models.styleheat.edits.optimize import Candidate, CodeStatistics, inversion_losses
from talkingface.models.styleheat.training.face_parts import part_boxes
from talkingface.models.styleheat.training.losses import CalibrationStep, calibration_losses
from talkingface.nn.losses.identity import IdentityNetwork, identity_loss
from talkingface.nn.losses.lpips import LPIPS
from talkingface.nn.losses.perceptual import STYLE_WEIGHT, VGG19, perceptual_loss

from ..case import Case
from ..run import Runner


def perceptual(case: Case) -> dict[str, Tensor]:
    """The loss in three forms, with gradients, and the features of the first picture."""
    vgg = _vgg(case)
    found: dict[str, Tensor] = {}
    for name, style in (("plain", 0.0), ("style", float(case.build["weight_style_to_perceptual"]))):
        made = case.input("input").requires_grad_()
        loss = perceptual_loss(vgg, made, case.input("target"), style=style)
        found |= {f"loss_{name}": loss[None], f"grad_{name}": torch.autograd.grad(loss, made)[0]}
    with torch.no_grad():
        masked = perceptual_loss(vgg, case.input("input"), case.input("target"), mask=case.input("mask"))
        maps = vgg((case.input("input") + 1) / 2)
    names = [f"feature.{name}" for name in case.build["layer_index"]]
    return found | {"loss_masked": masked[None]} | dict(zip(names, maps, strict=True))


@torch.no_grad()
def lpips(case: Case) -> dict[str, Tensor]:
    """Distances, and where they come from."""
    network = LPIPS()
    case.load(network)
    one, other = case.input("a"), case.input("b")
    maps = {f"map_{index}": found for index, found in enumerate(network.maps(one, other))}
    return {"distance": network(one, other), **maps}


def identity(case: Case) -> dict[str, Tensor]:
    """Vectors of faces, and the loss with its gradient.

    Some PReLU sees numbers 5e-8 of their deviation away from zero, where float32 cannot tell the sign and the gradient
    jumps: it differs by 1e-3 from float64 in the recorded run, and by 0 to 1e-3 in ours, as the order of the sums goes.
    oneDNN orders them by the number of threads. Torch's own convolutions do not, and with channels last they happen to
    decide as the recorded run did; other signs would be as right. All other numbers agree either way.
    """
    network = IdentityNetwork().eval()
    case.load(network)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs leave it out
    real = case.inputs["y"]
    mix = (0.7 * real + 0.3 * case.inputs["y_hat"]).requires_grad_()
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
    """The terms with their weights, their sum, and its gradients."""
    statistics = CodeStatistics(*(case.inputs[name] for name in ("X_mean", "X_comp", "X_stdev")))
    leaves = {name: case.inputs[name].requires_grad_() for name in ("fake", "latent", "f_latent")}
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
    """The terms with their weights at several iterations, with gradients."""
    vgg, scale = _vgg(case), 2.0
    weights = CalibrationWeights.model_validate(
        {name.removeprefix("weight_"): weight for name, weight in case.build["weights"].items()}
        | {"style": STYLE_WEIGHT}
    )
    boxes = part_boxes(torch.cat([case.input("target_keypoint"), case.input("source_keypoint")]), scale)
    found: dict[str, Tensor] = {"boxes": boxes}
    real = torch.cat([case.inputs["target"], case.inputs["source"]])
    for iteration in sorted({int(number) for number in re.findall(r"iter(\d+)\.", " ".join(case.outputs))}):
        made, warped = (case.inputs[name].clone().requires_grad_() for name in ("fake", "warp"))
        terms = calibration_losses(CalibrationStep(made, warped, real, boxes, iteration), weights, vgg)
        total = torch.stack(list(terms.values())).sum()
        gradients = torch.autograd.grad(total, [made, warped])
        results = {name: term[None] for name, term in terms.items()} | {"total_loss": total[None]}
        results |= dict(zip(("grad_fake", "grad_warp"), gradients, strict=True))
        found |= {f"iter{iteration}.{name}": value for name, value in results.items()}
    return found


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
