"""The ``mesh`` space: a linear face model of our own on the 468 points of the face mesh.

A face is ``scale * R (mean + identity a + turned f(angles) + expression e) + shift`` in weak perspective, where
``turned`` is how the mesh network's idea of a face changes with pitch and yaw, so that a turned head does not look like
an expression. A row has the columns of `coefficients.LAYOUT_260`; here they mean:

* id: the first `MeshSpace.identities` of 80, in standard deviations; exp: 64, in standard deviations, 0 at rest;
* angle: pitch (down), yaw (nose to the right as seen), roll (counter-clockwise as seen), radians;
* trans: the head's middle from the middle of the picture, x right and y up in units of the space (0.1 m if eyes are
  62 mm apart), and the logarithm of its size, 0 at `SIZE` pixels of a 256 frame for one unit;
* crop: scale, t_x, t_y as in `five_points`, of the whole face instead of five of its points, so that a moving mouth
  does not move them; tex and gamma: 0.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError, WeightsError
from ..face.face import Face
from ..media.image import Picture
from ..motion.coefficients import LAYOUT_70, LAYOUT_260, Coefficients
from ..weights import load_catalogue
from ..weights.load import load_networks, save_networks
from .five_points import RESCALE
from .mesh import POINTS, Floats, HeadPose, find_pose, mesh_triangles
from .reconstruction import FRAME, Reconstructor, check_square

SIZE = 134.0
"""Pixels of a 256 frame for one unit of the space that are the usual size: eyes are 83 pixels apart."""

NETWORK, ENTRY = "mesh_space", "mesh_space"
ROUNDS = 3  # of pose, then the change of the mesh in that pose
IDENTITY_FRAMES = 500  # of a clip, spread evenly, for its identity
QUIET = (
    0.25  # part of a clip's frames with open eyes, those with the most closed mouth, in which a face counts as at rest
)
QUIET_EXPRESSION = 0.5  # standard deviation of the expression that is left in them; that of a single frame is 1
INNER_LIPS, LID_PAIRS = (13, 14), ((159, 145), (386, 374))


def turned_features(angles: Floats) -> Floats:
    """Features (T, 5) of angles (T, 3) on which the mesh of a face depends, beside its movement."""
    pitch, yaw = angles[:, 0], angles[:, 1]
    return np.stack([yaw, pitch, yaw**2, yaw * pitch, pitch**2], axis=1)


@dataclass(frozen=True, eq=False)
class MeshSpace:
    """The model. Shapes are in units of the space, coordinates as in `mesh_pose`.

    Attributes:
        mean: (468, 3), the mean person at rest.
        identity: (K, 468, 3), one standard deviation of each direction.
        expression: (64, 468, 3), likewise.
        turned: (5, 468, 3), for each of `turned_features`.
        weights: (468, 3), weight of each coordinate in a fit.
        stable: (468,), weight of each point in the pose.
        noise: (1,), variance of a weighted coordinate that is no expression.
        partner: (468,), the point that takes a point's place in a mirrored picture.
        identity_sign, expression_sign: (K,), (64,), what a mirrored picture does to each coefficient.
    """

    mean: Floats
    identity: Floats
    expression: Floats
    turned: Floats
    weights: Floats
    stable: Floats
    noise: Floats
    partner: NDArray[np.int64]
    identity_sign: Floats
    expression_sign: Floats

    @classmethod
    def load(cls, path: Path | None = None) -> MeshSpace:
        """Read a model.

        Args:
            path: None takes the one that ships with the toolkit.

        Raises:
            WeightsError: if the file is missing, damaged, or no model of this kind.
        """
        path = path or load_catalogue()[ENTRY].path(Path())
        state = load_networks(path, model="MeshSpace").states.get(NETWORK, {})
        names = [field.name for field in fields(cls)]
        if set(state) != set(names):
            raise WeightsError(f"holds {sorted(state)[:5]}, not a mesh space", where=path)
        arrays: dict[str, Any] = {name: state[name].double().numpy() for name in names}
        arrays["partner"] = state["partner"].long().numpy()
        space = cls(**arrays)
        space._check(path)
        return space

    def save(self, path: Path, notes: dict[str, str]) -> None:
        """Write the model in half precision; notes go into its metadata."""
        import torch

        state = {field.name: torch.from_numpy(getattr(self, field.name)) for field in fields(self)}
        state = {name: value.half() if value.is_floating_point() else value.short() for name, value in state.items()}
        state["noise"] = torch.from_numpy(self.noise).float()
        save_networks(path, {NETWORK: state}, {"model": "MeshSpace", "variant": "compact", **notes})

    def _check(self, where: Path) -> None:
        count = len(self.identity)
        wanted = {
            "mean": (POINTS, 3),
            "identity": (count, POINTS, 3),
            "expression": (LAYOUT_70.exp.stop, POINTS, 3),
            "turned": (5, POINTS, 3),
            "weights": (POINTS, 3),
            "stable": (POINTS,),
            "noise": (1,),
            "partner": (POINTS,),
            "identity_sign": (count,),
            "expression_sign": (LAYOUT_70.exp.stop,),
        }
        for name, shape in wanted.items():
            value = getattr(self, name)
            if value.shape != shape or not np.isfinite(value).all():
                raise WeightsError(f"{name} is {value.shape}, or not finite; wanted {shape}", where=where)
        if count > LAYOUT_260.id.stop or not np.array_equal(np.sort(self.partner), np.arange(POINTS)):
            raise WeightsError("its directions or its mirror are impossible", where=where)

    @property
    def identities(self) -> int:
        """Number of identity coefficients that are used, K."""
        return len(self.identity)

    @property
    def triangles(self) -> NDArray[np.int64]:
        """(F, 3), a surface over the points, for drawing."""
        return mesh_triangles(self.mean * (1, -1, 1))

    def fit(
        self, mesh: NDArray[np.floating], *, size: float = FRAME, identity: Floats | None = None
    ) -> NDArray[np.float32]:
        """Fit rows to the frames of a clip of one person, with the same identity coefficients in all of them.

        Args:
            mesh: (T, 468, 3), pixels; a single picture is T = 1.
            size: side of the square pictures, in pixels.
            identity: (K,), of the person where known; None estimates it from these frames.

        Returns:
            (T, 260).

        Raises:
            ShapeError: if these are no meshes, or some are not finite.
        """
        points = to_space(mesh, size)
        person = self.find_identity(mesh, size=size) if identity is None else np.asarray(identity, np.float64)
        rest = self.mean + np.tensordot(person, self.identity, 1)
        pose, residual = self._unpose(rest, points)
        rows = Coefficients(np.zeros((len(points), LAYOUT_260.width)))
        rows.id[:, : self.identities] = person
        rows.exp[:] = self._solve(residual, self.expression, np.ones(len(self.expression)))
        rows.angle[:] = pose.angles
        rows.trans[:], rows.crop[:] = _place(pose)
        return rows.values.astype(np.float32)

    def find_identity(self, mesh: NDArray[np.floating], *, size: float = FRAME) -> Floats:
        """Estimate the identity coefficients (K,) of the one person in some frames, from those with the face at rest.

        Args:
            mesh: (T, 468, 3), pixels.
        """
        points = to_space(mesh[identity_frames(len(mesh))], size)
        deviation = QUIET_EXPRESSION if len(points) > 1 else 1.0
        prior = np.concatenate([np.ones(self.identities), np.full(len(self.expression), deviation)])
        directions = np.concatenate([self.identity, self.expression])
        person = np.zeros(self.identities)
        for _ in range(ROUNDS):
            rest = self.mean + np.tensordot(person, self.identity, 1)
            _, residual = self._unpose(rest, points)
            shape = residual + rest
            typical = np.median(shape[quiet_frames(shape)], axis=0) - self.mean
            person = self._solve(typical[None], directions, prior)[0, : self.identities]
        return person

    def decode(self, rows: NDArray[np.floating], *, size: float = FRAME) -> NDArray[np.float32]:
        """Meshes of rows.

        Args:
            rows: (T, 260); (T, 73) or (T, 70), which have no identity, are drawn as the mean person.
            size: side of the square pictures, in pixels.

        Returns:
            (T, 468, 3), pixels; z is relative to the middle of the head.
        """
        named = Coefficients(np.asarray(rows, np.float64))
        person = (
            named.id[:, : self.identities] if "id" in named.layout.parts else np.zeros((len(rows), self.identities))
        )
        shape = self.mean + np.tensordot(person, self.identity, 1) + np.tensordot(named.exp, self.expression, 1)
        shape = shape + np.tensordot(turned_features(named.angle), self.turned, 1)
        scale = SIZE * np.exp(named.trans[:, 2])
        middle = named.trans[:, :2] * scale[:, None] + (FRAME - 1) / 2
        shift = np.concatenate([middle, np.zeros((len(rows), 1))], axis=1)
        return from_space(HeadPose(named.angle, scale, shift).pose(shape), size).astype(np.float32)

    def mirror_rows(self, rows: NDArray[np.floating]) -> NDArray[np.float32]:
        """Rows (T, 260) of the mirrored pictures."""
        mirrored = Coefficients(np.array(rows, np.float32))
        mirrored.id[:, : self.identities] *= self.identity_sign
        mirrored.exp[:] *= self.expression_sign
        mirrored.angle[:] *= (1, -1, -1)
        mirrored.trans[:] *= (-1, 1, 1)
        mirrored.crop[:, 1] = FRAME - 1 - mirrored.crop[:, 1]
        return mirrored.values

    def mirror_mesh(self, mesh: NDArray[np.floating], *, size: float = FRAME) -> NDArray[np.floating]:
        """Meshes, (T, 468, 3), of the mirrored pictures."""
        mirrored = np.array(mesh[:, self.partner])
        mirrored[..., 0] = size - 1 - mirrored[..., 0]
        return mirrored

    def _unpose(self, rest: Floats, points: Floats) -> tuple[HeadPose, Floats]:
        """The pose of a person at rest, and what is left of the points in the head's own frame: (T, 468, 3)."""
        shape = rest[None]
        for _ in range(ROUNDS):
            pose = find_pose(shape, points, self.stable)
            shape = rest + np.tensordot(turned_features(pose.angles), self.turned, 1)
        return pose, pose.unpose(points) - shape

    def _solve(self, residual: Floats, directions: Floats, deviations: Floats) -> Floats:
        """Regularised least squares: share (T, n) of each direction in each residual.

        Args:
            residual: (T, 468, 3).
            directions: (n, 468, 3).
            deviations: (n,), usual size of each coefficient.
        """
        weighted = (directions * np.sqrt(self.weights)).reshape(len(directions), -1)
        system = weighted @ weighted.T + np.diag(self.noise[0] / deviations**2)
        right = weighted @ (residual * np.sqrt(self.weights)).reshape(len(residual), -1).T
        return np.linalg.solve(system, right).T


def to_space(mesh: NDArray[np.floating], size: float) -> Floats:
    """Pixels of a picture as coordinates of a 256 frame, x right, y up from the lowest row, z to the camera.

    Raises:
        ShapeError: if these are no (T, 468, 3) finite numbers.
    """
    if mesh.ndim != 3 or mesh.shape[1:] != (POINTS, 3) or not len(mesh):
        raise ShapeError(f"meshes have the shape (T, {POINTS}, 3), not {mesh.shape}")
    if not np.isfinite(mesh).all():
        raise ShapeError("some points of the face mesh are no numbers", cure="Leave out frames without a face.")
    factor = FRAME / size
    points = np.array(mesh, np.float64) * factor
    points[..., :2] += (factor - 1) / 2
    points[..., 1] = FRAME - 1 - points[..., 1]
    points[..., 2] *= -1
    return points


def from_space(points: Floats, size: float) -> Floats:
    """Meshes (T, 468, 3) in pixels from points (T, 468, 3) of the space: the inverse of `to_space`."""
    factor = size / FRAME
    mesh = points * (1, -1, -1)
    mesh[..., 1] += FRAME - 1
    mesh *= factor
    mesh[..., :2] += (factor - 1) / 2
    return mesh


def _place(pose: HeadPose) -> tuple[Floats, Floats]:
    """The columns trans and crop."""
    middle = (pose.shift[:, :2] - (FRAME - 1) / 2) / pose.scale[:, None]
    trans = np.concatenate([middle, np.log(pose.scale / SIZE)[:, None]], axis=1)
    crop = np.concatenate([(RESCALE / pose.scale)[:, None], pose.shift[:, :2]], axis=1)
    return trans, crop


def identity_frames(count: int) -> NDArray[np.int64]:
    """Numbers (n,) of the frames, of ``count``, that determine a clip's identity."""
    return np.linspace(0, count - 1, min(count, IDENTITY_FRAMES)).round().astype(np.int64)


def quiet_frames(shape: Floats) -> NDArray[np.bool_]:
    """Mask (T,) of the frames with a closed mouth and open eyes, of shapes (T, 468, 3) of a person."""
    mouth = gap(shape, *INNER_LIPS)
    lids = np.mean([gap(shape, *pair) for pair in LID_PAIRS], axis=0)
    open_eyes = lids >= np.median(lids) * 0.9
    return open_eyes & (mouth <= np.quantile(mouth[open_eyes], QUIET))


def gap(shape: Floats, point: int, other: int) -> Floats:
    """Distance (T,) of two points of shapes (T, 468, 3), by their numbers."""
    return np.asarray(np.linalg.norm(shape[:, point] - shape[:, other], axis=1))


@lru_cache(maxsize=1)
def shipped_space() -> MeshSpace:
    """The model that ships with the toolkit, read once."""
    return MeshSpace.load()


class MeshReconstructor(Reconstructor):
    """Gives rows of the ``mesh`` space, from the face mesh alone; the pictures are not read."""

    space = "mesh"

    def __init__(self, model: MeshSpace | None = None, identity: Floats | None = None) -> None:
        """Take a space and, where it is known, a person.

        Args:
            model: None takes the shipped one.
            identity: (K,), of the person in all pictures; None estimates it in each.
        """
        self.model = model or shipped_space()
        self.identity = identity
        self.label = "coefficients: mesh space, ours"

    def for_clip(self, faces: Sequence[Face], size: int) -> MeshReconstructor:
        """Reconstructor of a clip, whose identity is estimated once, from all faces."""
        meshes = np.stack([_mesh_of(faces[index]) for index in identity_frames(len(faces))])
        reconstructor = MeshReconstructor(self.model, self.model.find_identity(meshes, size=size))
        reconstructor.label = self.label
        return reconstructor

    def rows(self, pictures: Sequence[Picture], faces: Sequence[Face]) -> NDArray[np.float32]:
        """Rows of faces, see `Reconstructor.rows`; each by itself, so batches do not change it."""
        for picture in pictures:
            check_square(picture)
        pairs = zip(pictures, faces, strict=True)
        rows = [
            self.model.fit(_mesh_of(face)[None], size=picture.shape[0], identity=self.identity)
            for picture, face in pairs
        ]
        return np.concatenate(rows) if rows else np.zeros((0, LAYOUT_260.width), np.float32)

    def fingerprint(self) -> str:
        digest = hashlib.sha256()
        for field in fields(self.model):
            digest.update(np.ascontiguousarray(getattr(self.model, field.name)).tobytes())
        return digest.hexdigest()[:12]


def _mesh_of(face: Face) -> NDArray[np.float32]:
    if face.mesh is None:
        raise ShapeError(
            f"a face found by '{face.backend}' has no mesh", where="--landmarks", cure="Use --landmarks=mesh."
        )
    return face.mesh


__all__ = ["MeshReconstructor", "MeshSpace", "shipped_space", "turned_features"]
