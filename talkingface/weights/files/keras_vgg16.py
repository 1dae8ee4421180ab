"""Reads VGG16's convolutions from a weight file of Keras 3, which is HDF5: numbers only, nothing is executed."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ...errors import DependencyError, WeightsError

_BLOCKS = (2, 2, 3, 3, 3)


def read_keras_vgg16(path: Path) -> dict[str, Tensor]:
    """Read the convolutions, kernels (O, I, 3, 3) and biases (O,), named as those of :class:`VGG16`.

    Raises:
        DependencyError: if h5py is not installed.
        WeightsError: if the file is missing or holds something else.
    """
    try:
        import h5py
    except ImportError:
        raise DependencyError("h5py is not installed", where=path, cure="Install it: pip install h5py") from None
    if not path.is_file():
        cure = "Fetch it with --run_mode=fetch --checkpoint=vgg16."
        raise WeightsError("the weights of VGG16 are not there", where=path, cure=cure)
    state: dict[str, Tensor] = {}
    try:
        with h5py.File(path, "r") as file:
            for block, count in enumerate(_BLOCKS):
                for index in range(count):
                    layer = f"block{block + 1}/layers/conv2d{f'_{index}' if index else ''}/vars"
                    kernel, bias = (torch.from_numpy(file[f"{layer}/{part}"][()]) for part in "01")
                    state[f"blocks.{block}.{index}.weight"] = kernel.permute(3, 2, 0, 1).contiguous()
                    state[f"blocks.{block}.{index}.bias"] = bias
    except (KeyError, OSError) as error:
        raise WeightsError(f"no VGG16 of Keras: {error}", where=path) from None
    return state
