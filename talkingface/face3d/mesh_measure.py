"""Measures of the movement that the ``mesh`` space preserves, on clips of people it was not learned from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..motion.coefficients import LAYOUT_260
from .mesh import Floats
from .mesh_space import INNER_LIPS, LID_PAIRS, MeshSpace, gap, quiet_frames

_EYES = ([33, 133], [263, 362])  # corners, outer ones first


@dataclass(frozen=True)
class CurveFidelity:
    """Fidelity of a curve over time, such as the mouth's opening, when faces go through the space.

    Attributes:
        correlation: of the curves before and after, without the means of the clips.
        slope: of after over before; below 1 the movement has become smaller.
    """

    correlation: float
    slope: float


@dataclass(frozen=True)
class SpaceFigures:
    """Figures over all clips. Lengths are in eye distances (pupil to pupil, roughly).

    Attributes:
        error_mean, error_95: distance of decoded landmarks from the mesh's in the picture, mean and 95 % quantile.
        curves: mouth opening, blinking, mouth width, yaw.
        still_mesh, still_decoded: jitter of landmarks, standard deviation of what is not smooth in time.
        still_expression: likewise for expression coefficients.
        yaw_leak: mean size of the correlation of an expression coefficient with yaw, within clips.
        rest_expression: root mean square of expression coefficients of single pictures of faces at rest.
    """

    error_mean: float
    error_95: float
    curves: dict[str, CurveFidelity]
    still_mesh: float
    still_decoded: float
    still_expression: float
    yaw_leak: float
    rest_expression: float

    def figures(self) -> Iterator[tuple[str, float]]:
        """Name and value of each figure."""
        yield "landmark error, mean (eye distances)", self.error_mean
        yield "landmark error, 95 % (eye distances)", self.error_95
        for name, fidelity in self.curves.items():
            yield f"{name}: correlation", fidelity.correlation
            yield f"{name}: slope", fidelity.slope
        yield "trembling of the mesh (eye distances)", self.still_mesh
        yield "trembling of decoded landmarks (eye distances)", self.still_decoded
        yield "trembling of expression coefficients", self.still_expression
        yield "correlation of an expression coefficient with yaw, mean", self.yaw_leak
        yield "expression of single pictures at rest, root mean square", self.rest_expression


def measure(space: MeshSpace, clips: Sequence[NDArray[np.floating]]) -> SpaceFigures:
    """Measure a space on clips.

    Args:
        clips: (T, 468, 3) each, pixels of a 256 frame; frames without a face are NaN. Clips of fewer than 10 are left
            out.
    """
    meshes = [mesh[np.isfinite(mesh).all((1, 2))].astype(np.float64) for mesh in clips]
    meshes = [mesh for mesh in meshes if len(mesh) >= 10]
    rows = [space.fit(mesh).astype(np.float64) for mesh in meshes]
    decoded = [space.decode(clip).astype(np.float64) for clip in rows]
    errors = [_error(mesh, result) for mesh, result in zip(meshes, decoded, strict=True)]
    rests = [space.fit(mesh[quiet_frames(mesh)][:1])[0, LAYOUT_260.exp] for mesh in meshes]
    return SpaceFigures(
        error_mean=float(np.mean([error.mean() for error in errors])),
        error_95=float(np.mean([np.quantile(error, 0.95) for error in errors])),
        curves=_curve_fidelity(meshes, decoded),
        still_mesh=_jitter([mesh[..., :2] / _eye_distance(mesh).mean() for mesh in meshes]),
        still_decoded=_jitter([mesh[..., :2] / _eye_distance(mesh).mean() for mesh in decoded]),
        still_expression=_jitter([clip[:, LAYOUT_260.exp] for clip in rows]),
        yaw_leak=_yaw_leak(rows),
        rest_expression=float(np.sqrt(np.mean(np.square(rests)))),
    )


def curves(mesh: Floats) -> dict[str, Floats]:
    """Movement of a face over time: name -> (T,). Distances are over that of the outer corners of the eyes."""
    across = mesh[:, 263] - mesh[:, 33]
    size = np.linalg.norm(across, axis=1)
    lids = [gap(mesh, *pair) / gap(mesh, *corners) for pair, corners in zip(LID_PAIRS, _EYES, strict=True)]
    return {
        "mouth opening": gap(mesh, *INNER_LIPS) / size,
        "blinking": np.mean(lids, axis=0),
        "mouth width": gap(mesh, 61, 291) / size,
        "yaw": np.arctan2(across[:, 2], across[:, 0]),
    }


def _eye_distance(mesh: Floats) -> Floats:
    left, right = (mesh[:, corners, :2].mean(1) for corners in _EYES)
    return np.asarray(np.linalg.norm(left - right, axis=1))


def _error(mesh: Floats, decoded: Floats) -> Floats:
    return np.asarray(np.linalg.norm((mesh - decoded)[..., :2], axis=2) / _eye_distance(mesh)[:, None])


def _curve_fidelity(meshes: Sequence[Floats], decoded: Sequence[Floats]) -> dict[str, CurveFidelity]:
    before, after = ([curves(mesh) for mesh in clips] for clips in (meshes, decoded))
    fidelity = {}
    for name in before[0]:
        old, new = (np.concatenate([c[name] - c[name].mean() for c in side]) for side in (before, after))
        fidelity[name] = CurveFidelity(float(np.corrcoef(old, new)[0, 1]), float(old @ new / (old @ old)))
    return fidelity


def _jitter(values: Sequence[Floats]) -> float:
    """Median over clips of the deviation of numbers that would be smooth: white noise of 1 gives 1."""
    return float(np.median([np.sqrt(np.median(np.diff(v, 2, axis=0) ** 2, axis=0).mean() / 6) for v in values]))


def _yaw_leak(rows: Sequence[Floats]) -> float:
    second = LAYOUT_260.angle.start + 1
    expression, yaw = (
        np.concatenate([clip[:, part] - clip[:, part].mean(0) for clip in rows])
        for part in (LAYOUT_260.exp, slice(second, second + 1))
    )
    products = (expression * yaw).mean(0) / (expression.std(0) * yaw.std() + 1e-12)
    return float(np.abs(products).mean())
