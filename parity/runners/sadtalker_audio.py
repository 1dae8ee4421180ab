"""Recorded cases of SadTalker's audio side: spectrum, expression, head pose, blinks, rows for the renderer."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from itertools import repeat
from typing import Any

import torch
from torch import Tensor

from talkingface.models.sadtalker.networks.audio2exp import Audio2Exp
from talkingface.models.sadtalker.networks.audio2pose import Audio2Pose
from talkingface.models.sadtalker.networks.pose_cvae import SEQUENCE
from talkingface.models.sadtalker.retarget import fit_to_source
from talkingface.models.sadtalker.voice.mel import (
    SAMPLE_RATE_HZ,
    NoVoice,
    Speech,
    frame_count,
    mel_columns,
    mel_filters,
    mel_windows,
)
from talkingface.models.sadtalker.voice.speech import add_motion, blinks, random_blinks, reference_rows, smooth_poses
from talkingface.motion.coefficients import COEFFICIENTS, LAYOUT_70, LAYOUT_73
from talkingface.motion.tracks import spread_angles
from talkingface.motion.windows import windows as motion_windows
from talkingface.types import Motion

from ..case import Case
from ..run import Runner

# Numbers of the published front end, which is all there is.
_FRONT_END = {
    "sample_rate": 16000,
    "preemphasis": 0.97,
    "n_fft": 800,
    "hop": 200,
    "win": 800,
    "num_mels": 80,
    "fmin": 55,
    "fmax": 7600,
    "min_level_db": -100,
    "ref_level_db": 20,
    "fps": 25,
    "window_frames": 16,
}
# A blink that the published program has but never uses, and the pause before it.
_SLOW_BLINK, _SLOW_PAUSE = (0.5, 0.6, 0.7, 0.9, 1, 0.9, 0.7, 0.6, 0.5), 80


def recorded_wave(case: Case) -> Tensor:
    """Sound that the inputs ``wave_params`` and ``noise`` of a case stand for: chirps, a pause, some noise.

    Returns:
        (samples,), float32, about [-1, 1], 16 kHz.
    """
    noise = case.input("noise").double()
    u = case.input("wave_params").double()[:, :, None]
    frequency, sweep, phase = 90 + 3000 * u[:, 0] ** 2, 800 * u[:, 1] - 400, 2 * torch.pi * u[:, 2]
    strength, tremor = 0.05 + 0.2 * u[:, 3], 1 + 7 * u[:, 4]
    time = torch.arange(len(noise), dtype=torch.float64) / SAMPLE_RATE_HZ
    tones = torch.sin(2 * torch.pi * (frequency * time + 0.5 * sweep * time**2) + phase)
    loudness = 0.5 * (1 + torch.sin(2 * torch.pi * tremor * time + phase))
    wave = (strength * tones * loudness).sum(0) + 0.01 * noise
    wave[int(0.30 * len(wave)) : int(0.38 * len(wave))] = 0
    return wave.float()


def audio_mel(case: Case) -> dict[str, Tensor]:
    """Frames, wave, filters, spectrum and windows of a sound."""
    case.require(case.build.get("parameters", {}), _FRONT_END)
    wave = recorded_wave(case)
    return {
        "num_frames": torch.tensor([frame_count(len(wave))]),
        "waveform": wave,
        "mel_basis": mel_filters(),
        "mel": mel_columns(wave),
        "windows": mel_windows(wave)[:, 0],
    }


@torch.no_grad()
def audio2exp(case: Case) -> dict[str, Tensor]:
    """Expression coefficients, and what the network hears in each window."""
    network = Audio2Exp()
    case.load(network)
    network.eval()
    windows = case.input("mel_windows")[:, None]
    expression = network(windows, case.input("ref")[0, :, LAYOUT_70.exp], case.input("ratio")[0])
    return {"embedding": network.audio_encoder(windows), "exp_coeff": expression[None]}


@torch.no_grad()
def audio2pose(case: Case) -> dict[str, Tensor]:
    """Head motion, and the pose before and after smoothing."""
    network = Audio2Pose()
    case.load(network)
    network.eval()
    windows, first = case.input("mel_windows")[1:, None], case.input("first_coeff")[0, 0, LAYOUT_70.pose]
    style = case.build["parameters"]["pose_style"]
    motion = network(network.audio_features(windows), first, style, case.input("z"))
    poses = motion + first
    return {
        "embedding_first_chunk": network.embed(windows[:SEQUENCE])[None],
        "pose_motion": motion[None],
        "pose": poses[None],
        "pose_smoothed": smooth_poses(poses)[None],
    }


def blink(case: Case) -> dict[str, Tensor]:
    """Closing of the eyes, as ``ratio_<frames>`` and ``fixed_<frames>``."""
    out = {}
    for name in case.outputs:
        what, _, frames = name.rpartition("_")
        if what == "fixed":
            out[name] = blinks(int(frames), repeat(_SLOW_PAUSE), _SLOW_BLINK)
        else:
            out[name] = recorded_blinks(case, int(frames), f"starts_{frames}")
    return out


def recorded_blinks(case: Case, frames: int, name: str = "starts") -> Tensor:
    """Blinks (frames, 1) after the pauses of an input; clips that are too short for any have no such input."""
    if case.has(name):
        return blinks(frames, case.input(name).tolist())
    return random_blinks(frames, torch.Generator())


def get_data(case: Case) -> dict[str, Tensor]:
    """Inputs of the audio networks: plain, with the eyes of a video, without blinks, without a voice."""
    speech = Speech(recorded_wave(case))
    frames, source = speech.frames, case.input("first_coeff")
    out = {
        "num_frames": torch.tensor([frames]),
        "windows": speech.windows(0, frames)[None],
        "ratio_plain": recorded_blinks(case, frames)[None],
        "ref_plain": reference_rows(source, frames)[None],
        "ratio_refblink": torch.zeros(1, frames, 1),
        "ratio_noblink": torch.zeros(1, frames, 1),
    }
    if case.has("blink_video_coeffs"):
        out["ref_refblink"] = reference_rows(source, frames, case.input("blink_video_coeffs"))[None]
    if "idle_windows" in case.outputs:
        idle = NoVoice(case.outputs["idle_windows"]["shape"][1])
        out["idle_windows"] = idle.windows(0, idle.frames)[None]
    return out


def refpose(case: Case) -> dict[str, Tensor]:
    """Rows with the head motion of a shorter and of a longer reference video added."""
    videos = {"looped": "ref_video_coeffs", "longer": "long_ref_video_coeffs"}
    rows = case.input("coeffs")
    return {name: add_motion(rows, case.input(video)) for name, video in videos.items() if case.has(video)}


def fitted_rows(source: Tensor, generated: Tensor, options: Mapping[str, Any], width: int) -> Tensor:
    """Rows (T, width) of a voice's (T, 70), fitted to a source (1, 73) as the plug-in does it."""
    own = Motion(LAYOUT_73.kind, Fraction(25), {COEFFICIENTS: source})
    voice = Motion(LAYOUT_70.kind, Fraction(25), {COEFFICIENTS: generated})
    return fit_to_source(own, voice, options, width=width, angles_in_rows=False).values[COEFFICIENTS]


def facerender_data(case: Case) -> dict[str, Tensor]:
    """Windows in the published order: row b of a batch holds a part of the clip of its own."""
    parameters = case.build["parameters"]
    size, with_crop = parameters["batch_size"], "full" in parameters["preprocess"]
    source, generated = case.input("first_coeff"), case.input("generated_coeff")
    width = (LAYOUT_73 if with_crop else LAYOUT_70).width
    options = {"expression_scale": parameters["expression_scale"], "still": parameters["still_mode"]}
    rows = fitted_rows(source, generated, options, width)
    radius = parameters["semantic_radius"]
    still = source if with_crop else source[:, :70]
    picture = case.input("source_picture").permute(2, 0, 1) / 255
    out = {
        "source_image": picture.expand(size, -1, -1, -1),
        "source_semantics": motion_windows(still, None, radius).expand(size, -1, -1),
        "target_semantics": _in_rows(motion_windows(rows, None, radius), size),
    }
    for name in ("yaw", "pitch", "roll"):
        keys = parameters[f"input_{name}"]
        if keys is not None:
            out[f"{name}_seq"] = _in_rows(spread_angles(keys, len(rows)), size)
    return out


def _in_rows(frames: Tensor, size: int) -> Tensor:
    """Frames (T, ...) as (size, ceil(T / size), ...), the last one repeated."""
    columns = -(-len(frames) // size)
    padded = frames[torch.arange(size * columns).clamp(max=len(frames) - 1)]
    return padded.unflatten(0, (size, columns))


RUNNERS: dict[str, Runner] = {
    "sadtalker/audio-mel": audio_mel,
    "sadtalker/audio2exp": audio2exp,
    "sadtalker/audio2pose": audio2pose,
    "sadtalker/blink": blink,
    "sadtalker/get-data": get_data,
    "sadtalker/refpose": refpose,
    "sadtalker/facerender-data": facerender_data,
}
