"""What the resampling needs to know of a filter, worked out once for each filter tensor."""

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
    """A filter as a sum of separable ones.

    Attributes:
        values: (height, width) as given; it slides FLIPPED over the picture, as in a true convolution.
    """

    values: Floats

    @cached_property
    def factors(self) -> tuple[Floats, Floats]:
        """(rank, height) and (rank, width) in sliding order; their outer products add up to the flipped filter."""
        left, sizes, right = np.linalg.svd(np.flip(self.values))
        rank = max(1, int(np.sum(sizes > _SAME * sizes[0])))
        return np.ascontiguousarray((left[:, :rank] * sizes[:rank]).T), np.ascontiguousarray(right[:rank])

    @cached_property
    def flipped(self) -> Taps:
        """The same filter turned by half a turn, as derivatives need it."""
        return Taps(np.ascontiguousarray(np.flip(self.values)))


def taps_of(kernel: Tensor) -> Taps:
    """The numbers of a filter (height, width); remembered until the tensor changes or goes.

    Reading them from a GPU waits for it, which is another reason to do so once.

    Raises:
        ShapeError: if it has not two axes or is empty.
    """
    if kernel.ndim != 2 or kernel.numel() == 0:
        raise ShapeError(f"a filter is (height, width), not {tuple(kernel.shape)}")
    if kernel.is_inference():  # these count no changes
        return _read(kernel)
    version, taps = _known.get(kernel, (None, None))
    if taps is None or version != kernel._version:
        taps = _read(kernel)
        _known[kernel] = (kernel._version, taps)
    return taps


def _read(kernel: Tensor) -> Taps:
    return Taps(kernel.detach().cpu().double().numpy().copy())
