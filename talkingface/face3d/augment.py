"""Moving a training crop about, with its landmarks: shift, scale, turn and mirror (as Deep3DFaceRecon was trained)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

SHIFT_PX, SCALE_RANGE, TURN_DEGREES = 10, 0.1, 10.0


def _mirror() -> NDArray[np.int64]:
    """For each of 68 points, the one that is at its place in a mirrored face."""
    runs = (range(17), range(17, 27), range(27, 28), range(28, 29), range(29, 30), range(30, 31), range(31, 36))
    order = [index for run in runs for index in reversed(run)]
    order += [45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40]  # eyes change places
    mouth = (range(48, 55), range(55, 60), range(60, 65), range(65, 68))
    return np.array(order + [index for run in mouth for index in reversed(run)])


MIRROR_68 = _mirror()


@dataclass(frozen=True)
class Move:
    """One movement of a picture about its middle: mirror, then shift, then turn, then scale.

    Attributes:
        shift: (x, y) in pixels.
        scale: factor.
        degrees: of the turn; positive turns clockwise as seen.
        mirror: whether left and right change places.
    """

    shift: tuple[int, int] = (0, 0)
    scale: float = 1.0
    degrees: float = 0.0
    mirror: bool = False

    @classmethod
    def draw(cls, random: np.random.Generator) -> Move:
        """A movement within the published ranges."""
        x, y = (int(value) for value in random.integers(-SHIFT_PX, SHIFT_PX + 1, 2))
        scale, turn = random.uniform(-1, 1, 2)
        return cls((x, y), 1 + SCALE_RANGE * scale, TURN_DEGREES * turn, bool(random.random() > 0.5))

    def matrix(self, size: tuple[int, int]) -> Matrix:
        """(3, 3): pixel of the picture -> pixel of the moved picture, y downwards.

        Args:
            size: (height, width).
        """
        height, width = size
        angle = math.radians(self.degrees)
        cos, sin = self.scale * math.cos(angle), self.scale * math.sin(angle)
        about = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
        mirror = np.diag([-1.0 if self.mirror else 1.0, 1, 1])
        middle = (width // 2, height // 2)
        return _shift(*middle) @ about @ _shift(*self.shift) @ mirror @ _shift(-middle[0], -middle[1])

    def landmarks(self, points: NDArray[Any], size: tuple[int, int]) -> Matrix:
        """68 points of the moved picture.

        Args:
            points: (68, 2), pixels, y downwards.
            size: (height, width).
        """
        matrix = self.matrix(size)
        moved: Matrix = points @ matrix[:2, :2].T + matrix[:2, 2]
        return moved[MIRROR_68] if self.mirror else moved


def _shift(x: float, y: float) -> Matrix:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])
