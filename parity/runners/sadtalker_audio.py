"""Runs the recorded cases of the audio side."""

from __future__ import annotations

from itertools import repeat

import torch
from torch import Tensor

from talkingface.models.sadtalker.networks.audio2exp import Audio2Exp
from talkingface.models.sadtalker.networks.audio2pose import Audio2Pose
from talkingface.models.sadtalker.networks.pose_cvae import SEQUENCE
from talkingface.models.sadtalker.voice.blink import blinks, random_blinks, smooth_poses
from talkingface.models.sadtalker.voice.mel import (
    SAMPLE_RATE_HZ,
    NoVoice,
    Speech,
    frame_count,
    mel_columns,
    mel_filters,
    mel_windows,
)
from talkingface.models.sadtalker.voice.rows import EXPRESSION, POSE, add_motion, reference_rows, renderer_rows
from talkingface.motion.edits import spread_angles
from talkingface.motion.windows import windows as motion_windows

from ..case import Case
from ..run import Runner

# A blink that the published program has but never uses, and the pause before it.
_SLOW_BLINK, _SLOW_PAUSE = (0.5, 0.6, 0.7, 0.9, 1, 0.9, 0.7, 0.6, 0.5), 80


def recorded_wave(case: Case) -> Tensor:
    """The sound that cases with inputs ``wave_params`` and ``noise`` mean: chirps, a pause, some noise.

    Returns:
        (samples,), float32.
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
    """The front end alone."""
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
    """The expression network."""
    network = Audio2Exp()
    case.load(network)
    network.eval()
    windows = case.input("mel_windows")[:, None]
    expression = network(windows, case.input("ref")[0, :, EXPRESSION], case.input("ratio")[0])
    return {"embedding": network.audio_encoder(windows), "exp_coeff": expression[None]}


@torch.no_grad()
def audio2pose(case: Case) -> dict[str, Tensor]:
    """The head pose network and the smoothing behind it."""
    network = Audio2Pose()
    case.load(network)
    network.eval()
    windows, first = case.input("mel_windows")[1:, None], case.input("first_coeff")[0, 0, POSE]
    style = case.build["parameters"]["pose_style"]
    motion = network(network.hear(windows), first, style, case.input("z"))
    poses = motion + first
    return {
        "embedding_first_chunk": network.embed(windows[:SEQUENCE])[None],
        "pose_motion": motion[None],
        "pose": poses[None],
        "pose_smoothed": smooth_poses(poses)[None],
    }


def blink(case: Case) -> dict[str, Tensor]:
    """Outputs ``ratio_<frames>`` and ``fixed_<frames>``."""
    out = {}
    for name in case.outputs:
        what, _, frames = name.rpartition("_")
        if what == "fixed":
            out[name] = blinks(int(frames), repeat(_SLOW_PAUSE), _SLOW_BLINK)
        elif f"starts_{frames}" in case.inputs:
            out[name] = blinks(int(frames), case.input(f"starts_{frames}").tolist())
        else:
            out[name] = random_blinks(int(frames), torch.Generator())
    return out


def get_data(case: Case) -> dict[str, Tensor]:
    """What the audio networks are fed with."""
    speech, idle = Speech(recorded_wave(case)), NoVoice(25)
    frames, source = speech.frames, case.input("first_coeff")
    eyes_open = torch.zeros(1, frames, 1)
    return {
        "num_frames": torch.tensor([frames]),
        "windows": speech.windows(0, frames)[None],
        "ratio_plain": blinks(frames, case.input("starts").tolist())[None],
        "ref_plain": reference_rows(source, frames)[None],
        "ratio_refblink": eyes_open,
        "ref_refblink": reference_rows(source, frames, case.input("blink_video_coeffs"))[None],
        "ratio_noblink": eyes_open,
        "idle_windows": idle.windows(0, idle.frames)[None],
    }


def refpose(case: Case) -> dict[str, Tensor]:
    """Motion of a shorter and of a longer reference video."""
    rows = case.input("coeffs")
    return {
        "looped": add_motion(rows, case.input("ref_video_coeffs")),
        "longer": add_motion(rows, case.input("long_ref_video_coeffs")),
    }


def facerender_data(case: Case) -> dict[str, Tensor]:
    """Windows in the published order: row b of a batch holds a piece of the clip of its own."""
    parameters = case.build["parameters"]
    size, with_crop = parameters["batch_size"], "full" in parameters["preprocess"]
    source, generated = case.input("first_coeff"), case.input("generated_coeff")
    rows = renderer_rows(
        generated,
        source,
        expression_scale=parameters["expression_scale"],
        still=parameters["still_mode"],
        with_crop=with_crop,
    )
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
    """(T, ...) to (size, ceil(T / size), ...), the last frame repeated."""
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
