"""Which columns of a coefficient row hold what, for the edits of a motion.

Face models are not known here: the layouts alone are enough to move numbers about.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Columns:
    """Columns of a row that the edits of a motion touch.

    Attributes:
        expression: weights of expression directions.
        angles: pitch, yaw, roll in radians.
        translation: shift of the head.
        crop: scale, t_x, t_y of the five-point alignment in a 256 frame.
    """

    expression: slice
    angles: slice
    translation: slice
    crop: slice


ROW_73 = Columns(slice(0, 64), slice(64, 67), slice(67, 70), slice(70, 73))
"""What StyleHEAT's warper takes, the rows of a motion of kind ``"3dmm.73"``."""

ROW_260 = Columns(slice(80, 144), slice(224, 227), slice(254, 257), slice(257, 260))
"""What StyleHEAT's training data holds: 257 network coefficients and the crop."""
