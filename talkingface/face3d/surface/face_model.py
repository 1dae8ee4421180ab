"""The morphable face model behind the ``bfm`` space: coefficients to a coloured surface under a light.

It is needed only where vertices are drawn or landmarks are predicted; coefficients are read, changed and rendered by
the talking-face models without it. The file ``BFM_model_front.mat`` is the user's own: `bfm_convert` makes it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ...errors import WeightsError
from ...motion.coefficients import Coefficients
from ...weights.files.matlab import read_mat
from .raster import Camera


def rotation(angles: Tensor) -> Tensor:
    """Rotation matrix of angles, to be applied from the right: ``turned = points @ rotation(angles)``.

    Args:
        angles: (N, 3), radians.

    Returns:
        (N, 3, 3), the transpose of Rz Ry Rx, so that x is turned first.
    """
    from kornia.geometry.conversions import quaternion_from_euler, quaternion_to_rotation_matrix

    return quaternion_to_rotation_matrix(torch.stack(quaternion_from_euler(*angles.unbind(-1)), -1)).mT


AMBIENT = (0.8, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
"""Added to the coefficients of every channel, so that zeros are an even, rather bright light."""

_CONSTANT = math.pi / math.sqrt(4 * math.pi)
_LINEAR = 2 * math.pi / math.sqrt(3) * math.sqrt(3) / math.sqrt(4 * math.pi)
_SQUARE = 2 * math.pi / math.sqrt(8) * 3 * math.sqrt(5) / math.sqrt(12 * math.pi)


def harmonics(normals: Tensor) -> Tensor:
    """The nine spherical harmonics at each normal.

    Args:
        normals: (..., 3), of length 1.

    Returns:
        (..., 9).
    """
    x, y, z = normals.unbind(-1)
    return torch.stack(
        [
            torch.full_like(x, _CONSTANT),
            -_LINEAR * y,
            _LINEAR * z,
            -_LINEAR * x,
            _SQUARE * x * y,
            -_SQUARE * y * z,
            _SQUARE / (2 * math.sqrt(3)) * (3 * z**2 - 1),
            -_SQUARE * x * z,
            _SQUARE / 2 * (x**2 - y**2),
        ],
        dim=-1,
    )


def illuminate(albedo: Tensor, normals: Tensor, gamma: Tensor) -> Tensor:
    """Colours under a light.

    Args:
        albedo: (N, V, 3), colours in even light.
        normals: (N, V, 3), of length 1.
        gamma: (N, 27), nine numbers for red, nine for green, nine for blue; `AMBIENT` is added to each.

    Returns:
        (N, V, 3), not clipped.
    """
    light = gamma.unflatten(-1, (3, 9)) + gamma.new_tensor(AMBIENT)
    return harmonics(normals) @ light.mT * albedo


_SHAPES = ("meanshape", "idBase", "exBase")
_COLOURS = ("meantex", "texBase")
_INDICES = ("tri", "point_buf", "keypoints", "skinmask")
FIELDS = (*_SHAPES, *_COLOURS, *_INDICES)
_LANDMARKS = 68


@dataclass(frozen=True)
class Surface:
    """Faces in the coordinates of a camera.

    Attributes:
        seen: (N, V, 3), vertices in the camera's coordinates, z away from it.
        texture: (N, V, 3), colours in even light, RGB; 0..1 where the model's own colours are.
        colour: (N, V, 3), colours under the light.
        landmarks: (N, 68, 2), pixels of the 224 crop, y upwards.
    """

    seen: Tensor
    texture: Tensor
    colour: Tensor
    landmarks: Tensor


class FaceModel(nn.Module):
    """Mean face and its directions, as buffers that move with the module.

    Args:
        fields: arrays of the file by name (`FIELDS`); indices are counted from 1.
        camera: of the rendering.
        recenter: put the middle of the mean face into the origin, as the published networks were trained.
        where: the file, for messages.

    Raises:
        WeightsError: if shapes do not fit each other, or an index points nowhere.
    """

    def __init__(
        self,
        fields: dict[str, NDArray[Any]],
        *,
        camera: Camera | None = None,
        recenter: bool = True,
        where: object = None,
    ) -> None:
        super().__init__()
        check_fields(fields, where)
        self.camera = camera or Camera()
        mean = fields["meanshape"].reshape(-1, 3).astype(np.float64)
        if recenter:
            mean = mean - mean.mean(0)
        self._hold("mean_shape", mean.reshape(-1))
        self._hold("mean_texture", fields["meantex"].reshape(-1))
        for name, field in (("id_base", "idBase"), ("exp_base", "exBase"), ("tex_base", "texBase")):
            self._hold(name, fields[field])
        self._hold("skin", fields["skinmask"].reshape(-1))
        for name, field in (("triangles", "tri"), ("around", "point_buf"), ("keypoints", "keypoints")):
            indices = torch.from_numpy(fields[field].astype(np.int64)) - 1
            self.register_buffer(name, indices.flatten() if name == "keypoints" else indices)

    mean_shape: Tensor
    mean_texture: Tensor
    id_base: Tensor
    exp_base: Tensor
    tex_base: Tensor
    skin: Tensor
    triangles: Tensor
    around: Tensor
    keypoints: Tensor

    def _hold(self, name: str, array: NDArray[Any]) -> None:
        self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(array, np.float32)))

    @classmethod
    def load(cls, path: Path) -> FaceModel:
        """The model in a user's ``BFM_model_front.mat``; nothing in the file is executed.

        Raises:
            WeightsError: if the file is missing, damaged, or not such a model.
        """
        return cls(read_mat(path, FIELDS), where=path)

    def shape(self, rows: Tensor) -> Tensor:
        """Vertices of faces without pose: (N, 257) -> (N, V, 3), y up, z to the camera, in 0.1 m."""
        named = Coefficients(rows)
        offsets = named.id @ self.id_base.mT + named.exp @ self.exp_base.mT
        return (self.mean_shape + offsets).unflatten(-1, (-1, 3))

    def texture(self, rows: Tensor) -> Tensor:
        """Colours in even light: (N, 257) -> (N, V, 3), RGB, 0..1 where the model's own colours are."""
        return ((self.mean_texture + Coefficients(rows).tex @ self.tex_base.mT) / 255).unflatten(-1, (-1, 3))

    def normals(self, vertices: Tensor) -> Tensor:
        """Unit normals, (N, V, 3) -> (N, V, 3); each is the mean of those of the triangles around it, whatever their
        size."""
        a, b, c = (vertices[:, corner] for corner in self.triangles.unbind(-1))
        flat = F.normalize(torch.linalg.cross(a - b, b - c), dim=-1)
        # Vertices with fewer than eight triangles around them name one behind the last, whose normal is nothing.
        flat = torch.cat([flat, flat.new_zeros(len(flat), 1, 3)], 1)
        return F.normalize(flat[:, self.around].sum(2), dim=-1)

    def surface(self, rows: Tensor) -> Surface:
        """Faces in their pose and light.

        Args:
            rows: (N, 257) or (N, 260).
        """
        named = Coefficients(rows)
        turn, shape, texture = rotation(named.angle), self.shape(rows), self.texture(rows)
        seen = self.camera.see(self.move(shape, turn, named.trans))
        colour = illuminate(texture, self.normals(shape) @ turn, named.gamma)
        return Surface(seen, texture, colour, self.camera.project(seen[:, self.keypoints]))

    @staticmethod
    def move(vertices: Tensor, turn: Tensor, trans: Tensor) -> Tensor:
        """Vertices turned about the origin, then shifted: (N, V, 3), (N, 3, 3), (N, 3) -> (N, V, 3)."""
        return vertices @ turn + trans[:, None]


def check_fields(fields: dict[str, NDArray[Any]], where: object) -> None:
    """Check that the arrays of a face model fit each other, such as ``idBase`` (3 V, 80) and ``tri`` (F, 3).

    Raises:
        WeightsError: naming the first that does not.
    """
    lacking = [name for name in FIELDS if name not in fields]
    if lacking:
        raise WeightsError(f"a face model without {', '.join(lacking)}", where=where)
    size, faces = fields["meanshape"].size, len(fields["tri"])
    wanted = {"idBase": (size, 80), "exBase": (size, 64), "texBase": (size, 80), "tri": (faces, 3)}
    wanted |= {"point_buf": (size // 3, 8)}
    for name, shape in wanted.items():
        if fields[name].shape != shape:
            raise WeightsError(f"{name!r} of the face model is {fields[name].shape}, not {shape}", where=where)
    for name, count in {"meantex": size, "skinmask": size // 3, "keypoints": _LANDMARKS}.items():
        if fields[name].size != count:
            raise WeightsError(f"{name!r} of the face model has {fields[name].size} numbers, not {count}", where=where)
    for name, last in {"tri": size // 3, "point_buf": faces + 1, "keypoints": size // 3}.items():
        if fields[name].size and not (fields[name].min() >= 1 and fields[name].max() <= last):
            raise WeightsError(f"{name!r} of the face model points outside 1..{last}", where=where)
