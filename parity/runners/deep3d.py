"""Recorded cases of Deep3DFaceRecon: reconstruction network, alignment, face model, losses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from talkingface.face3d.deep import ReconNet
from talkingface.face3d.fit import training as losses
from talkingface.face3d.fit.bfm import Expressions, transfer
from talkingface.face3d.fit.recognition import ArcFace, cut_identity, identity_matrix
from talkingface.face3d.fit.training import Move
from talkingface.face3d.five_points import CROP_SIDE, RESCALE, Alignment, align, align_pose, fit_pose, five_points
from talkingface.face3d.surface.face_model import AMBIENT, FIELDS, FaceModel, illuminate, rotation
from talkingface.face3d.surface.raster import Camera
from talkingface.motion.coefficients import LAYOUT_257, Coefficients

from ..case import Case
from ..run import Runner

Array = NDArray[Any]

FRAME = 256  # side of StyleHEAT's frames, in pixels


def array(case: Case, name: str) -> Array:
    """Input as an array."""
    return case.input(name).numpy()


def _tensors(values: Mapping[str, Any]) -> dict[str, Tensor]:
    return {name: torch.as_tensor(value) for name, value in values.items()}


def _flipped(points: Array, height: int) -> Array:
    """Points (n, 2) with y counted from the other edge."""
    return np.stack([points[:, 0], height - 1 - points[:, 1]], axis=1)


def trans_params(found: Alignment) -> Array:
    """Width, height, scale and shift of an alignment, as the published code gives them."""
    height, width = found.picture_size
    return np.array([width, height, found.scale, found.pose.t_x, found.pose.t_y])


@torch.no_grad()
def recon_net(case: Case) -> dict[str, Tensor]:
    """Coefficients, pooled features and the parts of a row."""
    network = ReconNet(case.build["net_recon"], use_last_fc=case.build.get("use_last_fc", False))
    case.load(network)
    pictures = case.input("image")
    rows = network.eval()(pictures)
    parts = {f"split.{name}": value for name, value in Coefficients(rows).parts().items()}
    return {"coeffs": rows, "feature": network.backbone(pictures).flatten(1), **parts}


def align_img(case: Case) -> dict[str, Tensor]:
    """Alignment of the faces that the outputs name, of 68 or of five points, and of the standard points themselves."""
    standard = array(case, "lm3d_std").astype(np.float64)
    size, rescale = case.build["target_size"], case.build["rescale_factor"]
    out: dict[str, Any] = {"lm3d_from_68": five_points(array(case, "lm3d_all"))}
    for name in sorted({name.partition(".")[0] for name in case.outputs if "." in name} - {"fallback"}):
        points, picture = array(case, f"lm_{name}"), _picture(case, name)
        found = align(points, picture.shape[:2], standard, size=size, rescale=rescale)
        cropped = found.landmarks(points)
        out |= {
            f"{name}.five_points": _flipped(five_points(points), len(picture)),
            f"{name}.pos_t": np.array([found.pose.t_x, found.pose.t_y]),
            f"{name}.pos_s": np.array([found.pose.scale]),
            f"{name}.trans_params": trans_params(found),
            f"{name}.landmarks": _flipped(cropped, found.size),
            f"{name}.image": found.cut(picture),
            f"{name}.recog_M": identity_matrix(cropped),
        }
    if "fallback.trans_params" in case.outputs:
        picture = next(picture for picture in _pictures(case) if picture.shape[:2] == (FRAME, FRAME))
        found = align_lost(standard, size=size, rescale=rescale)
        out |= {"fallback.trans_params": trans_params(found), "fallback.image": found.cut(picture)}
    return _tensors(out)


def _pictures(case: Case) -> list[Array]:
    return [value.numpy() for name, value in case.inputs.items() if name.startswith("img_")]


def _picture(case: Case, name: str) -> Array:
    """Picture of a face: of its name, or of that without its number of points (``h5``), or the first there is."""
    own = (f"img_{name}", f"img_{name.rstrip('0123456789')}")
    return next((case.inputs[key].numpy() for key in own if key in case.inputs), _pictures(case)[0])


def align_lost(standard: Array, *, size: int = CROP_SIDE, rescale: float = RESCALE) -> Alignment:
    """Alignment that StyleHEAT takes for a face that it did not find in a frame of 256 pixels; ours is an error."""
    lost = fit_pose((standard[:, :2] + 1) / 2 * FRAME, standard)
    return align_pose(lost, (FRAME, FRAME), size=size, rescale=rescale)


def _model(case: Case) -> FaceModel:
    fields = {name: array(case, name) for name in FIELDS}
    threshold = re.search(r"> *([\d.]+)", str(case.build.get("skinmask", "")))
    if threshold:
        fields["skinmask"] = (fields["skinmask"] > float(threshold[1])).astype(np.float32)
    numbers = case.build["camera"]
    case.require(numbers, {"init_lit": list(AMBIENT)})
    camera = Camera(
        numbers["focal"], numbers["center"], numbers["camera_distance"], numbers["z_near"], numbers["z_far"]
    )
    return FaceModel(fields, camera=camera, recenter=case.build["recenter"]).to(case.dtype)


def _rows(case: Case) -> Tensor:
    rows = case.input("coeffs").clone()
    for part, name in (("angle", "angles"), ("gamma", "gamma"), ("trans", "trans")):
        rows[:, LAYOUT_257.parts[part]] = case.input(name)
    return rows


def bfm_geometry(case: Case) -> dict[str, Tensor]:
    """Everything from a row to a coloured surface, and the losses on it."""
    model, rows = _model(case), _rows(case)
    named, shape, texture = Coefficients(rows), model.shape(rows), model.texture(rows)
    turn, normals, surface = rotation(named.angle), model.normals(shape), model.surface(rows)
    scalars = {
        "lm_loss": losses.landmark_loss(surface.landmarks, surface.landmarks.flip(0) + 1.5),
        "reg_loss": losses.coefficient_loss(rows),
        "gamma_loss": losses.gamma_loss(rows),
        "reflectance_loss": losses.reflectance_loss(texture, model.skin),
    }
    return {
        "mean_shape_recentred": model.mean_shape[:, None],
        "shape": shape,
        "rotation": turn,
        "transformed": model.move(shape, turn, named.trans),
        "camera": surface.seen,
        "projected": model.camera.project(surface.seen),
        "landmarks": surface.landmarks,
        "texture": texture,
        "normals": normals,
        "color": illuminate(texture, normals @ turn, named.gamma),
        "color_frontal_light0": illuminate(texture, normals, torch.zeros_like(named.gamma)),
        "render_vertex": surface.seen,
        "render_texture": surface.texture,
        "render_color": surface.colour,
        "render_landmarks": surface.landmarks,
        "ndc_projection": model.camera.clip_matrix(),
        "clip": model.camera.clip(surface.seen),
        **{name: value.reshape(1) for name, value in scalars.items()},
    }


def bfm_transfer(case: Case) -> dict[str, Tensor]:
    """Arrays of a face model's file, computed from the Basel model and the expression basis."""
    basel = {name: array(case, name) for name in ("shapePC", "shapeEV", "shapeMU", "texPC", "texEV", "texMU")}
    expressions = Expressions(array(case, "expPC"), array(case, "std_exp"))
    return _tensors(transfer(basel, expressions, array(case, "front_idx"), array(case, "trimIndex")))


def training_losses(case: Case) -> dict[str, Tensor]:
    """Photometric and identity losses, the recognition crop, and the augmentation."""
    pictures = case.input("imageA").clone().requires_grad_()
    photo = losses.photometric_loss(pictures, case.input("imageB"), case.input("mask"))
    (gradient,) = torch.autograd.grad(photo, pictures)
    out = {
        "photo_loss": photo.reshape(1),
        "photo_grad": gradient,
        "perceptual_loss": losses.identity_loss(case.input("featA"), case.input("featB")).reshape(1),
        "recog_crop": cut_identity(case.input("face"), case.input("M")),
    }
    height, width = case.input("face").shape[-2:]
    points = _flipped(array(case, "landmarks"), height)
    for index, numbers in enumerate(case.build["augmentation"]):
        scale, turn = (2 * numbers[name] - 1 for name in ("scale_random", "rot_random"))
        move = Move(tuple(numbers["shift"]), 1 + 0.1 * scale, 10 * turn, numbers["flip"])
        out[f"aug{index}.affine"] = torch.from_numpy(move.matrix((height, width)))
        moved = move.landmarks(points, (height, width))
        out[f"aug{index}.landmarks"] = torch.from_numpy(_flipped(moved, height))
    return out


@torch.no_grad()
def recog_net(case: Case) -> dict[str, Tensor]:
    """Features of faces, as they come and of length 1."""
    network = ArcFace(case.build["iresnet"], case.build["num_features"])
    case.load(network)
    feature = network.eval()(case.input("face"))
    return {"feature": feature, "normalised": F.normalize(feature)}


RUNNERS: dict[str, Runner] = {
    "deep3d/recon-net": recon_net,
    "deep3d/align-img": align_img,
    "deep3d/bfm-geometry": bfm_geometry,
    "deep3d/bfm-transfer": bfm_transfer,
    "deep3d/training-losses": training_losses,
    "deep3d/recog-net": recog_net,
}
