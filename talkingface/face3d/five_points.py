"""Five points of a face, the pose that follows from them, and the 224 crop for the reconstruction network.

The eyes, the nose tip and the mouth corners are fitted to five standard points in space; scale and shift of the fit
determine the crop (Deng et al. 2019, section 5.1). Scale and shift are also the three crop numbers of a row of
coefficients. The published code counts y upwards from the lowest row; here only internals and t_y do.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import ShapeError
from ..face.crop.crop import Crop
from ..media.image import Picture
from ..weights.files.matlab import read_mat

Points = NDArray[np.float64]

CROP_SIDE = 224
RESCALE = 102.0
"""Pixels of the crop for one unit of the standard points (0.1 m)."""

MEASURED: Points = np.array(
    [[-0.310, 0.335, 0.175], [0.310, 0.335, 0.175], [0, -0.002, 0.570], [-0.254, -0.334, 0.175], [0.254, -0.334, 0.175]]
)
"""Five standard points of our own: left eye, right eye (as seen), nose tip, mouth corners; x right, y up, z to the
camera.

Mean of the face mesh over 68 people in talking clips, made symmetrical, in units of 0.1 m if eyes are 62 mm apart.
The origin is half way between eyes and mouth, 17.5 mm behind them. The network of the ``bfm`` space was trained with
points of the Basel model instead, which come from the user's own files: see `load_standard`."""

_EYES = ((36, 39), (42, 45))  # corners of the left and of the right eye, of 68 points counted from 0
_NOSE_TIP, _MOUTH = 30, (48, 54)


def five_points(landmarks: NDArray[Any]) -> NDArray[Any]:
    """Left eye, right eye (as seen), nose tip, left and right mouth corner.

    Args:
        landmarks: (68, D); five points (5, D) are returned unchanged.

    Returns:
        (5, D).

    Raises:
        ShapeError: if there are neither 68 nor 5 points.
    """
    if len(landmarks) == 5:
        return landmarks
    if len(landmarks) != 68:
        raise ShapeError(f"{len(landmarks)} points of a face are given; wanted 68 or 5")
    eyes = [landmarks[list(corners)].mean(0) for corners in _EYES]
    return np.stack([*eyes, landmarks[_NOSE_TIP], *landmarks[list(_MOUTH)]])


def load_standard(path: Path) -> Points:
    """Five standard points of the ``bfm`` space, from the published ``similarity_Lm3D_all.mat``.

    Returns:
        (5, 3), laid out as `MEASURED`.

    Raises:
        WeightsError: if the file is missing, damaged or has no array ``lm``.
        ShapeError: if that is not (68, 3).
    """
    points = read_mat(path, ["lm"])["lm"]
    if points.shape != (68, 3):
        raise ShapeError(f"'lm' is {points.shape}, not (68, 3)", where=path)
    return five_points(points.astype(np.float64))


@dataclass(frozen=True)
class Pose:
    """Weak perspective: size of the standard points in the picture, and place of their origin.

    Attributes:
        scale: pixels for one unit of the standard points.
        t_x, t_y: the origin in the picture, in pixels; y counts upwards from the lowest row of pixel centres.
    """

    scale: float
    t_x: float
    t_y: float


def fit_pose(points_up: NDArray[Any], standard: Points) -> Pose:
    """Least squares of x = R1 X + t_x and y = R2 X + t_y, without the constraint that R1 and R2 are rows of a rotation.

    Args:
        points_up: (5, 2) in the picture, y upwards.
        standard: (5, 3).

    Source: Bas et al. 2016, "Fitting a 3D morphable model to edges", equation 7, without its refinement.
    """
    system = np.column_stack([standard, np.ones(len(standard))])
    solution, *_ = np.linalg.lstsq(system, np.asarray(points_up, np.float64), rcond=None)
    scale = float(np.linalg.norm(solution[:3], axis=0).mean())
    return Pose(scale, *(float(shift) for shift in solution[3]))


@dataclass(frozen=True)
class Alignment:
    """Crop of a face: the picture is resized, then a square is cut out of it.

    Attributes:
        picture_size: (height, width) of the picture.
        pose: of the five points.
        size: side of the crop in pixels.
        scale: crop pixels for one pixel of the picture.
        resized: (height, width) of the picture after resizing, in whole pixels.
        left, top: the crop's corner in the resized picture; it may lie outside.
    """

    picture_size: tuple[int, int]
    pose: Pose
    size: int
    scale: float
    resized: tuple[int, int]
    left: int
    top: int

    @property
    def parameters(self) -> NDArray[np.float32]:
        """The crop numbers of a row of coefficients: (scale, t_x, t_y)."""
        return np.array([self.scale, self.pose.t_x, self.pose.t_y], np.float32)

    @property
    def crop(self) -> Crop:
        """The same place as a matrix from crop pixels to picture pixels, for cutting and pasting back."""
        (height, width), (tall, wide) = self.picture_size, self.resized
        across, down = width / wide, height / tall
        left, top = (self.left + 0.5) * across - 0.5, (self.top + 0.5) * down - 0.5
        return Crop(np.array([[across, 0, left], [0, down, top], [0, 0, 1.0]]), (self.size, self.size))

    def cut(self, picture: Picture) -> Picture:
        """The crop as the network was trained on it: bicubic, black outside.

        Args:
            picture: (H, W, 3), RGB, uint8, of `picture_size`.

        Returns:
            (size, size, 3), RGB, uint8.
        """
        if picture.shape[:2] != self.picture_size:
            raise ShapeError(f"a picture of {picture.shape[:2]} was aligned as one of {self.picture_size}")
        (height, width), (tall, wide) = self.picture_size, self.resized
        left, top = max(self.left, 0), max(self.top, 0)
        right, bottom = min(self.left + self.size, wide), min(self.top + self.size, tall)
        out = np.zeros((self.size, self.size, 3), np.uint8)
        if left < right and top < bottom:
            # The same numbers as cutting a picture that was resized as a whole, which may be huge for a small face.
            box = (left * width / wide, top * height / tall, right * width / wide, bottom * height / tall)
            size = (right - left, bottom - top)
            resized = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC, box=box))
            out[top - self.top : bottom - self.top, left - self.left : right - self.left] = resized
        return out

    def landmarks(self, points: NDArray[Any]) -> NDArray[Any]:
        """Points in the crop as the published code gives them to its losses.

        It neglects what is lost by cutting at whole pixels, so it is up to a pixel off; `crop.to_crop` is exact.

        Args:
            points: (n, 2) in the picture, y downwards.

        Returns:
            (n, 2) in the crop, y downwards.
        """
        height, width = self.picture_size
        tall, wide = self.resized
        x = (points[:, 0] - self.pose.t_x + width / 2) * self.scale - (wide / 2 - self.size / 2)
        y = (height - 1 - points[:, 1] - self.pose.t_y + height / 2) * self.scale - (tall / 2 - self.size / 2)
        return np.stack([x, self.size - 1 - y], axis=1)


def align(
    landmarks: NDArray[Any],
    picture_size: tuple[int, int],
    standard: Points = MEASURED,
    *,
    size: int = CROP_SIDE,
    rescale: float = RESCALE,
) -> Alignment:
    """Crop that gives a face the place and size that the reconstruction network expects.

    Args:
        landmarks: (68, 2) or (5, 2), pixels of the picture, y downwards.
        picture_size: (height, width).
        standard: (5, 3), the standard points of the space.
        size: side of the crop.
        rescale: pixels of the crop for one unit of the standard points.

    Raises:
        ShapeError: if the points are not 68 or 5, or all lie in one place.
    """
    up = np.array(five_points(landmarks), np.float64)
    up[:, 1] = picture_size[0] - 1 - up[:, 1]
    return align_pose(fit_pose(up, standard), picture_size, size=size, rescale=rescale)


def align_pose(pose: Pose, picture_size: tuple[int, int], *, size: int, rescale: float) -> Alignment:
    """The crop of a pose; see `align`."""
    if not pose.scale > 1e-6:
        raise ShapeError("the points of the face lie in one place, or are not numbers")
    height, width = picture_size
    # A face exactly as large as the standard points makes whole pixels, and rounding in LAPACK, which differs from one
    # processor to the next, would add or remove one pixel. It is removed, as in the recorded case.
    scale = rescale / pose.scale * (1 - 1e-12)
    wide, tall = int(width * scale), int(height * scale)
    if min(wide, tall) < 1:
        raise ShapeError(f"the face is {1 / scale:.0f} times larger than it should be in a picture of {width}x{height}")
    left = int(wide / 2 - size / 2 + (pose.t_x - width / 2) * scale)
    top = int(tall / 2 - size / 2 + (height / 2 - pose.t_y) * scale)
    return Alignment(picture_size, pose, size, scale, (tall, wide), left, top)
