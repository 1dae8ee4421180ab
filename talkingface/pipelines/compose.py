"""Several pictures in one frame: source | driving | result, and below them what the renderer did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from .frames import Frame, chunked

COLUMNS = 3


def grid(pictures: Sequence[Frame], columns: int = COLUMNS) -> Frame:
    """Pictures of one size (H, W, 3), row by row, the last row filled up with black.

    Returns:
        (rows H, columns W, 3), uint8.
    """
    black = np.zeros_like(pictures[0])
    rows = [[*row, *[black] * (columns - len(row))] for row in chunked(pictures, columns)]
    return np.concatenate([np.concatenate(row, axis=1) for row in rows], axis=0)


def compose(
    source: Frame, driving: Iterable[Frame], results: Iterable[Frame], inner: Iterable[list[Frame]]
) -> Iterator[Frame]:
    """One frame for each result: source | driving | result, then the renderer's inner pictures in rows of three.

    Args:
        source: (H, W, 3), the same in every frame.
        driving, results, inner: one entry per frame, all of the size of ``source``.
    """
    for frame, result, shown in zip(driving, results, inner, strict=True):
        yield grid([source, frame, result, *shown])
