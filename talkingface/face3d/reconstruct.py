"""From faces in pictures to rows of coefficients: the protocol of all reconstructors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..face.face import Face
from ..media.image import Picture


class Reconstructor(ABC):
    """Gives the coefficients of faces.

    Attributes:
        space: what the numbers mean: ``"bfm"`` or ``"mesh"``. A motion carries it, and spaces are never mixed.
        label: one line for the user: which reconstructor it is, and with which weights.
    """

    space: str
    label: str

    @abstractmethod
    def rows(self, pictures: Sequence[Picture], faces: Sequence[Face]) -> NDArray[np.float32]:
        """Coefficients of one face in each picture.

        Args:
            pictures: (H, W, 3), RGB, uint8, square (the crop parameters are those of a 256 frame, and a picture that
                is not square would be squeezed into it).
            faces: the face in each picture, in its pixels.

        Returns:
            (n, 260), laid out as `coefficients.LAYOUT_260`.

        Raises:
            ShapeError: if a picture is not square, or a face lacks the points that are needed.
        """
