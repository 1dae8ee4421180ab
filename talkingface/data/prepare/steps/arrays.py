"""Landmarks and coefficients as files: our ``.npz``, and the ``.txt`` and ``.mat`` of the published scripts."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....errors import DataError, WeightsError
from ....media.audio_buffer import open_wave
from ....models.samples import SAMPLE_RATE_HZ
from ....weights.files.matlab import read_mat
from ..files import whole
from ..items import Clip
from ..step import Made, Step

LAYOUT_SIDE = 256  # frames in which the published data give points and crops
ROW = 260


def write_arrays(target: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write an ``.npz``; the same arrays give the same bytes at any time."""
    with whole(target) as part, zipfile.ZipFile(part, "w") as archive:
        for name, values in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            with archive.open(entry, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(values, order="C"), allow_pickle=False)


def read_arrays(path: Path, *names: str) -> dict[str, NDArray[Any]]:
    """The arrays of an ``.npz``.

    Raises:
        DataError: if it is none, or one of ``names`` is not in it.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            found = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"cannot be read ({error})", where=path, cure="Remove the file and run again.") from error
    missing = [name for name in names if name not in found]
    if missing:
        raise DataError(f"holds no {', '.join(missing)} but {', '.join(found) or 'nothing'}", where=path)
    return found


def write_landmarks(target: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write landmarks; as ``.txt`` the points alone, one number to a line, as PIRenderer has them."""
    if target.suffix == ".txt":
        with whole(target) as part:
            np.savetxt(part, arrays["landmarks"].reshape(-1))
    else:
        write_arrays(target, arrays)


def read_landmarks(path: Path) -> dict[str, NDArray[Any]]:
    """At least ``landmarks`` (T, 68, 2) in pixels of the clip.

    Raises:
        DataError: if the file is not what :func:`write_landmarks` writes.
    """
    if path.suffix != ".txt":
        found = read_arrays(path, "landmarks")
    else:
        try:
            found = {"landmarks": np.loadtxt(path, dtype=np.float32).reshape(-1, 68, 2)}
        except ValueError as error:
            raise DataError(f"holds no 68 points to a frame ({error})", where=path) from error
    if found["landmarks"].shape[1:] != (68, 2):
        raise DataError(f"landmarks are {found['landmarks'].shape}, not (T, 68, 2)", where=path)
    return found


def write_coefficients(target: Path, rows: NDArray[np.float32], space: str) -> None:
    """Write rows of 260 numbers as the published extraction does.

    Args:
        target: ``.npz`` or ``.mat``. Both hold ``coeff`` (T, 257) and ``transform_params`` (T, 5): width and height
            of the frame (256), and the crop's scale and shift; ours also says the ``space``.
        rows: (T, 260).
        space: ``"bfm"`` or ``"mesh"``.
    """
    frame = np.full((len(rows), 2), LAYOUT_SIDE, np.float32)
    arrays = {"coeff": rows[:, :257], "transform_params": np.concatenate([frame, rows[:, 257:]], axis=1)}
    if target.suffix == ".mat":
        from scipy.io import savemat

        # A number, because text in such files is not read here.
        with whole(target) as part:
            savemat(part, {**arrays, "is_mesh_space": np.array([[float(space == "mesh")]])})
    else:
        write_arrays(target, {**arrays, "space": np.array(space)})


def read_coefficients(path: Path) -> tuple[NDArray[np.float32], str]:
    """((T, 260) rows, space) of a file of ours or of the published extraction, which is always ``"bfm"``.

    Raises:
        DataError: if the file holds nothing like it.
    """
    found = _read_mat(path) if path.suffix == ".mat" else read_arrays(path, "coeff", "transform_params", "space")
    coeff, crop = found["coeff"], found["transform_params"]
    if coeff.ndim != 2 or coeff.shape[1] != 257 or crop.shape != (len(coeff), 5):
        raise DataError(
            f"coeff is {coeff.shape} and transform_params {crop.shape}, not (T, 257) and (T, 5)", where=path
        )
    return np.concatenate([coeff, crop[:, 2:]], axis=1).astype(np.float32), str(found["space"])


def _read_mat(path: Path) -> dict[str, NDArray[Any]]:
    try:
        found = read_mat(path)
    except WeightsError as error:
        raise DataError(error.what, where=path, cure="Extract the coefficients again.") from error
    missing = [name for name in ("coeff", "transform_params") if name not in found]
    if missing:
        raise DataError(f"holds no {', '.join(missing)}", where=path, cure="Extract the coefficients again.")
    is_mesh = bool(found.get("is_mesh_space", np.zeros(1)).any())
    return {**found, "space": np.array("mesh" if is_mesh else "bfm")}


FULL_SCALE = 32767


@dataclass(frozen=True)
class ExtractSound(Step[Clip]):
    """Decodes the sound of a clip, on the clock of its pictures.

    Attributes:
        sounds: folder; the files go to its subfolders ``train`` and ``test``.
    """

    sounds: Path

    name = "sound"

    def inputs(self, item: Clip) -> list[Path]:
        return [item.path]

    def shaping(self) -> dict[str, Any]:
        return {"sample_rate_hz": SAMPLE_RATE_HZ}

    def target(self, item: Clip) -> Path:
        """Where the samples of a clip go: (n,) int16, mono."""
        return self.sounds / item.split / f"{item.name}.npy"

    def perform(self, item: Clip) -> Made:
        wave = open_wave(item.path, SAMPLE_RATE_HZ)
        samples = np.rint(np.clip(wave.samples, -1, 1) * FULL_SCALE).astype(np.int16)
        target = self.target(item)
        with whole(target) as part, part.open("wb") as file:
            np.save(file, samples, allow_pickle=False)
        return Made([target], {"samples": len(samples)})
