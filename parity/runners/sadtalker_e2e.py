"""Recorded cases of SadTalker's whole pipeline: a picture, its landmarks and a voice to frames."""

from __future__ import annotations

import torch
from torch import Tensor

from talkingface.face3d.deep import ReconNet
from talkingface.models.sadtalker.networks.audio2exp import Audio2Exp
from talkingface.models.sadtalker.networks.audio2pose import Audio2Pose
from talkingface.models.sadtalker.networks.fast import FastGenerator
from talkingface.models.sadtalker.networks.generator import RenderNetworks
from talkingface.models.sadtalker.networks.mapping import WINDOW
from talkingface.models.sadtalker.voice.mel import Speech
from talkingface.models.sadtalker.voice.speech import SpeechNoise, add_motion, speak
from talkingface.motion.coefficients import LAYOUT_70, LAYOUT_73, row73
from talkingface.motion.tracks import spread_angles
from talkingface.motion.windows import windows

from ..case import Case
from ..run import Runner
from .sadtalker_audio import fitted_rows, recorded_blinks, recorded_wave
from .sadtalker_face import batch, reconstruct
from .sadtalker_render import ANGLES, render_config


class Package(RenderNetworks):
    """All networks of a released package, under its prefixes."""

    def __init__(self, case: Case) -> None:
        super().__init__(render_config(case))
        self.audio2exp, self.audio2pose, self.face_3drecon = Audio2Exp(), Audio2Pose(), ReconNet()
        case.load(self)
        self.eval()


@torch.no_grad()
def end_to_end(case: Case) -> dict[str, Tensor]:
    """Frames and what leads to them, every stage as users get it, with the generator rearranged for speed."""
    numbers, package = case.build["parameters"], Package(case)
    picture, aligned, outputs = reconstruct(case, package.face_3drecon)
    full = outputs["full_coeff"]
    source = row73(full, torch.from_numpy(aligned.parameters).to(full)[None])
    coefficients, closed = _from_voice(case, package, source)
    options = {name: numbers[name] for name in ("expression_scale", "still")}
    layout = LAYOUT_73 if "full" in numbers["preprocess"] else LAYOUT_70
    rows = fitted_rows(source, coefficients, options, layout.width)
    around = windows(rows, numbers["frames"])
    angles = _angles(case, len(rows))
    prediction, kp_driving = _rendered(package, batch(picture).to(case.dtype) / 255, source, around, angles)
    return {
        **outputs,
        "ratio": closed[None],
        "coeffs": coefficients,
        "target_windows": around,
        "kp_driving_first": kp_driving[:1],
        "prediction": prediction,
        "frames_8bit": (255 * prediction).round().permute(0, 2, 3, 1),
    }


def _from_voice(case: Case, package: Package, source: Tensor) -> tuple[Tensor, Tensor]:
    """Coefficients (T, 70) of the voice, and how far the eyes are closed, (T, 1)."""
    speech = Speech(recorded_wave(case))
    eyes = case.input("blink_video_coeffs") if case.has("blink_video_coeffs") else None
    closed = recorded_blinks(case, speech.frames) if eyes is None else torch.zeros(speech.frames, 1)
    noise, style = SpeechNoise(case.input("z"), closed), case.build["parameters"]["pose_style"]
    rows = speak(package.audio2exp, package.audio2pose, speech, source, noise, style=style, eyes=eyes)
    if case.has("ref_video_coeffs"):
        rows = add_motion(rows, case.input("ref_video_coeffs"))
    return rows, closed


def _angles(case: Case, frames: int) -> dict[str, Tensor]:
    """Angles of the user's in the frames that are drawn, (n,) in degrees, as far as the case asks for any."""
    numbers = case.build["parameters"]
    keys = {name: numbers.get(f"input_{name}") for name in ANGLES}
    return {name: spread_angles(key, frames)[numbers["frames"]] for name, key in keys.items() if key is not None}


def _rendered(
    networks: RenderNetworks, image: Tensor, source: Tensor, around: Tensor, angles: dict[str, Tensor]
) -> tuple[Tensor, Tensor]:
    """Frames (n, 3, S, S) in [0, 1] of windows (n, C, 27), and their keypoints (n, K, 3); C is 70 or 73."""
    generator, canonical = FastGenerator(networks.generator), networks.kp_extractor(image)
    still = source[:, : around.shape[1], None].expand(-1, -1, WINDOW)
    kp_source, kp_driving = networks.keypoints(canonical, still), networks.keypoints(canonical, around, angles)
    state = generator.encode(image)
    drawn = [generator.decode(state, kp_source, keypoints) for keypoints in kp_driving.split(1)]
    return torch.cat(drawn), kp_driving


RUNNERS: dict[str, Runner] = {"sadtalker/e2e": end_to_end}
