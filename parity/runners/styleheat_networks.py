"""Builds the parity cases of StyleHEAT's networks from what they say; see parity."""

from __future__ import annotations

import re

import torch
from torch import Tensor, nn

from talkingface.models.styleheat.networks.build import StyleHeatNetworks
from talkingface.models.styleheat.networks.calibrator import CalibrationNet
from talkingface.models.styleheat.networks.inversion import E4eEncoder, Inverter, StyleBlock
from talkingface.models.styleheat.networks.pictures import to_bytes
from talkingface.models.styleheat.networks.residual import ResidualAligner, ResidualEncoder
from talkingface.models.styleheat.networks.warper import AudioWarper, VideoWarper, lower_half
from talkingface.models.styleheat.structure import CalibratorStructure, WarperStructure
from talkingface.nn.blocks.ir_se import IRBlock, upsample_add
from talkingface.nn.geometry.grids import flow_to_field, warp_by_field

from ..case import Case
from ..run import Runner
from .styleheat_audio_window import audio_windows

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


def _load(case: Case, network: nn.Module, encoder: E4eEncoder) -> None:
    """Weights of a network with an encoder in it. The cases have its mean code among the inputs instead."""
    encoder.register_buffer("latent_avg", encoder.latent_avg, persistent=False)
    case.load(network)
    encoder.load_mean(case.input("latent_avg"))


@torch.no_grad()
def e4e(case: Case) -> dict[str, Tensor]:
    """Codes of a picture, and the coarsest features on the way."""
    network = E4eEncoder().eval()
    _load(case, network, network)
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


@torch.no_grad()
def hfgi_inverse(case: Case) -> dict[str, Tensor]:
    """A picture inverted, step by step."""
    network = Inverter().eval()
    _load(case, network, network.e4e_encoder)
    rough = network.encode(case.input("image"))
    found = network.detail(rough, rough.residual)
    return {
        "w_plus": rough.codes,
        "ix_rough": rough.picture,
        "res": rough.residual,
        "res_aligned": found.aligned,
        **found.details._asdict(),
        "ix": found.picture,
        "fx": found.features,
        "image_1024": found.full,
    }


@torch.no_grad()
def full(case: Case) -> dict[str, Tensor]:
    """One frame by the way that inference takes, and the frame without the calibrator."""
    networks = StyleHeatNetworks().eval()
    _load(case, networks, networks.generator.e4e_encoder)
    inversion = networks.generator(case.input("source"))
    moved = networks.move(inversion, case.input("semantics"))
    return {
        "ix": inversion.picture,
        "flow_field": moved.warp.flow,
        "fx_warp": moved.features,
        "refine_scale": moved.refine.scale,
        "refine_shift": moved.refine.shift,
        "video_warp_image": networks.draw_warped(inversion, moved),
        "fake_image": networks.draw(inversion, moved),
    }


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
    "styleheat/hfgi-inverse": hfgi_inverse,
    "styleheat/full": full,
}
