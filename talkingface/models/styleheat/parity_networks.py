"""Builds the parity cases of StyleHEAT's networks and losses from what they say; see talkingface.parity."""

from __future__ import annotations

import re

import torch
from torch import Tensor, nn

from ...nn.flow import flow_to_field, warp_by_field
from ...nn.identity import IdentityNetwork, identity_loss
from ...nn.ir_se import IRBlock, upsample_add
from ...nn.lpips import LPIPS
from ...nn.perceptual import STYLE_WEIGHT, perceptual_loss
from ...nn.vgg import VGG19
from ...parity.case import Case
from ...parity.run import Runner
from .audio_window import audio_windows
from .calibrator import CalibrationNet
from .e4e import E4eEncoder, StyleBlock
from .face_parts import part_boxes
from .inversion_loss import Candidate, CodeStatistics, inversion_losses
from .loss_weights import CalibrationWeights
from .losses import CalibrationStep, calibration_losses
from .pictures import to_bytes
from .residual import ResidualAligner, ResidualEncoder
from .structure import CalibratorStructure, WarperStructure
from .warper import AudioWarper, VideoWarper, lower_half

WARPER_NAMES = {
    "coeff_nc": "numbers",
    "descriptor_nc": "features",
    "layer": "layers",
    "image_nc": "picture_channels",
    "base_nc": "width",
    "max_nc": "max_width",
    "encoder_layer": "down",
    "decoder_layer": "up",
}


def flow_ops(case: Case) -> dict[str, Tensor]:
    """A flow and none at all, on pictures of its own and of another size."""
    flow, same = case.input("flow"), case.inputs["image_same"]
    field, still = flow_to_field(flow), flow_to_field(torch.zeros_like(flow))
    return {
        "deformation": field,
        "warp_resized": warp_by_field(case.inputs["image"], field),
        "warp_same": warp_by_field(same, field),
        "zero_flow_grid": still.expand(len(flow), -1, -1, -1),
        "warp_zero_flow": warp_by_field(same, still),
        "warp_256": warp_by_field(case.inputs["image256"], flow_to_field(case.inputs["flow64"])),
    }


def audio_window(case: Case) -> dict[str, Tensor]:
    """Windows of several lengths."""
    found = {}
    for name in case.outputs:
        columns, frame = (int(number) for number in re.findall(r"\d+", name))
        found[name] = audio_windows(case.input("mel"), torch.tensor([frame]), columns)[0]
    return found


def frames_to_uint8(case: Case) -> dict[str, Tensor]:
    """Two frames as a video writer of the published code got them, and the first as a picture."""
    frames = to_bytes(case.input("frames"), truncate=True)
    return {"video_bgr": frames.flip(-1), "picture_rgb": frames[0]}


def _warper_structure(groups: dict[str, dict[str, int]], encoder: str) -> WarperStructure:
    numbers = {**groups[encoder], **groups.get("warping_net", {})}
    return WarperStructure.model_validate(
        {ours: numbers[name] for name, ours in WARPER_NAMES.items() if name in numbers}
    )


@torch.no_grad()
def video_warper(case: Case) -> dict[str, Tensor]:
    """Flow and what it does to the picture."""
    network = VideoWarper(_warper_structure(case.build["VideoWarper"], "mapping_net")).eval()
    case.load(network)
    picture = case.input("image")
    warp = network(picture, case.input("semantics"))
    return {
        "descriptor": warp.descriptor[..., None],
        "flow_field": warp.flow,
        "deformation": warp.field,
        "warp_image": warp.apply(picture),
    }


@torch.no_grad()
def audio_warper(case: Case) -> dict[str, Tensor]:
    """The same for speech, and the lower half of the flow alone."""
    groups = case.build["AudioWarper"]
    network = AudioWarper(_warper_structure({"audio_encoder": groups["audio_encoder"]}, "audio_encoder")).eval()
    case.load(network)
    picture = case.input("image")
    warp = network(picture, case.input("mel"))
    return {
        "descriptor": warp.descriptor[..., None],
        "flow_field": warp.flow,
        "warp_image": warp.apply(picture),
        "deformation_lower_half": lower_half(warp).field,
    }


@torch.no_grad()
def ir_blocks(case: Case) -> dict[str, Tensor]:
    """The blocks of the encoders."""
    blocks = [IRBlock(i, o, stride, attention=name.endswith("SE")) for name, i, o, stride in case.build["body"]]
    style = StyleBlock(*case.build["style"]["GradualStyleBlock"])
    networks = nn.ModuleDict({"body": nn.Sequential(*blocks), "style": style}).eval()
    case.load(networks)
    feature = networks["body"](case.input("x"))
    added = upsample_add(case.input("low"), case.input("high"))
    return {"feature": feature, "style": networks["style"](feature), "upsample_add": added}


@torch.no_grad()
def e4e(case: Case) -> dict[str, Tensor]:
    """Codes of a picture, and the coarsest features on the way."""
    network = E4eEncoder().eval()
    case.load(network)
    network.load_mean(case.input("latent_avg"))
    picture = case.input("image")
    return {"w_plus": network(picture), "c3": network.encoder.stages(picture)[-1]}


@torch.no_grad()
def residual(case: Case) -> dict[str, Tensor]:
    """The residual, moved, and what it does to the features."""
    networks = nn.ModuleDict({"aligner": ResidualAligner(), "encoder": ResidualEncoder()}).eval()
    case.load(networks)
    aligned = networks["aligner"](case.input("res"), case.input("ix"))
    return {"res_aligned": aligned, **networks["encoder"](aligned)._asdict()}


@torch.no_grad()
def calibration(case: Case) -> dict[str, Tensor]:
    """What all heads give; the last by the short way, as the generator gets it."""
    said = case.build["CalibrationNet"]
    structure = CalibratorStructure(size=said["out_size"], channels=said["input_channel"])
    network = CalibrationNet(structure).eval()
    case.load(network)
    features, descriptor = case.input("fx_warp"), case.input("descriptor").squeeze(-1)
    pairs = [*network.maps(features, descriptor)[:-1], network(features, descriptor)]
    return {f"condition_{index}": found for index, found in enumerate(one for pair in pairs for one in pair)}


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
    """Vectors of faces, and the loss with its gradient."""
    network = IdentityNetwork().eval()
    case.load(network)
    real = case.inputs["y"]
    mix = (0.7 * real + 0.3 * case.inputs["y_hat"]).requires_grad_()
    loss = identity_loss(network, mix, real)
    with torch.no_grad():
        features = {
            "feature_112": network(case.input("face_112")),
            "feature_y": network.of_aligned(real),
            "feature_mix": network.of_aligned(mix),
        }
    return {**features, "loss": loss[None], "grad": torch.autograd.grad(loss, mix)[0]}


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
    "styleheat/flow-ops": flow_ops,
    "styleheat/audio-window": audio_window,
    "styleheat/frames-to-uint8": frames_to_uint8,
    "styleheat/video-warper": video_warper,
    "styleheat/audio-warper": audio_warper,
    "styleheat/ir-blocks": ir_blocks,
    "styleheat/e4e-encoder": e4e,
    "styleheat/hfgi-residual": residual,
    "styleheat/calibration-net": calibration,
    "styleheat/perceptual-loss": perceptual,
    "styleheat/lpips-alex": lpips,
    "styleheat/ir-se50-id-loss": identity,
    "styleheat/inversion-loss": inversion,
    "styleheat/stage2-losses": stage2,
}
