"""Smoothing of tracked points with look-ahead: still faces stop trembling, and quick movements are not delayed.

Every value is a mean of a strongly smoothed path and of the measured one. Both are without delay (symmetric kernels),
and the weight depends on how far they lie apart: where that is about what the landmark network trembles by, the smooth
path wins; where it is far more, something moved (a blink, a lip, the head), and the measured one does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

# Of the face's side. Measured: clean clips tremble by 0.001, noisy ones by 0.003. At 0.003 talking mouths
# keep 98 % of their movement and blinks 97 % of their depth, while a still face trembles a third as much; at 0.006, 96
# and 92 %. Boxes hold no blinks.
TREMBLE, BOX_TREMBLE = 0.003, 0.01
AT_ONCE = 32  # points
NEAR = 1.0  # frames over which the distance of the two paths is averaged


def smooth(
    values: NDArray[np.floating], sides: NDArray[np.floating], frames: float, tremble: float = TREMBLE
) -> NDArray[np.float32]:
    """Smooth paths of points.

    Args:
        values: (T, N, C) pixels: N points over T frames.
        sides: (T,) side of the face in pixels; distances count relative to it.
        frames: standard deviation of the strong smoothing, in frames; 0 leaves the values as they are.
        tremble: distance of the two paths, as part of the side, at which both count the same.

    Returns:
        (T, N, C).
    """
    if frames <= 0 or len(values) < 3:
        return values.astype(np.float32)
    smoothed = np.empty(values.shape, np.float32)
    # Points are smoothed each by itself. A few at a time, in double precision, take little memory beside all of them.
    for start in range(0, values.shape[1], AT_ONCE):
        part = slice(start, start + AT_ONCE)
        smoothed[:, part] = _smooth(values[:, part].astype(np.float64), sides, frames, tremble)
    return smoothed


def _smooth(
    measured: NDArray[np.float64], sides: NDArray[np.floating], frames: float, tremble: float
) -> NDArray[np.float64]:
    calm = _mean_path(measured, frames)
    apart = ((calm - measured) ** 2).sum(axis=2) / np.square(np.maximum(sides, 1.0))[:, None]
    apart = gaussian_filter1d(apart, NEAR, axis=0, mode="nearest")
    weight = 1 / (1 + apart / tremble**2)
    smoothed: NDArray[np.float64] = measured + weight[..., None] * (calm - measured)
    return smoothed


def smooth_boxes(boxes: NDArray[np.floating], frames: float) -> NDArray[np.float32]:
    """Smooth boxes (T, 4): left, top, right, bottom; edges move as two points would."""
    sides = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    return smooth(boxes.reshape(-1, 2, 2), sides, frames, BOX_TREMBLE).reshape(-1, 4)


def fill_gaps(values: NDArray[np.floating], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Values (T, ...) with the unknown frames on straight lines between the known ones around them."""
    if known.all():
        return values.astype(np.float32, copy=False)
    frames = np.flatnonzero(known)
    wanted = np.arange(len(values))
    after = np.searchsorted(frames, wanted).clip(1, max(len(frames) - 1, 1))
    low, high = frames[after - 1], frames[after.clip(max=len(frames) - 1)]
    share = ((wanted - low) / np.maximum(high - low, 1)).clip(0, 1).reshape(-1, *[1] * (values.ndim - 1))
    return ((1 - share) * values[low] + share * values[high]).astype(np.float32)


def _mean_path(values: NDArray[np.float64], frames: float) -> NDArray[np.float64]:
    """Gaussian means over time. Beyond its ends the path goes on as its mirror image, so that even motion stays."""
    reach = int(np.ceil(3 * frames))
    padded = np.pad(values, ((reach, reach), (0, 0), (0, 0)), mode="reflect", reflect_type="odd")
    return gaussian_filter1d(padded, frames, axis=0, truncate=3.0)[reach : reach + len(values)]
