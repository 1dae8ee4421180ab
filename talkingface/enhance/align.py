"""Where a restorer wants to see a face: 512 x 512 pixels, eyes, nose and mouth at fixed places."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..face.crop import Crop
from ..face.face import Points
from ..face.sample import Matrix

SIDE = 512  # pixels of the aligned face
SMALLEST = 5.0  # pixels between the eyes; smaller faces say nothing of what they were

# Mean places of eyes, nose tip and mouth corners in the pictures that the published restorers were trained with (FFHQ
# at 512 x 512), the eye and the corner on the left of the picture first.
TEMPLATE: NDArray[np.float64] = np.array(
    [
        [192.98138, 239.94708],
        [318.90277, 240.1936],
        [256.63416, 314.01935],
        [201.26117, 371.41043],
        [313.08905, 371.15118],
    ]
)
_LEFT_EYE, _RIGHT_EYE, _NOSE_TIP, _MOUTH_CORNERS = slice(36, 42), slice(42, 48), 30, (48, 54)


def five_of(landmarks: Points) -> Points:
    """Middles of the eyes, nose tip and mouth corners, (5, 2), of 68 landmarks (68, 2)."""
    eyes = landmarks[_LEFT_EYE].mean(0), landmarks[_RIGHT_EYE].mean(0)
    mouth = (landmarks[corner] for corner in _MOUTH_CORNERS)
    return np.stack([*eyes, landmarks[_NOSE_TIP], *mouth]).astype(np.float32)


def is_large_enough(five: Points) -> bool:
    """Whether there is enough of a face to be restored."""
    return bool(np.hypot(*(five[1] - five[0])) >= SMALLEST)


def aligned_crop(five: Points) -> Crop:
    """The part of a picture that shows a face as restorers want it: turned, scaled and moved, never skewed.

    Args:
        five: (5, 2), eyes, nose tip and mouth corners in the picture, not all at one place.

    Returns:
        A crop of (512, 512); it may leave the picture.
    """
    to_template = similarity(np.asarray(five, np.float64), TEMPLATE)
    return Crop(np.asarray(np.linalg.inv(to_template), np.float64), (SIDE, SIDE))


def similarity(points: NDArray[np.float64], wanted: NDArray[np.float64]) -> Matrix:
    """The turn, scale and shift, (3, 3), that takes points (n, 2) nearest to those wanted (least squares)."""
    old, new = points @ (1, 1j), wanted @ (1, 1j)
    old_mean, new_mean = old.mean(), new.mean()
    factor = np.vdot(old - old_mean, new - new_mean) / np.vdot(old - old_mean, old - old_mean).real
    shift = new_mean - factor * old_mean
    a, b = factor.real, factor.imag
    return np.array([[a, -b, shift.real], [b, a, shift.imag], [0.0, 0.0, 1.0]])
