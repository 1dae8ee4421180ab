"""Runs the recorded cases of this part."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from talkingface.face.crop.published import Framing, face_square, frame_face, published_rectangle
from talkingface.face.paste.poisson import clone
from talkingface.media.image import Picture

from ..case import Case
from ..pictures import resize_bilinear, waves
from ..run import Runner

Points = NDArray[np.float64]

ALIGNED, OVERSIZE = 256, 4  # side that StyleHEAT aligns to, and how much finer it samples


def _tensors(values: dict[str, Any]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(np.asarray(value, np.float64)) for name, value in values.items()}


def _endings(case: Case, prefix: str) -> Iterable[str]:
    return (name.removeprefix(prefix) for name in case.inputs if name.startswith(prefix))


def _shrunk(picture: Picture, framing: Framing) -> Image.Image:
    image = Image.fromarray(picture)
    if framing.shrink == 1:
        return image
    return image.resize(framing.size[::-1], Image.Resampling.LANCZOS)


def _quad(image: Image.Image, quad: Points) -> Picture:
    """The published sampling: two by two neighbours on a finer grid, then a reduction."""
    fine = (ALIGNED * OVERSIZE, ALIGNED * OVERSIZE)
    sampled = image.transform(fine, Image.Transform.QUAD, tuple(quad.ravel()), Image.Resampling.BILINEAR)
    return np.asarray(sampled.resize((ALIGNED, ALIGNED), Image.Resampling.LANCZOS))


def ffhq_align(case: Case) -> dict[str, Tensor]:
    """The published alignment of a picture; ours samples differently, the square is the same."""
    out: dict[str, Any] = {}
    for name in _endings(case, "img_"):
        picture = case.input(f"img_{name}").numpy().astype(np.uint8)
        height, width = picture.shape[:2]
        framing = frame_face(face_square(case.input(f"lm_{name}").numpy()), (height, width), ALIGNED)
        work = _shrunk(picture, framing).crop(framing.outer)
        quad = framing.corners + 0.5
        out |= {f"aligned_{name}": _quad(work, quad), f"quad_{name}": quad, f"work_size_{name}": work.size}
    return _tensors(out)


def video_crop(case: Case) -> dict[str, Tensor]:
    """The published crop of driving frames, with its fault: shifted by the origin of a cut that is never made."""
    out: dict[str, Any] = {}
    frames = case.input("frames").numpy().astype(np.uint8)
    for name in _endings(case, "lm_"):
        framing = frame_face(face_square(case.input(f"lm_{name}").numpy()), frames.shape[1:3], ALIGNED)
        quad = framing.corners + 0.5
        cropped = [_quad(_shrunk(frame, framing), quad) for frame in frames]
        out |= {f"cropped_{name}": np.stack(cropped), f"quad_{name}": quad}
    return _tensors(out)


def sadtalker_crop(case: Case) -> dict[str, Tensor]:
    """The published rectangles, and both parts at the network's size."""
    numbers = case.build["parameters"]
    size = tuple(numbers["picture_size"])
    picture = waves(case.input("picture_params").numpy(), size)
    found = published_rectangle(case.input("landmarks").numpy(), size, numbers["xsize"])
    side = (numbers["pic_size"], numbers["pic_size"])
    left, top, right, bottom = found.framing.outer
    outer = resize_bilinear(picture, found.framing.size)[top:bottom, left:right]
    x1, y1, x2, y2 = (int(edge) for edge in found.inner)
    box = found.box
    return _tensors(
        {
            "rsize": found.framing.size[::-1],
            "crop": found.framing.outer,
            "quad": found.inner,
            "box": box,
            "crop_size": (box[2] - box[0], box[3] - box[1]),
            "face_256": resize_bilinear(outer[y1:y2, x1:x2], side),
            "face_256_ext": resize_bilinear(outer, side),
        }
    )


def paste_back(case: Case) -> dict[str, Tensor]:
    """Seamless cloning of a face picture into a box of another, as OpenCV does it with a mask that is all white.

    It leaves out the outermost pixels of the face, keeps the old differences in three more, puts the middle of the
    rest at the middle of the box (half a pixel off where a side is odd), and cuts fractions off.
    """
    left, top, right, bottom = case.build["parameters"]["box"]
    pasted = waves(case.input("picture_params_bg").numpy(), tuple(case.build["parameters"]["picture_size"]))
    face = resize_bilinear(waves(case.input("picture_params_face").numpy(), (256, 256)), (bottom - top, right - left))
    new = face[1:-1, 1:-1]
    mask = np.zeros((*new.shape[:2], 1), np.float32)
    mask[3:-3, 3:-3] = 1
    top, left = (top + bottom) // 2 - new.shape[0] // 2, (left + right) // 2 - new.shape[1] // 2
    place = (slice(top, top + new.shape[0]), slice(left, left + new.shape[1]))
    pasted[place] = clone(pasted[place], new, mask).clip(0, 255)
    return _tensors({"pasted": pasted})


RUNNERS: dict[str, Runner] = {
    "styleheat/ffhq-align": ffhq_align,
    "styleheat/video-crop": video_crop,
    "sadtalker/crop": sadtalker_crop,
    "sadtalker/paste-back": paste_back,
}
