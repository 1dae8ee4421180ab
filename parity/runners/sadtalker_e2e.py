"""Runs the recorded case of the whole pipeline: a picture, its landmarks and a voice -> frames."""

from __future__ import annotations

import torch
from torch import Tensor

from talkingface.face3d.coefficients import row73
from talkingface.face3d.deep import ReconNet
from talkingface.face3d.five_points import align
from talkingface.models.sadtalker.networks.audio2exp import Audio2Exp
from talkingface.models.sadtalker.networks.audio2pose import Audio2Pose
from talkingface.models.sadtalker.networks.fast import FastGenerator
from talkingface.models.sadtalker.networks.generator import RenderNetworks
from talkingface.models.sadtalker.networks.mapping import WINDOW
from talkingface.models.sadtalker.voice.blink import blinks
from talkingface.models.sadtalker.voice.driver import Chance, speak
from talkingface.models.sadtalker.voice.mel import Speech
from talkingface.models.sadtalker.voice.rows import renderer_rows
from talkingface.motion.windows import windows

from ..case import Case
from ..draw import Array
from ..pictures import waves
from ..run import Runner
from .sadtalker_audio import recorded_wave
from .sadtalker_render import render_config


class Package(RenderNetworks):
    """All networks of a released package, under its prefixes."""

    def __init__(self, case: Case) -> None:
        super().__init__(render_config(case))
        self.audio2exp, self.audio2pose, self.face_3drecon = Audio2Exp(), Audio2Pose(), ReconNet()
        case.load(self)
        self.eval()


@torch.no_grad()
def end_to_end(case: Case) -> dict[str, Tensor]:
    """Every stage as users get it, with the generator that is rearranged for speed."""
    numbers, package = case.build["parameters"], Package(case)
    size = tuple(numbers["picture_size"])
    picture = waves(case.input("picture_params").numpy(), size)
    standard = case.input("standard_5_points").double().numpy()
    aligned = align(case.input("landmarks").double().numpy(), size, standard)
    cut = aligned.cut(picture)
    full = package.face_3drecon(_as_batch(cut).to(case.dtype))
    source = row73(full, torch.from_numpy(aligned.parameters).to(full)[None])
    speech = Speech(recorded_wave(case))
    chance = Chance(case.input("z"), blinks(speech.frames, case.input("starts").tolist()))
    coefficients = speak(package.audio2exp, package.audio2pose, speech, source, chance, style=numbers["pose_style"])
    rows = renderer_rows(coefficients, source, expression_scale=numbers["expression_scale"], still=numbers["still"])
    seen = windows(rows, numbers["frames"])
    prediction, kp_driving = _render(package, _as_batch(picture).to(case.dtype), source[:, :70], seen)
    return {
        "trans_params": torch.tensor([size[1], size[0], aligned.scale, aligned.pose.t_x, aligned.pose.t_y]),
        "aligned_picture": torch.from_numpy(cut),
        "full_coeff": full,
        "ratio": chance.closed[None],
        "coeffs": coefficients,
        "target_windows": seen,
        "kp_driving_first": kp_driving[:1],
        "prediction": prediction,
        "frames_8bit": (255 * prediction).round().permute(0, 2, 3, 1),
    }


def _render(networks: RenderNetworks, image: Tensor, source: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Frames (n, 3, S, S) of windows `seen`, and their keypoints."""
    generator, canonical = FastGenerator(networks.generator), networks.kp_extractor(image)
    kp_source = networks.keypoints(canonical, source[:, :, None].expand(-1, -1, WINDOW))
    kp_driving = networks.keypoints(canonical, seen)
    state = generator.encode(image)
    frames = [generator.decode(state, kp_source, keypoints) for keypoints in kp_driving.split(1)]
    return torch.cat(frames), kp_driving


def _as_batch(picture: Array) -> Tensor:
    """(H, W, 3), uint8, as (1, 3, H, W) in [0, 1]."""
    return torch.from_numpy(picture.copy()).permute(2, 0, 1)[None] / 255


RUNNERS: dict[str, Runner] = {"sadtalker/e2e": end_to_end}
