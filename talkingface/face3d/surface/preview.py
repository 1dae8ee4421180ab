"""Pictures of reconstructed faces: lit triangles, alone or over the picture they came from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ...errors import ShapeError, UnknownNameError, WeightsError, did_you_mean
from ...face.crop.crop import Crop
from ...media.image import Picture
from ...motion.coefficients import LAYOUT_257, LAYOUT_260, Coefficients, layout_of
from ...paths import default_checkpoint_root
from ...weights import load_catalogue
from ...weights.status import advice
from ..five_points import CROP_SIDE, RESCALE, Pose, align_pose
from ..reconstruction import FRAME, SPACES
from .face_model import FaceModel, illuminate
from .raster import Camera, rasterise, vertex_normals

if TYPE_CHECKING:
    from ..mesh_space import MeshSpace

CLAY = (0.72, 0.70, 0.68)
"""Colour of surfaces that have none of their own."""

BACKGROUND = 32
FINER = 2  # drawn this many times larger and averaged, so that outlines are smooth

# Light from the upper left in front: even, from above, from the front, from the right, and nothing else.
_LIGHT = (-0.25, -0.22, 0.30, 0.14, 0.0, 0.0, 0.0, 0.0, 0.0)


def render(
    vertices: Tensor,
    triangles: Tensor,
    size: tuple[int, int],
    *,
    colours: Tensor | None = None,
    background: Picture | None = None,
) -> Picture:
    """Draw a surface as it lies over a picture.

    Args:
        vertices: (V, 3), pixels of the picture: x, y (downwards), depth in pixels too (smaller is nearer), as the face
            mesh has them. Parts with corners that are not finite are left out.
        triangles: (F, 3), int64, all going round the same way.
        size: (height, width).
        colours: (V, 3), RGB, 0..1, drawn as they are; None draws clay under a lamp.
        background: (H, W, 3), uint8, of ``size``; None takes a dark grey.

    Returns:
        (height, width, 3), RGB, uint8.

    Raises:
        ShapeError: if the background is of another size.
    """
    if background is not None and background.shape[:2] != tuple(size):
        raise ShapeError(f"a background of {background.shape[:2]} for a picture of {tuple(size)}")
    # Pixel centres are at whole numbers in both grids.
    fine = torch.cat([(vertices[:, :2] + 0.5) * FINER - 0.5, vertices[:, 2:3]], -1)
    raster = rasterise(fine, triangles, (size[0] * FINER, size[1] * FINER))
    if colours is None:
        visible = raster.triangle[raster.covered].unique()
        colours = shade(vertices, triangles, visible)
    layers = torch.cat([raster.interpolate(torch.nan_to_num(colours).clamp(0, 1)), raster.covered[..., None]], -1)
    drawn = F.avg_pool2d(layers.permute(2, 0, 1)[None].float(), FINER)[0].permute(1, 2, 0).cpu().numpy()
    under = np.float32(BACKGROUND) if background is None else background.astype(np.float32)
    return np.rint(drawn[..., :3] * 255 + under * (1 - drawn[..., 3:])).astype(np.uint8)


def shade(vertices: Tensor, triangles: Tensor, visible: Tensor) -> Tensor:
    """Colours of a clay surface, (V, 3), for vertices as `render` takes them.

    Args:
        visible: (n,), int64, numbers of the visible triangles. They determine the outer side of the surface, so
            triangles may go round either way.
    """
    upright = vertices * vertices.new_tensor([1.0, -1.0, -1.0])
    normals = vertex_normals(torch.nan_to_num(upright), triangles)
    if float(normals[triangles[visible], 2].sum()) < 0:
        normals = -normals
    clay = vertices.new_tensor(CLAY).expand(1, len(vertices), 3)
    return illuminate(clay, normals[None], vertices.new_tensor(_LIGHT * 3)[None])[0]


def render_model(model: FaceModel, rows: Tensor, crop: Crop, background: Picture) -> Picture:
    """Draw a face of the ``bfm`` space in its own colours and light over its picture.

    Args:
        model: the face model.
        rows: (257,) or (260,), of one frame.
        crop: where the 224 crop lies in the picture (`five_points.Alignment.crop`).
        background: (H, W, 3), RGB, uint8, the picture.
    """
    surface = model.surface(rows[None])
    points = to_picture(surface.seen[0], model.camera, crop)
    size = (background.shape[0], background.shape[1])
    return render(points, model.triangles, size, colours=surface.colour[0], background=background)


def to_picture(points: Tensor, camera: Camera, crop: Crop) -> Tensor:
    """Map points of a camera to the picture that its crop was cut from.

    Args:
        points: (V, 3) of `Camera.see`.

    Returns:
        (V, 3), pixels of the picture and depth, as `render` takes them.
    """
    x, y = camera.project(points).unbind(-1)
    places = torch.stack([x, 2 * camera.center - 1 - y], -1)
    matrix = torch.from_numpy(crop.matrix).to(points)
    return torch.cat([places @ matrix[:2, :2].mT + matrix[:2, 2], points[:, 2:]], -1)


MODEL = "bfm_front"
"""Catalogue entry of the face model of the ``bfm`` space."""


class FaceDrawer(ABC):
    """Draws rows, each at the place that its coefficients give.

    Attributes:
        space: of the rows.
    """

    space: str

    @abstractmethod
    def draw(self, row: NDArray[np.float32], background: Picture | None = None, *, size: int = FRAME) -> Picture:
        """Draw the face of one frame.

        Args:
            row: (260,), laid out as `coefficients.LAYOUT_260`.
            background: (size, size, 3), RGB, uint8, the picture that the row was read from; None takes a dark grey.
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
    """Open the drawer of a space.

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
        from ..mesh_space import shipped_space

        return MeshDrawer(shipped_space())
    root = root or default_checkpoint_root()
    entry = load_catalogue()[MODEL]
    path = entry.path(root)
    if not path.is_file():
        raise WeightsError(f"drawing faces of the bfm space needs {path}", cure=advice(entry, root))
    return ModelDrawer(FaceModel.load(path).to(device))
