"""Conversion of the files that users of Deep3DFaceRecon get by themselves to its face model.

``01_MorphableModel.mat`` is the Basel Face Model 2009 (Paysan et al.; its licence is asked for at the University of
Basel), ``Exp_Pca.bin`` the expression directions of Guo et al. 2018. What joins them (which vertices are kept,
triangles, landmarks, masks) is in four small files of the public Deep3DFaceRecon_pytorch repository.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import WeightsError
from ...part_files import atomic_file
from ...text.read import read_text
from ...weights.files.matlab import read_mat
from ...weights.files.read import file_errors
from ..surface.face_model import check_fields

Arrays = dict[str, NDArray[Any]]

BASEL, EXPRESSIONS, DEVIATIONS = "01_MorphableModel.mat", "Exp_Pca.bin", "std_exp.txt"
FRONT, TRIMMED, TOPOLOGY = "BFM_front_idx.mat", "BFM_exp_idx.mat", "facemodel_info.mat"
RESULT = "BFM_model_front.mat"
_BASEL_FIELDS = ("shapePC", "shapeEV", "shapeMU", "texPC", "texEV", "texMU")
_TOPOLOGY_FIELDS = ("tri", "point_buf", "tri_mask2", "keypoints", "frontmask2_idx", "skinmask")
# The original is in micrometres, the result in units of 0.1 m.
_UNIT = 1e5
_LARGEST_TEXT = 10**6  # bytes of std_exp.txt, which has 79 numbers
_IDENTITIES, _EXPRESSIONS = 80, 64


@dataclass(frozen=True)
class Expressions:
    """Directions in which a face moves.

    Attributes:
        directions: (n, 3V), vertex by vertex.
        deviations: (n,), how far people go along each.
    """

    directions: NDArray[np.float32]
    deviations: NDArray[np.float64]


def convert_folder(folder: Path, output: Path | None = None) -> Path:
    """Make ``BFM_model_front.mat`` from the files in a folder; it is complete or not there at all.

    Args:
        folder: holds the six files that are named at the top of this module.
        output: the file to write; None puts it into the folder.

    Returns:
        The file.

    Raises:
        WeightsError: if a file is missing or damaged, or they do not fit each other.
    """
    import scipy.io

    lacking = [
        name for name in (BASEL, EXPRESSIONS, DEVIATIONS, FRONT, TRIMMED, TOPOLOGY) if not (folder / name).is_file()
    ]
    if lacking:
        raise WeightsError(
            f"lacks {', '.join(lacking)}", where=folder, cure="docs/face3d.md says where each is to be had."
        )
    front, trimmed = read_mat(folder / FRONT, ["idx"])["idx"], read_mat(folder / TRIMMED, ["trimIndex"])["trimIndex"]
    expressions = read_expressions(folder / EXPRESSIONS, folder / DEVIATIONS)
    fields = transfer(read_mat(folder / BASEL, _BASEL_FIELDS), expressions, front, trimmed, where=folder)
    fields |= read_mat(folder / TOPOLOGY, _TOPOLOGY_FIELDS)
    check_fields(fields, folder)
    output = output or folder / RESULT
    try:
        with atomic_file(output) as part, part.open("wb") as file:
            scipy.io.savemat(file, fields)
    except OSError as error:
        raise WeightsError(f"cannot be written: {error.strerror}", where=output) from error
    return output


def read_expressions(path: Path, deviations: Path) -> Expressions:
    """The expression directions: a count, a mean that is not used, and the directions, as bare little-endian numbers.

    Raises:
        WeightsError: if a file is missing, or its length does not fit its count.
    """
    with file_errors(path):
        data = path.read_bytes()
        count = int.from_bytes(data[:4], "little")
        numbers, rest = divmod(len(data) - 4, 4)
        if not 1 <= count <= 1000 or rest or numbers % (3 * (count + 1)):
            raise WeightsError(f"{len(data)} bytes cannot be {count} expression directions", cure="Get the file again.")
        directions = np.frombuffer(data, "<f4", offset=4).reshape(count + 1, -1)[1:]
    words = read_text(deviations, WeightsError, largest=_LARGEST_TEXT).split()
    with file_errors(deviations):
        values = np.array([_number(word) for word in words])
        if len(values) != count:
            raise WeightsError(f"{len(values)} deviations for {count} expression directions")
    return Expressions(directions, values)


def _number(word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise WeightsError(f"{word[:40]!r} is not a number")
    return value


def transfer(
    basel: Mapping[str, NDArray[Any]],
    expressions: Expressions,
    front: NDArray[Any],
    trimmed: NDArray[Any],
    *,
    where: object = None,
) -> Arrays:
    """Shape, expression and texture of the front of the head.

    Args:
        basel: the arrays of the original file: ``shapePC``, ``texPC`` (3B, n), ``shapeEV``, ``texEV`` (n, 1),
            ``shapeMU``, ``texMU`` (3B, 1).
        expressions: directions of E vertices.
        front: (V, 1), which of the E vertices are kept, counted from 1.
        trimmed: (E, 1), which of the B vertices each of the E is, counted from 1.
        where: for messages.

    Returns:
        ``meanshape``, ``meantex`` (1, 3V), ``idBase``, ``texBase`` (3V, 80), ``exBase`` (3V, 64), float32.

    Raises:
        WeightsError: if an index points nowhere, or there are too few directions.
    """
    of_expressions = _places(front, expressions.directions.shape[1] // 3, "the front vertices", where)
    of_basel = _places(trimmed, basel["shapeMU"].size // 3, "the trimmed vertices", where)
    if len(of_basel) * 3 != expressions.directions.shape[1]:
        raise WeightsError(f"{len(of_basel)} trimmed vertices, but expressions of another mesh", where=where)
    of_basel = of_basel[of_expressions]
    shape = _directions(basel["shapePC"], basel["shapeEV"] / _UNIT, of_basel, _IDENTITIES, where)
    texture = _directions(basel["texPC"], basel["texEV"], of_basel, _IDENTITIES, where)
    moved = _directions(expressions.directions.T, expressions.deviations / _UNIT, of_expressions, _EXPRESSIONS, where)
    return {
        "meanshape": _rows(basel["shapeMU"].reshape(-1, 1), of_basel).reshape(1, -1) / np.float32(_UNIT),
        "meantex": _rows(basel["texMU"].reshape(-1, 1), of_basel).reshape(1, -1),
        "idBase": shape,
        "exBase": moved,
        "texBase": texture,
    }


def _places(indices: NDArray[Any], count: int, what: str, where: object) -> NDArray[np.int64]:
    """Indices counted from 0."""
    flat = indices.reshape(-1).astype(np.int64)
    if not len(flat) or flat.min() < 1 or flat.max() > count:
        raise WeightsError(f"{what} point outside 1..{count}", where=where)
    return flat - 1


def _rows(array: NDArray[Any], vertices: NDArray[np.int64]) -> NDArray[np.float32]:
    """The rows of some vertices, x, y, z of each together, in single precision."""
    kept = array.reshape(-1, 3, array.shape[1])[vertices]
    return np.ascontiguousarray(kept.reshape(-1, array.shape[1]), np.float32)


def _directions(
    components: NDArray[Any], deviations: NDArray[Any], vertices: NDArray[np.int64], count: int, where: object
) -> NDArray[np.float32]:
    """The first directions at some vertices, each as long as one standard deviation."""
    if components.shape[1] < count or deviations.size != components.shape[1]:
        raise WeightsError(
            f"{components.shape[1]} directions and {deviations.size} deviations, not {count}", where=where
        )
    return _rows(components[:, :count], vertices) * deviations.reshape(-1)[:count].astype(np.float32)
