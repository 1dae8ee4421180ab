"""Recorded cases of StyleHEAT's own networks: encoders, inversion, warpers, calibrator, whole frames."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from talkingface.errors import DataError
from talkingface.models.styleheat.networks.build import Moved, StyleHeatNetworks
from talkingface.models.styleheat.networks.calibrator import CalibrationNet
from talkingface.models.styleheat.networks.inversion import E4eEncoder, Inverter, StyleBlock
from talkingface.models.styleheat.networks.pictures import resized
from talkingface.models.styleheat.networks.residual import ResidualAligner, ResidualEncoder
from talkingface.models.styleheat.networks.warper import AudioWarper, VideoWarper, lower_half
from talkingface.models.styleheat.structure import (
    CalibratorStructure,
    EncoderStructure,
    StyleHeatStructure,
    WarperStructure,
)
from talkingface.motion.coefficients import row73
from talkingface.motion.retarget import expression_only
from talkingface.motion.windows import RADIUS, windows
from talkingface.nn.blocks.ir_se import IRBlock, upsample_add

from ..case import Case, number
from ..run import Runner
from .styleheat_stylegan import structure_of

STAGES = {50: (3, 4, 14, 3), 100: (3, 13, 30, 3), 152: (3, 8, 36, 3)}
"""Blocks of the four stages of an IR network, by its published number of layers."""

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


def ir_stages(case: Case, layers: int, mode: str) -> tuple[tuple[int, int], ...]:
    """Channels and blocks of the stages of a published IR network.

    Raises:
        DataError: if there is no such network, or it has no attention.
    """
    case.require({"mode": mode}, {"mode": "ir_se"})
    if layers not in STAGES:
        raise DataError(f"no IR network of {layers} layers, only {list(STAGES)}", where=case.folder)
    return tuple(zip((64, 128, 256, 512), STAGES[layers], strict=True))


def encoder_structure(case: Case, layers: int, mode: str, size: int) -> EncoderStructure:
    """Sizes of the e4e encoder for a generator of `size` pixels."""
    codes = 2 * (size.bit_length() - 1) - 2
    return EncoderStructure(stages=ir_stages(case, layers, mode), codes=codes)


def _warper_structure(case: Case, groups: Mapping[str, Any], encoder: str) -> WarperStructure:
    warping = groups.get("warping_net", {})
    case.require(warping, {"use_spect": False})
    numbers = {**groups[encoder], **warping}
    return WarperStructure.model_validate(
        {ours: numbers[name] for name, ours in WARPER_NAMES.items() if name in numbers}
    )


@torch.no_grad()
def video_warper(case: Case) -> dict[str, Tensor]:
    """Descriptor and flow of a window, and the picture warped by it."""
    network = VideoWarper(_warper_structure(case, case.build["VideoWarper"], "mapping_net")).eval()
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
    """Descriptor and flow of a sound, the picture warped by it, and the lower half of the flow alone."""
    groups = case.build["AudioWarper"]
    # The published spelling; in words where the numbers are those of the video warper.
    warping = groups["warpping_net"] if isinstance(groups.get("warpping_net"), dict) else {}
    structure = _warper_structure(case, {**groups, "warping_net": warping}, "audio_encoder")
    network = AudioWarper(structure).eval()
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
    """Features and style of the encoders' blocks, and features joined over sizes."""
    blocks = [IRBlock(i, o, stride, attention=name.endswith("SE")) for name, i, o, stride in case.build["body"]]
    style = StyleBlock(*case.build["style"]["GradualStyleBlock"])
    networks = nn.ModuleDict({"body": nn.Sequential(*blocks), "style": style}).eval()
    case.load(networks)
    feature = networks["body"](case.input("x"))
    added = upsample_add(case.input("low"), case.input("high"))
    return {"feature": feature, "style": networks["style"](feature), "upsample_add": added}


def _load(case: Case, network: nn.Module, encoder: E4eEncoder) -> None:
    """Give weights to a network with an encoder in it; the cases have its mean code among the inputs."""
    encoder.register_buffer("latent_avg", encoder.latent_avg, persistent=False)
    case.load(network)
    encoder.load_mean(case.input("latent_avg"))


@torch.no_grad()
def e4e(case: Case) -> dict[str, Tensor]:
    """Codes of a picture, and the coarsest features on the way."""
    settings = case.build["E4eEncoder"]
    network = E4eEncoder(
        encoder_structure(case, settings["num_layers"], settings["mode"], settings["stylegan_size"])
    ).eval()
    _load(case, network, network)
    picture = case.input("image")
    return {"w_plus": network(picture), "c3": network.encoder.stages(picture)[-1]}


@torch.no_grad()
def residual(case: Case) -> dict[str, Tensor]:
    """Residual, aligned, and the change of the features that it makes."""
    networks = nn.ModuleDict({"aligner": ResidualAligner(), "encoder": ResidualEncoder()}).eval()
    case.load(networks)
    aligned = networks["aligner"](case.input("res"), case.input("ix"))
    return {"res_aligned": aligned, **networks["encoder"](aligned)._asdict()}


@torch.no_grad()
def calibration(case: Case) -> dict[str, Tensor]:
    """Maps of all heads; the last pair by the short way, as the generator gets it."""
    settings = case.build["CalibrationNet"]
    case.require(settings, {"channel_multiplier": 2, "narrow": 1})
    structure = CalibratorStructure(size=settings["out_size"], channels=settings["input_channel"])
    network = CalibrationNet(structure).eval()
    case.load(network)
    features, descriptor = case.input("fx_warp"), case.input("descriptor").squeeze(-1)
    pairs = [*network.maps(features, descriptor)[:-1], network(features, descriptor)]
    return {f"condition_{index}": found for index, found in enumerate(one for pair in pairs for one in pair)}


@torch.no_grad()
def hfgi_inverse(case: Case) -> dict[str, Tensor]:
    """Inversion of a picture, step by step."""
    encoder = case.build["HFGI"]["e4e"]
    generator = structure_of(case, case.build["HFGI"]["stylegan"])
    structure = StyleHeatStructure(generator=generator, encoder=encoder_structure(case, *encoder))
    network = Inverter(structure).eval()
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
    """Inverted picture, and the frames that the outputs name, by the way that inference takes.

    With an input ``semantics``, a window, also what leads to its frame, and the frame without the calibrator. With the
    audio warper, the sound ``mel`` moves the lower half on top of that.
    """
    networks, audio = StyleHeatNetworks().eval(), case.build["StyleHEAT"].get("enable_audio", False)
    if audio:
        networks.add_module("audio_warper", AudioWarper().eval())
    _load(case, networks, networks.generator.e4e_encoder)
    inversion = networks.generator(case.input("source"))
    out = {"ix": inversion.picture}
    for name, window in frame_windows(case).items():
        moved = networks.move(inversion, window.expand(max(len(window), len(inversion.codes)), -1, -1))
        on_the_way = {"flow_field": moved.warp.flow}
        if audio or "video_warp_image" in case.outputs:
            on_the_way["video_warp_image"] = _at_size_of(case, name, networks.draw_warped(inversion, moved))
        if audio:
            moved = _with_sound(case, networks, moved, on_the_way["video_warp_image"])
            on_the_way["audio_warp_image"] = _at_size_of(case, name, networks.draw_warped(inversion, moved))
        on_the_way |= {
            "fx_warp": moved.features,
            "refine_scale": moved.refine.scale,
            "refine_shift": moved.refine.shift,
        }
        out[name] = _at_size_of(case, name, networks.draw(inversion, moved))
        out |= on_the_way if name == "fake_image" else {}
    return out


def _with_sound(case: Case, networks: StyleHeatNetworks, moved: Moved, drawn: Tensor) -> Moved:
    """Features that a sound moves on, as far as the lower half of its flow goes.

    Args:
        drawn: (N, 3, H, W), the picture so far, at the size of the result.
    """
    picture = resized(drawn, networks.generator.e4e_encoder.side)
    features = lower_half(networks.get_submodule("audio_warper")(picture, case.input("mel"))).apply(moved.features)
    return Moved(moved.warp, features, networks.calibrator(features, moved.warp.descriptor))


def _at_size_of(case: Case, name: str, pictures: Tensor) -> Tensor:
    return resized(pictures, case.outputs[name]["shape"][-1])


def frame_windows(case: Case) -> dict[str, Tensor]:
    """Windows (n, 73, 27) by the names of the frames that they make.

    ``<words>_frame<number>`` is a frame of the targets, with "expression_only" in its words for the rest as in the
    source; any other is the source's own row, with the rows that the call gives new numbers.
    """
    found = {"fake_image": case.input("semantics")} if case.has("semantics") else {}
    for name in case.outputs:
        frame = re.search(r"_frame(\d+)$", name)
        rows = re.search(rf"\b{name}: [^.]*?rows (\d+):(\d+) = \(([^)]*)\)", case.call)
        if frame:
            window = windows(row73(case.input("target_coeffs")), [int(frame[1])])
            if "expression_only" in name:
                source = row73(case.input("source_coeff"))
                window = expression_only(source, window.transpose(1, 2)).transpose(1, 2)
            found[name] = window
        elif rows:
            row = row73(case.input("source_coeff")).clone()
            values = [number(text.strip()) for text in rows[3].split(",")]
            row[:, int(rows[1]) : int(rows[2])] = row.new_tensor(values)
            found[name] = row[:, :, None].expand(-1, -1, 2 * RADIUS + 1)
    return found


RUNNERS: dict[str, Runner] = {
    "styleheat/video-warper": video_warper,
    "styleheat/audio-warper": audio_warper,
    "styleheat/ir-blocks": ir_blocks,
    "styleheat/e4e-encoder": e4e,
    "styleheat/hfgi-residual": residual,
    "styleheat/calibration-net": calibration,
    "styleheat/hfgi-inverse": hfgi_inverse,
    "styleheat/full": full,
}
