"""Several pictures in one frame: source | driving | result, and below them what the renderer did."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..media.image import resize
from .frames import Frame


def grid(rows: Sequence[Sequence[Frame]]) -> Frame:
    """Rows of pictures (H, W, 3); shorter rows and lower pictures are filled up with black, empty rows left out.

    Returns:
        (sum of the rows' heights, width of the longest row, 3), uint8.
    """
    lines = [_line(row) for row in rows if row]
    width = max(line.shape[1] for line in lines)
    return np.concatenate([_filled(line, line.shape[0], width) for line in lines], axis=0)


def side_by_side(source: Frame, driving: Sequence[Frame], result: Frame) -> list[Frame]:
    """Source, driving and result as a row of one height, that of the result.

    Args:
        source, result: (H, W, 3).
        driving: of any size, one for each driver; none for saved motions.
    """
    height = result.shape[0]
    return [source, *(_of_height(frame, height) for frame in driving), result]


def _line(row: Sequence[Frame]) -> Frame:
    height = max(picture.shape[0] for picture in row)
    return np.concatenate([_filled(picture, height, picture.shape[1]) for picture in row], axis=1)


def _filled(picture: Frame, height: int, width: int) -> Frame:
    down, across = height - picture.shape[0], width - picture.shape[1]
    return np.pad(picture, ((0, down), (0, across), (0, 0))) if down or across else picture


def _of_height(frame: Frame, height: int) -> Frame:
    return resize(frame, (height, max(1, round(frame.shape[1] * height / frame.shape[0]))))
