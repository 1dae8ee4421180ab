"""Runs the recorded cases of this part: Deep3DFaceRecon, and what StyleHEAT and SadTalker make of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from talkingface.face3d.coefficients import LAYOUT_257, Coefficients, row70, row73
from talkingface.face3d.deep import ReconNet
from talkingface.face3d.fit import training as losses
from talkingface.face3d.fit.bfm import Expressions, transfer
from talkingface.face3d.fit.recognition import ArcFace, cut_identity, identity_matrix
from talkingface.face3d.fit.training import Move
from talkingface.face3d.five_points import CROP_SIDE, RESCALE, Alignment, align, align_pose, fit_pose, five_points
from talkingface.face3d.surface.face_model import FIELDS, FaceModel, illuminate, rotation
from talkingface.face3d.surface.raster import Camera

from ..case import Case
from ..pictures import waves
from ..run import Runner

Array = NDArray[Any]


def _array(case: Case, name: str) -> Array:
    return case.input(name).numpy()


def _tensors(values: Mapping[str, Any]) -> dict[str, Tensor]:
    return {name: torch.as_tensor(value) for name, value in values.items()}


def _upside(points: Array, height: int) -> Array:
    """Points with y counted from the other side."""
    return np.stack([points[:, 0], height - 1 - points[:, 1]], axis=1)


def _trans_params(found: Alignment) -> Array:
    height, width = found.picture_size
    return np.array([width, height, found.scale, found.pose.t_x, found.pose.t_y])


@torch.no_grad()
def recon_net(case: Case) -> dict[str, Tensor]:
    """Coefficients, pooled features and the parts of a row."""
    network = ReconNet(case.build["net_recon"], use_last_fc=case.build["use_last_fc"])
    case.load(network)
    pictures = case.input("image").to(case.dtype)
    rows = network.eval()(pictures)
    parts = {f"split.{name}": value for name, value in Coefficients(rows).parts().items()}
    return {"coeffs": rows, "feature": network.backbone(pictures).flatten(1), **parts}


def align_img(case: Case) -> dict[str, Tensor]:
    """Alignment of pictures a, b (68 points) and c (five points), and of the standard points themselves."""
    standard = _array(case, "lm3d_std").astype(np.float64)
    out: dict[str, Any] = {"lm3d_from_68": five_points(_array(case, "lm3d_all"))}
    for name, image in (("a", "img_a"), ("b", "img_b"), ("c", "img_a")):
        points, picture = _array(case, f"lm_{name}" + ("5" if name == "c" else "")), _array(case, image)
        found = align(points, picture.shape[:2], standard)
        cropped = found.landmarks(points)
        out |= {
            f"{name}.five_points": _upside(five_points(points), len(picture)),
            f"{name}.pos_t": np.array([found.pose.t_x, found.pose.t_y]),
            f"{name}.pos_s": np.array([found.pose.scale]),
            f"{name}.trans_params": _trans_params(found),
            f"{name}.landmarks": _upside(cropped, CROP_SIDE),
            f"{name}.image": found.cut(picture),
            f"{name}.recog_M": identity_matrix(cropped),
        }
    picture = _array(case, "img_b")
    # What StyleHEAT takes for a face that it did not find; ours is an error instead.
    lost = fit_pose((standard[:, :2] + 1) / 2 * 256, standard)
    found = align_pose(lost, picture.shape[:2], size=CROP_SIDE, rescale=RESCALE)
    return _tensors(out | {"fallback.trans_params": _trans_params(found), "fallback.image": found.cut(picture)})


def _model(case: Case) -> FaceModel:
    fields = {name: case.input(name).numpy() for name in FIELDS}
    fields["skinmask"] = (fields["skinmask"] > 0.4).astype(np.float32)
    said = case.build["camera"]
    camera = Camera(said["focal"], said["center"], said["camera_distance"], said["z_near"], said["z_far"])
    return FaceModel(fields, camera=camera, recenter=case.build["recenter"]).to(case.dtype)


def _rows(case: Case) -> Tensor:
    rows = case.input("coeffs").to(case.dtype).clone()
    for part, name in (("angle", "angles"), ("gamma", "gamma"), ("trans", "trans")):
        rows[:, LAYOUT_257.parts[part]] = case.input(name).to(case.dtype)
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
    """The arrays that are computed for the file of a face model."""
    basel = {name: _array(case, name) for name in ("shapePC", "shapeEV", "shapeMU", "texPC", "texEV", "texMU")}
    expressions = Expressions(_array(case, "expPC"), _array(case, "std_exp"))
    return _tensors(transfer(basel, expressions, _array(case, "front_idx"), _array(case, "trimIndex")))


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
    size, points = (CROP_SIDE, CROP_SIDE), _array(case, "landmarks")
    for index, said in enumerate(case.build["augmentation"]):
        scale, turn = (2 * said[name] - 1 for name in ("scale_random", "rot_random"))
        move = Move(tuple(said["shift"]), 1 + 0.1 * scale, 10 * turn, said["flip"])
        moved = move.landmarks(_upside(points, CROP_SIDE), size)
        out[f"aug{index}.affine"] = torch.from_numpy(move.matrix(size))
        out[f"aug{index}.landmarks"] = torch.from_numpy(_upside(moved, CROP_SIDE))
    return out


@torch.no_grad()
def recog_net(case: Case) -> dict[str, Tensor]:
    """Features of faces, as they come and of length 1."""
    network = ArcFace(case.build["iresnet"], case.build["num_features"])
    case.load(network)
    feature = network.eval()(case.input("face").to(case.dtype))
    return {"feature": feature, "normalised": F.normalize(feature)}


@torch.no_grad()
def recon_coeff(case: Case) -> dict[str, Tensor]:
    """SadTalker's way from a picture and 68 points to 70 + 3 numbers."""
    network = ReconNet()
    case.load(network)
    height, width = case.build["parameters"]["picture_size"]
    picture = waves(_array(case, "picture_params"), (height, width))
    found = align(_array(case, "landmarks"), (height, width), _array(case, "standard_5_points").astype(np.float64))
    cut = found.cut(picture)
    rows = network.eval()(_as_input([cut]).to(case.dtype))
    return {
        "trans_params": torch.from_numpy(_trans_params(found)),
        "aligned_picture": torch.from_numpy(cut),
        "full_coeff": rows,
        "coeff_70": row70(rows),
        "coeff_last3": torch.from_numpy(found.parameters)[None],
    }


def extract_3dmm(case: Case) -> dict[str, Tensor]:
    """StyleHEAT's 73 numbers for frames with a face, and for one whose points are all -1."""
    standard, pictures = _array(case, "lm3d_std").astype(np.float64), _array(case, "images")
    found = []
    for points, picture in zip(_array(case, "landmarks"), pictures, strict=True):
        size = picture.shape[:2]
        if (points == -1).all():
            lost = fit_pose((standard[:, :2] + 1) / 2 * size[0], standard)
            found.append(align_pose(lost, size, size=CROP_SIDE, rescale=RESCALE))
        else:
            found.append(align(points, size, standard))
    crops = torch.from_numpy(np.stack([item.parameters for item in found]))
    cut = [item.cut(picture) for item, picture in zip(found, pictures, strict=True)]
    return {"coeffs_73": row73(case.input("coeffs_257"), crops), "network_input": _as_input(cut)}


def _as_input(pictures: list[Array]) -> Tensor:
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2) / 255


RUNNERS: dict[str, Runner] = {
    "deep3d/recon-net": recon_net,
    "deep3d/align-img": align_img,
    "deep3d/bfm-geometry": bfm_geometry,
    "deep3d/bfm-transfer": bfm_transfer,
    "deep3d/training-losses": training_losses,
    "deep3d/recog-net": recog_net,
    "sadtalker/recon-coeff": recon_coeff,
    "styleheat/extract-3dmm": extract_3dmm,
}
