"""Several pictures in one frame: source | driving | result, and below them what the renderer did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from .frames import Frame


def grid(rows: Sequence[Sequence[Frame]]) -> Frame:
    """Rows of pictures of one size (H, W, 3); shorter rows are filled up with black, empty ones left out.

    Returns:
        (rows H, longest row W, 3), uint8.
    """
    columns = max(map(len, rows))
    black = np.zeros_like(rows[0][0])
    filled = [[*row, *[black] * (columns - len(row))] for row in rows if row]
    return np.concatenate([np.concatenate(row, axis=1) for row in filled], axis=0)


def compose(
    source: Frame, driving: Iterable[Frame], results: Iterable[Frame], inner: Iterable[list[Frame]]
) -> Iterator[Frame]:
    """One frame for each result: source | driving | result, and the renderer's inner pictures in a row below.

    Args:
        source: (H, W, 3), the same in every frame.
        driving, results, inner: one entry per frame, all of the size of ``source``.
    """
    for frame, result, shown in zip(driving, results, inner, strict=True):
        yield grid([[source, frame, result], shown])
