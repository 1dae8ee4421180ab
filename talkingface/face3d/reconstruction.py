"""From faces in pictures to rows of coefficients: the interface of all reconstructors, and the choice between them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError, UnknownNameError, WeightsError, did_you_mean
from ..face.face import Face
from ..media.image import Picture
from ..paths import default_checkpoint_root

SPACES = ("bfm", "mesh")
FRAME = 256
"""Side of the frame in which crop parameters are counted, whatever the size of the picture."""


class Reconstructor(ABC):
    """Gives the coefficients of faces.

    Attributes:
        space: of the coefficients: ``"bfm"`` or ``"mesh"``. A motion carries it, and spaces are never mixed.
        label: one line for the user: the reconstructor and its weights.
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

    @abstractmethod
    def fingerprint(self) -> str:
        """Digest that identifies the weights."""

    def for_clip(self, faces: Sequence[Face], size: int) -> Reconstructor:
        """Return a reconstructor for a clip of one person, which may fit that person better.

        Args:
            faces: of all frames, or of some that show the person well.
            size: side of the square frames, in pixels.
        """
        return self


def check_square(picture: Picture) -> None:
    """Refuse a picture (H, W, 3) that would be squeezed into the frame.

    Raises:
        ShapeError: if its sides differ.
    """
    height, width = picture.shape[:2]
    if height != width:
        raise ShapeError(
            f"a picture of {width}x{height} is not square",
            cure="Cut a square around the face first, as talkingface.face.crop.crop.square_crop does.",
        )


def open_reconstructor(space: str = "auto", *, root: Path | None = None, device: str = "cpu") -> Reconstructor:
    """Open a reconstructor, named by its label.

    Args:
        space: ``"bfm"`` (the published network), ``"mesh"`` (ours, from the points of the face mesh), or ``"auto"``:
            bfm where its files are, else mesh.
        root: folder of the weights that the user adds; None takes the usual one.
        device: where networks run.

    Raises:
        UnknownNameError: if there is no such space.
        WeightsError: if a file of the space that was asked for is missing or damaged.
    """
    from .deep import DeepReconstructor, find_files

    if space not in ("auto", *SPACES):
        raise UnknownNameError(f"no space {space!r}", where="space", cure=did_you_mean(space, ("auto", *SPACES)))
    if space == "mesh":
        return _open_mesh("coefficients: mesh space, ours")
    try:
        files = find_files(root or default_checkpoint_root())
    except WeightsError as error:
        if space == "bfm":
            raise
        return _open_mesh(f"coefficients: mesh space, ours ({error.what})")
    return DeepReconstructor.open(files, device=device)


def _open_mesh(label: str) -> Reconstructor:
    from .mesh_space import MeshReconstructor

    reconstructor = MeshReconstructor()
    reconstructor.label = label
    return reconstructor
