"""Recorded cases of StyleHEAT's data side: alignment, crop, coefficients, windows, tracks, 8-bit pictures."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from talkingface.errors import DataError
from talkingface.face.crop.published import Framing, face_square, frame_face
from talkingface.face3d.five_points import align
from talkingface.models.styleheat.networks.pictures import to_bytes
from talkingface.motion.coefficients import LAYOUT_73, LAYOUT_260, row73
from talkingface.motion.retarget import crop_scale_ratio, expression_only
from talkingface.motion.tracks import EXPRESSION_ORDER, ROTATION_ORDER, expression_track, rotation_track
from talkingface.motion.windows import window_indices, windows

from ..case import Case
from ..draw import Array
from ..run import Runner
from .deep3d import FRAME, align_lost, array

OVERSIZE = 4  # how much finer than the result the published alignment samples
FPS, COLUMNS_PER_SECOND = 25, 80  # of video and spectrum


def _tensors(values: dict[str, Any]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(np.asarray(value, np.float64)) for name, value in values.items()}


def _endings(case: Case, prefix: str) -> Iterable[str]:
    return (name.removeprefix(prefix) for name in case.inputs if name.startswith(prefix))


def _side(case: Case, name: str) -> int:
    """Width of the pictures in an output (..., H, W, 3)."""
    return int(case.outputs[name]["shape"][-2])


def _shrunk(picture: Array, framing: Framing) -> Image.Image:
    image = Image.fromarray(picture)
    if framing.shrink == 1:
        return image
    return image.resize(framing.size[::-1], Image.Resampling.LANCZOS)


def _quad(image: Image.Image, quad: Array, side: int) -> Array:
    """Published sampling: two by two neighbours on a finer grid, then a reduction to (side, side, 3)."""
    fine = (side * OVERSIZE, side * OVERSIZE)
    sampled = image.transform(fine, Image.Transform.QUAD, tuple(quad.ravel()), Image.Resampling.BILINEAR)
    return np.asarray(sampled.resize((side, side), Image.Resampling.LANCZOS))


def ffhq_align(case: Case) -> dict[str, Tensor]:
    """Pictures aligned as published; ours samples differently, the square is the same."""
    out: dict[str, Any] = {}
    for name in _endings(case, "img_"):
        picture, side = array(case, f"img_{name}").astype(np.uint8), _side(case, f"aligned_{name}")
        height, width = picture.shape[:2]
        framing = frame_face(face_square(array(case, f"lm_{name}")), (height, width), side)
        work = _shrunk(picture, framing).crop(framing.outer)
        quad = framing.corners + 0.5
        out |= {f"aligned_{name}": _quad(work, quad, side), f"quad_{name}": quad, f"work_size_{name}": work.size}
    return _tensors(out)


def video_crop(case: Case) -> dict[str, Tensor]:
    """Driving frames cropped as published, with its fault: shifted by the origin of a cut that is never made."""
    out: dict[str, Any] = {}
    frames = array(case, "frames").astype(np.uint8)
    for name in _endings(case, "lm_"):
        side = _side(case, f"cropped_{name}")
        framing = frame_face(face_square(array(case, f"lm_{name}")), frames.shape[1:3], side)
        quad = framing.corners + 0.5
        cropped = [_quad(_shrunk(frame, framing), quad, side) for frame in frames]
        out |= {f"cropped_{name}": np.stack(cropped), f"quad_{name}": quad}
    return _tensors(out)


def extract_3dmm(case: Case) -> dict[str, Tensor]:
    """73 numbers of each frame, and what the network saw; points that are all -1 stand for no face."""
    standard = array(case, "lm3d_std").astype(np.float64)
    pictures = [_framed(picture) for picture in array(case, "images")]
    found = [
        align_lost(standard) if (points == -1).all() else align(points, picture.shape[:2], standard)
        for points, picture in zip(array(case, "landmarks"), pictures, strict=True)
    ]
    crops = torch.from_numpy(np.stack([item.parameters for item in found]))
    cut = np.stack([item.cut(picture) for item, picture in zip(found, pictures, strict=True)])
    return {
        "coeffs_73": row73(case.input("coeffs_257"), crops),
        "network_input": torch.from_numpy(cut).permute(0, 3, 1, 2) / 255,
    }


def _framed(picture: Array) -> Array:
    """Picture (H, W, 3) squeezed to the frame that the landmarks are given in."""
    if picture.shape[:2] == (FRAME, FRAME):
        return picture
    return np.asarray(Image.fromarray(picture).resize((FRAME, FRAME), Image.Resampling.BICUBIC))


# Columns that the published data sets take from rows of a width. 349 are DECA's: expression, pose, Euler, 3x3 tform.
_TAKEN = {
    260: (LAYOUT_260.exp, LAYOUT_260.angle, LAYOUT_260.trans, LAYOUT_260.crop),
    349: (slice(150, 200), slice(200, 206), slice(337, 340), slice(340, 349)),
}
_WINDOW = re.compile(r"(?P<input>\w+?)(\.radius(?P<radius>\d+))?\.frame(?P<frame>\d+)(?P<index>\.index)?")


def semantic_window(case: Case) -> dict[str, Tensor]:
    """Windows of coefficients around the frames that the outputs name, and the numbers of their frames."""
    outputs = {}
    for name in case.outputs:
        asked = _WINDOW.fullmatch(name)
        if asked is None:
            raise DataError(f"output '{name}' is not understood", where=case.folder)
        rows, frame = case.input(asked["input"]), int(asked["frame"])
        radius = int(asked["radius"] or case.build["semantic_radius"])
        taken = torch.cat([rows[:, part] for part in _TAKEN.get(rows.shape[1], [slice(None)])], dim=1)
        indices = torch.from_numpy(window_indices([frame], len(rows), radius))[0]
        outputs[name] = indices if asked["index"] else windows(taken, [frame], radius)[0]
    return outputs


def coefficient_edits(case: Case) -> dict[str, Tensor]:
    """Crop ratio, expression alone, and the tracks of the intuitive edit."""
    expression_order = [f"expression_{name}" for name in EXPRESSION_ORDER]
    case.require(case.build, {"rotation_order": list(ROTATION_ORDER), "expression_order": expression_order})
    source, frames = case.input("source_73"), case.build["step"]
    expressions = {name: case.input(f"exp_{name}") for name in ("center", "mouth", "eyebrow", "eyes")}
    return {
        "crop_norm_ratio_73": crop_scale_ratio(source, case.input("targets_73"), LAYOUT_73),
        "crop_norm_ratio_260": crop_scale_ratio(case.input("source_260"), case.input("targets_260"), LAYOUT_260),
        "expression_only_window": expression_only(source, case.input("window").transpose(1, 2)).transpose(1, 2),
        "rotation_track": rotation_track(frames, dtype=case.dtype),
        "expression_track": expression_track(source[0, LAYOUT_73.exp], expressions, frames),
    }


def audio_window(case: Case) -> dict[str, Tensor]:
    """Windows (bands, columns) of a spectrum that StyleHEAT's audio warper sees for a video frame.

    A window begins some video frames before its own, at the first column at the earliest; behind the end of the sound
    its last column is repeated.
    """
    spectrum, outputs = case.input("mel"), {}
    for name in case.outputs:
        columns, frame = (int(number) for number in re.findall(r"\d+", name))
        before = case.build["offset_frames"][str(columns)]
        start = max(frame - before, 0) * COLUMNS_PER_SECOND // FPS
        outputs[name] = spectrum[torch.arange(start, start + columns).clamp(max=len(spectrum) - 1)].T
    return outputs


def frames_to_uint8(case: Case) -> dict[str, Tensor]:
    """Frames as the published code gave them to its video writer, and the first as a picture."""
    frames = to_bytes(case.input("frames"), truncate=True)
    return {"video_bgr": frames.flip(-1), "picture_rgb": frames[0]}


RUNNERS: dict[str, Runner] = {
    "styleheat/ffhq-align": ffhq_align,
    "styleheat/video-crop": video_crop,
    "styleheat/extract-3dmm": extract_3dmm,
    "styleheat/semantic-window": semantic_window,
    "styleheat/coefficient-edits": coefficient_edits,
    "styleheat/audio-window": audio_window,
    "styleheat/frames-to-uint8": frames_to_uint8,
}
