"""Draws the faces that rows of coefficients describe, in either space: what ``--face3dvis`` shows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import UnknownNameError, WeightsError, did_you_mean
from ..face.crop.crop import Crop
from ..media.image import Picture
from ..paths import default_checkpoint_root
from ..weights import load_catalogue
from ..weights.locate import advice
from .coefficients import LAYOUT_257, LAYOUT_260, Coefficients, layout_of
from .face_model import FaceModel
from .five_points import CROP_SIDE, RESCALE, Pose, align_pose
from .preview import BACKGROUND, render, render_model
from .reconstruct import FRAME, SPACES

if TYPE_CHECKING:
    from .mesh_space import MeshSpace

MODEL = "bfm_front"
"""Catalogue entry of the face model of the ``bfm`` space."""


class FaceDrawer(ABC):
    """Draws rows, each at the place that its numbers say.

    Attributes:
        space: of the rows.
    """

    space: str

    @abstractmethod
    def draw(self, row: NDArray[np.float32], background: Picture | None = None, *, size: int = FRAME) -> Picture:
        """The face of one frame.

        Args:
            row: (260,), laid out as `coefficients.LAYOUT_260`.
            background: (size, size, 3), RGB, uint8, the picture that the row was read off; None takes a dark grey.
            size: side of the result in pixels.

        Returns:
            (size, size, 3), RGB, uint8.

        Raises:
            ShapeError: if the row or the background has another size.
        """


class MeshDrawer(FaceDrawer):
    """Draws rows of the ``mesh`` space as clay."""

    space = "mesh"

    def __init__(self, model: MeshSpace) -> None:
        self._model, self._triangles = model, torch.from_numpy(model.triangles)

    def draw(self, row: NDArray[np.float32], background: Picture | None = None, *, size: int = FRAME) -> Picture:
        layout_of(row, where="a row to draw", allowed=[LAYOUT_260.width])
        vertices = torch.from_numpy(self._model.decode(row[None], size=size)[0])
        return render(vertices, self._triangles, (size, size), background=background)


class ModelDrawer(FaceDrawer):
    """Draws rows of the ``bfm`` space in their own colours and light.

    Args:
        model: the face model; it may be on any device.
    """

    space = "bfm"

    def __init__(self, model: FaceModel) -> None:
        self._model = model.eval()

    @torch.inference_mode()
    def draw(self, row: NDArray[np.float32], background: Picture | None = None, *, size: int = FRAME) -> Picture:
        layout_of(row, where="a row to draw", allowed=[LAYOUT_260.width])
        scale, t_x, t_y = (float(value) for value in Coefficients(row).crop)
        placed = align_pose(Pose(RESCALE / scale, t_x, t_y), (FRAME, FRAME), size=CROP_SIDE, rescale=RESCALE)
        if background is None:
            background = np.full((size, size, 3), BACKGROUND, np.uint8)
        numbers = torch.from_numpy(np.asarray(row[: LAYOUT_257.width], np.float32)).to(self._model.mean_shape.device)
        return render_model(self._model, numbers, _in_picture(placed.crop, size), background)


def _in_picture(crop: Crop, size: int) -> Crop:
    """A crop of a 256 frame as one of that frame at another size."""
    frame = Crop.whole((size, size), (FRAME, FRAME))
    return Crop(frame.matrix @ crop.matrix, crop.size)


def open_drawer(space: str, *, root: Path | None = None, device: str = "cpu") -> FaceDrawer:
    """Open what draws the rows of a space.

    Args:
        space: ``"bfm"``, which needs the user's own face model, or ``"mesh"``.
        root: folder of the weights that the user adds; None takes the usual one.
        device: where the face model is.

    Raises:
        UnknownNameError: if there is no such space.
        WeightsError: if the face model is missing or damaged.
    """
    if space not in SPACES:
        raise UnknownNameError(f"no space {space!r}", where="space", cure=did_you_mean(space, SPACES))
    if space == "mesh":
        from .mesh_space import shipped_space

        return MeshDrawer(shipped_space())
    root = root or default_checkpoint_root()
    entry = load_catalogue()[MODEL]
    path = entry.path(root)
    if not path.is_file():
        raise WeightsError(f"drawing faces of the bfm space needs {path}", cure=advice(entry, root))
    return ModelDrawer(FaceModel.load(path).to(device))
