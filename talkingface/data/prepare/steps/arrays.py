"""Files of landmarks and coefficients (our ``.npz``, the ``.txt`` and ``.mat`` of the published scripts), and the step
``sound``."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....errors import DataError, WeightsError
from ....media.sounds.buffer import open_audio
from ....models.samples import SAMPLE_RATE_HZ
from ....part_files import atomic_file
from ....paths import inside
from ....text.lists import read_lines
from ....weights.files import numpyfile
from ....weights.files.matlab import read_mat
from ..items import ClipFile
from ..step import Step, StepResult

LAYOUT_SIDE = 256  # frames in which the published data give points and crops
ROW = 260
SPACES = ("bfm", "mesh")
FARTHEST = 1e6  # pixels; no frame is that wide


def write_arrays(target: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays of any shape (...) as ``.npz``; the same arrays always give the same bytes."""
    with atomic_file(target, durable=True) as part, zipfile.ZipFile(part, "w") as archive:
        for name, values in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            with archive.open(entry, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(values, order="C"), allow_pickle=False)


def read_arrays(path: Path, *names: str) -> dict[str, NDArray[Any]]:
    """Read all arrays (...) of an ``.npz``.

    Raises:
        DataError: if it is no such file, or lacks one of ``names``.
    """
    try:
        arrays = numpyfile.read_arrays(path)
    except WeightsError as error:
        raise DataError(error.what, where=path, cure="Remove the file and run again.") from error
    missing = [name for name in names if name not in arrays]
    if missing:
        raise DataError(f"holds no {', '.join(missing)} but {', '.join(arrays) or 'nothing'}", where=path)
    return arrays


def write_landmarks(target: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write a landmark file: ``.npz``, or ``.txt`` with the points alone, one number in a line, as in PIRenderer.

    Args:
        target: the file; its ending selects the format.
        arrays: ``landmarks`` (T, 68, 2) in pixels of the clip, and others for ``.npz``.
    """
    if target.suffix == ".txt":
        with atomic_file(target, durable=True) as part:
            np.savetxt(part, arrays["landmarks"].reshape(-1))
    else:
        write_arrays(target, arrays)


def read_landmarks(path: Path) -> dict[str, NDArray[Any]]:
    """Read a landmark file; the result has at least ``landmarks`` (T, 68, 2), in pixels of the clip.

    Raises:
        DataError: if the file is not of the kind that :func:`write_landmarks` writes.
    """
    arrays = {"landmarks": _read_points(path)} if path.suffix == ".txt" else read_arrays(path, "landmarks")
    points = arrays["landmarks"]
    if points.shape[1:] != (68, 2) or points.dtype.kind not in "iuf":
        raise DataError(f"landmarks are {points.shape} {points.dtype}, not (T, 68, 2) numbers", where=path)
    return arrays


def _read_points(path: Path) -> NDArray[np.float32]:
    """Points (T, 68, 2) of a text file with a number in each line."""
    rows = read_lines(path)
    numbers = [row.number(word, "a coordinate", -FARTHEST, FARTHEST) for row in rows for word in row.words]
    if not numbers or len(numbers) % (68 * 2):
        raise DataError(f"holds no 68 points to a frame, but {len(numbers)} numbers", where=path)
    return np.array(numbers, np.float32).reshape(-1, 68, 2)


def write_coefficients(target: Path, rows: NDArray[np.float32], space: str) -> None:
    """Write coefficients as the published extraction does.

    Args:
        target: ``.npz`` or ``.mat``. Both hold ``coeff`` (T, 257) and ``transform_params`` (T, 5): width and height
            of the frame (256), and the crop's scale and shift; ``.npz`` also holds the ``space``.
        rows: (T, 260).
        space: ``"bfm"`` or ``"mesh"``.
    """
    frame = np.full((len(rows), 2), LAYOUT_SIDE, np.float32)
    arrays = {"coeff": rows[:, :257], "transform_params": np.concatenate([frame, rows[:, 257:]], axis=1)}
    if target.suffix == ".mat":
        from scipy.io import savemat

        # A number, because text in such files cannot be read here.
        with atomic_file(target, durable=True) as part:
            savemat(part, {**arrays, "is_mesh_space": np.array([[float(space == "mesh")]])})
    else:
        write_arrays(target, {**arrays, "space": np.array(space)})


def read_coefficients(path: Path) -> tuple[NDArray[np.float32], str]:
    """Read a coefficient file of ours or of the published extraction, whose space is always ``"bfm"``.

    Returns:
        Coefficients (T, 260) and their space.

    Raises:
        DataError: if the file holds no coefficients.
    """
    arrays = _read_mat(path) if path.suffix == ".mat" else read_arrays(path, "coeff", "transform_params", "space")
    coeff, crop = arrays["coeff"], arrays["transform_params"]
    if coeff.ndim != 2 or coeff.shape[1] != 257 or crop.shape != (len(coeff), 5):
        raise DataError(
            f"coeff is {coeff.shape} and transform_params {crop.shape}, not (T, 257) and (T, 5)", where=path
        )
    if coeff.dtype.kind not in "iuf" or crop.dtype.kind not in "iuf" or str(arrays["space"]) not in SPACES:
        raise DataError("holds something else than coefficients", where=path, cure="Remove the file and run again.")
    return np.concatenate([coeff, crop[:, 2:]], axis=1).astype(np.float32), str(arrays["space"])


def _read_mat(path: Path) -> dict[str, NDArray[Any]]:
    try:
        arrays = read_mat(path)
    except WeightsError as error:
        raise DataError(error.what, where=path, cure="Extract the coefficients again.") from error
    missing = [name for name in ("coeff", "transform_params") if name not in arrays]
    if missing:
        raise DataError(f"holds no {', '.join(missing)}", where=path, cure="Extract the coefficients again.")
    is_mesh = bool(arrays.get("is_mesh_space", np.zeros(1)).any())
    return {**arrays, "space": np.array("mesh" if is_mesh else "bfm")}


FULL_SCALE = 32767


@dataclass(frozen=True)
class ExtractSound(Step[ClipFile]):
    """Decodes the sound of a clip, aligned with its first frame.

    Attributes:
        sounds: output folder, with subfolders ``train`` and ``test``.
    """

    sounds: Path

    name = "sound"

    def folder(self) -> Path:
        return self.sounds

    def inputs(self, item: ClipFile) -> list[Path]:
        return [item.path]

    def outcome_settings(self) -> dict[str, Any]:
        return {"sample_rate_hz": SAMPLE_RATE_HZ}

    def target(self, item: ClipFile) -> Path:
        """File of the samples of a clip: (n,) int16, mono, 16 kHz."""
        return inside(self.sounds, item.split, f"{item.name}.npy")

    def perform(self, item: ClipFile) -> StepResult:
        wave = open_audio(item.path, SAMPLE_RATE_HZ)
        samples = np.rint(np.clip(wave.samples, -1, 1) * FULL_SCALE).astype(np.int16)
        target = self.target(item)
        with atomic_file(target, durable=True) as part, part.open("wb") as file:
            np.save(file, samples, allow_pickle=False)
        return StepResult([target], {"samples": len(samples)})
