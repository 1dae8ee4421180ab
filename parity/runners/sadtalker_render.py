"""Recorded cases of SadTalker's render side: mapping, keypoints, generator."""

from __future__ import annotations

import torch
from torch import Tensor

from talkingface.models.sadtalker.config import RenderConfig
from talkingface.models.sadtalker.networks.generator import RenderNetworks
from talkingface.models.sadtalker.networks.mapping import WINDOW, HeadMotion, MappingNet
from talkingface.models.sadtalker.networks.motion import KPDetector, degrees, head_rotation, transform_keypoints
from talkingface.motion.windows import windows

from ..case import Case
from ..run import Runner

ANGLES = ("yaw", "pitch", "roll")


def render_config(case: Case) -> RenderConfig:
    """Settings of a case's render networks."""
    groups = case.build["parameters"]
    return RenderConfig.model_validate({name: groups[name] for name in RenderConfig.model_fields if name in groups})


@torch.no_grad()
def mapping(case: Case) -> dict[str, Tensor]:
    """Windows of a sequence, and what the heads of the network make of them."""
    numbers = dict(case.build["parameters"])
    found = windows(case.input("coeffs"), numbers.pop("frames"))
    network = MappingNet(RenderConfig.model_validate({"mapping_params": numbers}).mapping_params).eval()
    case.load(network)
    return {"window": found, **network(found)._asdict()}


def keypoint_transformation(case: Case) -> dict[str, Tensor]:
    """Keypoints as the motion says, without expression, and with angles of the user's."""
    canonical = case.input("kp_canonical")
    motion = HeadMotion(*(case.input(name) for name in HeadMotion._fields))
    asked = asked_angles(case)
    return {
        **{f"{name}_degree": degrees(getattr(motion, name)) for name in ANGLES},
        "rotation": head_rotation(motion),
        "kp": transform_keypoints(canonical, motion),
        "kp_without_exp": transform_keypoints(canonical, motion, expression=False),
        **{f"kp_{name}_in": transform_keypoints(canonical, motion, {name: angle}) for name, angle in asked.items()},
        "kp_all_in": transform_keypoints(canonical, motion, asked),
    }


@torch.no_grad()
def kp_detector(case: Case) -> dict[str, Tensor]:
    """Canonical keypoints of a picture and of the third power of others, with heatmaps."""
    config = render_config(case)
    network = KPDetector(config.kp_detector_params, config.common_params).eval()
    case.load(network)
    pictures = case.input("source_image")
    pictures = torch.cat([pictures[:1], pictures[1:] ** 3])
    logits = network.heatmap_logits(pictures)
    return {"down": network.down(pictures), "heatmap_logits": logits, "kp": network.locate(logits)}


@torch.no_grad()
def facerender(case: Case) -> dict[str, Tensor]:
    """A frame, and everything on the way to it."""
    networks = RenderNetworks(render_config(case)).eval()
    case.load(networks)
    generator, image, window = networks.generator, case.input("source_image"), case.input("target_window")
    canonical = networks.kp_extractor(image)
    kp_source = networks.keypoints(canonical, case.input("source_coeff").expand(-1, -1, WINDOW))
    kp_driving = networks.keypoints(canonical, window, asked_angles(case))
    state = generator.encode(image)
    motion = generator.move(state, kp_source, kp_driving)
    middle: dict[str, Tensor] = {}
    generator.decoder.middle_blocks[-1].register_forward_hook(lambda module, inputs, out: middle.update(out=out))
    prediction = generator.draw(state.features, motion)
    maps = {"mask": motion.mask, "deformation": motion.deformation, "occlusion": motion.occlusion}
    return {
        "yaw_degree": degrees(networks.mapping(window).yaw),
        "kp_canonical": canonical,
        "kp_source": kp_source,
        "kp_driving": kp_driving,
        "feature_3d": state.features,
        **{name: value for name, value in maps.items() if value is not None},
        "decoder_middle": middle["out"],
        "prediction": prediction[:, None],
    }


def asked_angles(case: Case) -> dict[str, Tensor]:
    """Angles of the user's, (N,) in degrees, by name, as far as the case has them."""
    return {name: case.input(f"{name}_in") for name in ANGLES if case.has(f"{name}_in")}


RUNNERS: dict[str, Runner] = {
    "sadtalker/mapping": mapping,
    "sadtalker/keypoint-transformation": keypoint_transformation,
    "sadtalker/kp-detector": kp_detector,
    "sadtalker/facerender": facerender,
}
