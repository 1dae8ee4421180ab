"""Parameters of a resampling: factors, padding and filter, and the size of the result."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from ..errors import ShapeError

Floats = NDArray[np.float64]

_known: WeakTensorKeyDictionary = WeakTensorKeyDictionary()
_SAME = 1e-7
"""Singular values below this part of the largest are rounding of the filter's own float32 numbers."""


@dataclass(frozen=True, eq=False)
class Taps:
    """A filter, decomposed into a sum of separable ones.

    Attributes:
        values: (height, width), float64; applied FLIPPED, as in a true convolution.
    """

    values: Floats

    @cached_property
    def factors(self) -> tuple[Floats, Floats]:
        """Factors (rank, height) and (rank, width) whose outer products add up to the flipped filter."""
        left, sizes, right = np.linalg.svd(np.flip(self.values))
        rank = max(1, int(np.sum(sizes > _SAME * sizes[0])))
        return np.ascontiguousarray((left[:, :rank] * sizes[:rank]).T), np.ascontiguousarray(right[:rank])

    @cached_property
    def flipped(self) -> Taps:
        """The filter rotated by 180 degrees, as derivatives need it."""
        return Taps(np.ascontiguousarray(np.flip(self.values)))


def taps_of(kernel: Tensor) -> Taps:
    """Read the values of a filter (height, width); they are cached until the tensor changes or is deleted.

    Reading them from a GPU waits for it, which is another reason to read them once.

    Raises:
        ShapeError: if it does not have two axes or is empty.
    """
    if kernel.ndim != 2 or kernel.numel() == 0:
        raise ShapeError(f"a filter is (height, width), not {tuple(kernel.shape)}")
    if kernel.is_inference():  # inference tensors have no version counter
        return _read(kernel)
    version, taps = _known.get(kernel, (None, None))
    if taps is None or version != kernel._version:
        taps = _read(kernel)
        _known[kernel] = (kernel._version, taps)
    return taps


def _read(kernel: Tensor) -> Taps:
    return Taps(kernel.detach().cpu().double().numpy().copy())


@dataclass(frozen=True)
class Resampling:
    """Insert ``up - 1`` zeros after each sample, pad (negative: cut), filter, keep every `down`-th sample from 0."""

    up: int
    down: int
    top: int
    bottom: int
    left: int
    right: int

    def output_size(self, height: int, width: int, taps: Taps) -> tuple[int, int]:
        """Height and width of the result in pixels.

        Raises:
            ShapeError: if the filter is larger than the padded picture.
        """
        tall, wide = taps.values.shape
        spare = height * self.up + self.top + self.bottom - tall, width * self.up + self.left + self.right - wide
        if min(spare) < 0:
            raise ShapeError(
                f"a filter of {tall} x {wide} does not fit into a picture of {height} x {width} "
                f"(up {self.up}, padding {(self.top, self.bottom, self.left, self.right)})"
            )
        return spare[0] // self.down + 1, spare[1] // self.down + 1

    def adjoint(self, height: int, width: int, taps: Taps) -> Resampling:
        """Resampling that maps, with the flipped filter, the gradient of the output to that of the input."""
        out = self.output_size(height, width, taps)
        tall, wide = taps.values.shape
        top, left = tall - 1 - self.top, wide - 1 - self.left
        bottom = (height - 1) * self.up + tall - top - out[0] * self.down
        right = (width - 1) * self.up + wide - left - out[1] * self.down
        return Resampling(self.down, self.up, top, bottom, left, right)
