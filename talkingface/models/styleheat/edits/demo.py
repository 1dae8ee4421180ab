"""The published intuitive edit: without a driver, the head turns each way and the face tries a few expressions."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType

import torch
from torch import Tensor

from ....errors import WeightsError
from ....motion.columns import ROW_73
from ....motion.edits import expression_track, rotation_track
from ....types import Motion
from ..retarget import KIND

FPS = Fraction(25)
POSE = slice(ROW_73.angles.start, ROW_73.translation.stop)
EXPRESSIONS = ("center", "mouth", "eyebrow", "eyes")

MESH_EXPRESSIONS: Mapping[str, Mapping[int, float]] = MappingProxyType(
    {"center": {}, "mouth": {0: -2.5}, "eyebrow": {3: -2.5}, "eyes": {2: -2.0, 3: -1.5, 5: -2.0, 7: -3.0}}
)
"""Which coefficients of the shipped ``"mesh"`` space open the mouth, raise the brows and close the eyes, by looking."""


def mesh_expressions() -> dict[str, Tensor]:
    """The expressions in the space ``"mesh"``, each (64,)."""
    found = {}
    for name, parts in MESH_EXPRESSIONS.items():
        found[name] = torch.zeros(ROW_73.expression.stop)
        for column, value in parts.items():
            found[name][column] = value
    return found


def published_expressions(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The expressions of the published file, each (64,), in the space ``"bfm"``.

    Raises:
        WeightsError: if one is missing.
    """
    missing = [name for name in EXPRESSIONS if f"expression_{name}" not in state]
    if missing:
        raise WeightsError(f"lacks {', '.join(missing)}", where="styleheat_expressions")
    return {name: state[f"expression_{name}"].float().reshape(-1) for name in EXPRESSIONS}


def tour(source: Motion, expressions: Mapping[str, Tensor]) -> Motion:
    """The head turned each way and back, then one expression after another; 190 frames.

    In the space ``"bfm"`` the head goes to the published poses, translation included; in others the translation stays,
    as it means something else there. In the second part the head rests where the first one ended.

    Args:
        source: one frame of kind ``"3dmm.73"``.
        expressions: `EXPRESSIONS`, each (64,).
    """
    row = source.values["coefficients"].float()
    poses = rotation_track()
    turning = row.repeat(len(poses), 1)
    columns = POSE if source.space == "bfm" else ROW_73.angles
    turning[:, columns] = poses[:, : columns.stop - columns.start]
    faces = expression_track(row[0, ROW_73.expression], expressions)
    trying = turning[-1:].repeat(len(faces), 1)
    trying[:, ROW_73.expression] = faces
    return Motion(KIND, FPS, {"coefficients": torch.cat([turning, trying])}, source.space)
