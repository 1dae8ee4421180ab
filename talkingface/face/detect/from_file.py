"""The backend that reads points or boxes from a file of the user.

Coordinates are pixels of the picture, (0, 0) is the middle of its top left pixel. Three kinds of file, by their ending:

* ``.txt``: one face. Either 68 lines or 5 (eyes left and right, nose tip, mouth corners left and right, as seen in the
  picture; the form of Deep3DFaceRecon's ``detections`` folders), each ``x y``.
* ``.npy``: numbers of shape (68, 2) or (5, 2), or (n, 68, 2) or (n, 5, 2) for n faces.
* ``.json``: ``{"faces": [...]}``, each face ``{"box": [left, top, right, bottom], "landmarks": [[x, y], ...]}`` with at
  least one of the two; 68 or 5 landmarks.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ConfigError, WeightsError, quoted
from ...media.image import Picture, check_picture
from ...text.lists import Row, read_lines
from ...weights.files.numpyfile import map_npy
from ..face import Box, Face, Points, largest_first
from .analyser import FaceAnalyser

COUNTS = (5, 68)
LARGEST_FILE = 50_000_000  # bytes; a hundred thousand faces
LARGEST_FLOAT = 1e308
LARGEST_NUMBER = 1e6  # no picture is that wide
# The mesh's box around a face, in units of the eyes' distance from the mouth or from each other, whichever is larger:
# the median of 50 faces (docs/faces.md).
FIVE_WIDTH, FIVE_HEIGHT = 2.1, 2.45


class FileAnalyser(FaceAnalyser):
    """Returns the same faces for every picture."""

    name, from_file = "given", True

    def __init__(self, faces: Sequence[Face], file: Path) -> None:
        """Args: file: where they come from, for messages."""
        self._faces, self._file = largest_first(list(faces)), file

    @classmethod
    def open(cls, file: Path) -> FileAnalyser:
        """Read a file.

        Raises:
            ConfigError: if it is not as documented, naming the line or place and what would be right.
        """
        readers = {".txt": _read_text, ".npy": _read_npy, ".json": _read_json}
        if file.suffix.lower() not in readers:
            endings = ", ".join(readers)
            raise ConfigError(f"unknown ending '{file.suffix}'", where=file, cure=f"Give points as one of {endings}.")
        try:
            size = file.stat().st_size
        except OSError as error:
            raise ConfigError(
                f"cannot be read ({error.strerror})", where=file, cure="Check --landmarks_file."
            ) from error
        if size > LARGEST_FILE:
            raise ConfigError(f"{size} bytes are too many for points", where=file, cure="Check --landmarks_file.")
        return cls(readers[file.suffix.lower()](file), file)

    def faces(self, picture: Picture) -> list[Face]:
        """The given faces.

        Raises:
            ConfigError: if one lies outside the picture.
        """
        check_picture(picture)
        height, width = picture.shape[:2]
        whole = Box(-0.5, -0.5, width - 0.5, height - 0.5)
        for face in self._faces:
            if not face.box.overlap(whole):
                x, y = face.box.center
                raise ConfigError(
                    f"a face at ({x:.0f}, {y:.0f}) lies outside the picture of {width}x{height}",
                    where=self._file,
                    cure="Give points in pixels of this picture.",
                )
        return list(self._faces)

    def follow(self, picture: Picture, previous: Sequence[Face]) -> list[Face | None]:
        """The faces unchanged: a file has no motion."""
        return list(previous)


def _read_text(file: Path) -> list[Face]:
    rows = [_numbers(row) for row in read_lines(file, ConfigError, cure="Give lines of two numbers, x y.")]
    if len(rows) not in COUNTS:
        raise ConfigError(f"holds {len(rows)} points", where=file, cure="Give 68 lines or 5, each x y.")
    return [_face_of_points(np.array(rows), str(file))]


def _numbers(row: Row) -> list[float]:
    words = row.text.replace(",", " ").split()
    if len(words) != 2:
        raise row.fault(f"{quoted(row.text, 60)} is not two numbers", "Write x y.")
    return [row.number(word, "a coordinate", -LARGEST_FLOAT, LARGEST_FLOAT) for word in words]


def _read_npy(file: Path) -> list[Face]:
    try:
        values = map_npy(file)
    except (OSError, WeightsError) as error:
        raise ConfigError("is not a NumPy file of plain numbers", where=file, cure=_NPY_CURE) from error
    if values.dtype.kind not in "iuf":
        raise ConfigError("is not a NumPy file of plain numbers", where=file, cure=_NPY_CURE)
    if values.ndim not in (2, 3) or values.shape[-1] != 2 or values.shape[-2] not in COUNTS or not len(values):
        raise ConfigError(f"has the shape {values.shape}", where=file, cure=_NPY_CURE)
    every = values[None] if values.ndim == 2 else values
    return [_face_of_points(points, f"{file}, face {number}") for number, points in enumerate(every)]


_NPY_CURE = "Give an array of (68, 2), (n, 68, 2), (5, 2) or (n, 5, 2)."
_JSON_CURE = 'Give {"faces": [{"box": [left, top, right, bottom], "landmarks": [[x, y], ...]}]}.'


def _read_json(file: Path) -> list[Face]:
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise ConfigError(error.msg, where=f"{file}, line {error.lineno}", cure=_JSON_CURE) from error
    except (OSError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise ConfigError("is not JSON", where=file, cure=_JSON_CURE) from error
    faces = content.get("faces") if isinstance(content, dict) else None
    if not isinstance(faces, list) or not faces:
        raise ConfigError("has no list of faces", where=file, cure=_JSON_CURE)
    return [_face_of_entry(entry, f"{file}, face {number}") for number, entry in enumerate(faces)]


def _face_of_entry(entry: Any, where: str) -> Face:
    known = {"box", "landmarks"}
    if not isinstance(entry, dict) or not entry or entry.keys() - known:
        raise ConfigError(f"has not just {' and '.join(sorted(known))}", where=where, cure=_JSON_CURE)
    box = _box(_array(entry["box"], (4,), where), where) if "box" in entry else None
    points = entry.get("landmarks")
    if box is not None and points is None:
        return Face(box, 1.0, None, None, FileAnalyser.name)
    count = len(points) if isinstance(points, list) else 0
    if count not in COUNTS:
        raise ConfigError(f"has {count} landmarks", where=where, cure="Give 68 or 5.")
    return _face_of_points(_array(points, (count, 2), where), where, box)


def _array(values: Any, shape: tuple[int, ...], where: str) -> NDArray[np.float64]:
    try:
        array = np.array(values)
        if array.shape != shape or array.dtype.kind not in "iuf":
            raise ValueError
    except (ValueError, TypeError, OverflowError) as error:
        raise ConfigError(f"numbers of shape {shape} are wanted", where=where, cure=_JSON_CURE) from error
    return array.astype(np.float64)


def _box(edges: NDArray[np.float64], where: str) -> Box:
    box = Box(*(float(edge) for edge in edges))
    if not np.all(np.abs(edges) < LARGEST_NUMBER) or box.width <= 0 or box.height <= 0:
        raise ConfigError(
            f"{edges.tolist()} is not a box", where=where, cure="Give left, top, right, bottom in pixels, left < right."
        )
    return box


def _face_of_points(points: NDArray[np.floating], where: str, box: Box | None = None) -> Face:
    if not np.all(np.abs(points) < LARGEST_NUMBER):  # NaN is not smaller either
        raise ConfigError("a point is not a number, or far outside", where=where, cure="Give pixels of the picture.")
    spread = Box.around(points)
    if spread.width <= 0 or spread.height <= 0:
        raise ConfigError("all points lie on a line", where=where, cure="Give pixels of the picture.")
    points = points.astype(np.float32)
    if len(points) == 68:
        return Face(box or spread, 1.0, points, None, FileAnalyser.name)
    return Face(box or _box_of_five(points), 1.0, None, None, FileAnalyser.name, five=points)


def _box_of_five(five: Points) -> Box:
    """About the box that the mesh would have around a face whose eyes, nose tip and mouth corners are known."""
    left_eye, right_eye, _, left_mouth, right_mouth = five
    eyes, mouth = (left_eye + right_eye) / 2, (left_mouth + right_mouth) / 2
    unit = max(float(np.linalg.norm(mouth - eyes)), float(np.linalg.norm(right_eye - left_eye)))
    x, y = ((eyes + mouth) / 2).tolist()
    half_width, half_height = unit * FIVE_WIDTH / 2, unit * FIVE_HEIGHT / 2
    return Box(x - half_width, y - half_height, x + half_width, y + half_height)
