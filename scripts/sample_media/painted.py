"""Made-up heads, painted by code: other people beside the portrait, so that the sample has several people."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .face import CANVAS, Array, Face, Opening, curve
from .painter import EYE_Y, JAW, MIDDLE, MOUTH_Y, NOSE_Y, Look, Painter

_WIDTH = 196.0


LOOKS = (
    Look((0.80, 0.60, 0.49), (0.70, 0.40, 0.38), (0.17, 0.11, 0.08), (0.30, 0.42, 0.52), (0.24, 0.34, 0.46),
         (0.55, 0.58, 0.55), 1.05, 272, 205, 8.5, 11),
    Look((0.52, 0.35, 0.26), (0.50, 0.25, 0.24), (0.07, 0.055, 0.05), (0.24, 0.14, 0.08), (0.62, 0.56, 0.46),
         (0.40, 0.46, 0.56), 0.96, 400, 300, 6.5, 12),
    Look((0.88, 0.70, 0.60), (0.78, 0.42, 0.42), (0.50, 0.33, 0.16), (0.32, 0.44, 0.30), (0.52, 0.22, 0.26),
         (0.62, 0.60, 0.54), 0.93, 430, 235, 5.5, 13),
    Look((0.38, 0.25, 0.19), (0.42, 0.20, 0.20), (0.05, 0.04, 0.04), (0.16, 0.10, 0.07), (0.20, 0.42, 0.34),
         (0.52, 0.48, 0.56), 1.08, 262, 270, 8.0, 14),
    Look((0.70, 0.52, 0.38), (0.62, 0.33, 0.30), (0.30, 0.29, 0.29), (0.26, 0.20, 0.14), (0.16, 0.18, 0.22),
         (0.46, 0.56, 0.52), 1.02, 285, 320, 7.5, 15),
    Look((0.84, 0.65, 0.50), (0.74, 0.34, 0.36), (0.42, 0.16, 0.09), (0.24, 0.36, 0.36), (0.70, 0.66, 0.40),
         (0.42, 0.44, 0.50), 0.99, 360, 215, 6.0, 16),
)  # fmt: skip


def painted(look: Look) -> Face:
    """The head on the canvas, facing the viewer, lips closed."""
    eyes = (_eye(MIDDLE - 45), _eye(MIDDLE + 45))
    mouth = Opening(_bow(MOUTH_Y, 35, [0, 1.2, 0.2, 1.2, 0]), _bow(MOUTH_Y, 35, [0, 2.2, 2.4, 2.2, 0]))
    chin_y = np.array([355, 380, 405, 421, 432])
    half = curve(JAW)(chin_y) * look.jaw
    chin = np.concatenate([np.stack([MIDDLE - half, chin_y], 1), np.stack([MIDDLE + half, chin_y], 1)[::-1]])
    face = Face(
        image=np.zeros((CANVAS, CANVAS, 3), np.float32),
        width=_WIDTH,
        eyes=eyes,
        mouth=mouth,
        lip_upper=_bow(MOUTH_Y, 38, [0, -8, -7, -8, 0]),
        lip_lower=_bow(MOUTH_Y, 38, [0, 11, 14.5, 11, 0]),
        chin=chin,
        nose_tip=np.array([MIDDLE, NOSE_Y - 8]),
        nose_base=NOSE_Y + 6,
        brow=EYE_Y - 28,
        head_center=np.array([MIDDLE, 246.0]),
        head_radii=np.array([148.0, 186.0]),
        teeth=False,
    )
    return replace(face, image=Painter(face, look).paint().astype(np.float32))


def _eye(x: float) -> Opening:
    columns = x + np.array([-22.0, -14, -5, 5, 14, 22])
    upper = EYE_Y + np.array([1.0, -6.5, -9.5, -9, -5.5, 1.5])
    lower = EYE_Y + np.array([1.0, 4.0, 6.2, 6.2, 4.4, 1.5])
    return Opening(np.stack([columns, upper], 1), np.stack([columns, lower], 1))


def _bow(y: float, half_width: float, heights: list[float]) -> Array:
    x = MIDDLE + half_width * np.linspace(-1, 1, len(heights))
    return np.stack([x, y + np.array(heights)], axis=1)
