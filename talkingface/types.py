"""Values that travel between the layers.

One convention at every border: RGB; pictures are (H, W, 3) uint8 outside the pipeline and (N, 3, H, W) float in [0, 1]
inside; points are (x, y); time is an exact fraction of a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from .errors import MotionError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Square:
    """A square part of a picture, in pixels: its left and top edge and its side; it lies inside the picture."""

    left: int
    top: int
    side: int


@dataclass(frozen=True)
class Source:
    """The picture to animate, as the renderer sees it.

    Attributes:
        image: (1, 3, H, W), RGB, [0, 1].
        coefficients: (1, 73), float32, of the face in the picture, in the renderer's space; None for renderers that
            take no coefficients.
        identity: (1, 80), float32, who it is, in the same space; None where the coefficients are.
    """

    image: Tensor
    coefficients: Tensor | None = None
    identity: Tensor | None = None


@dataclass(frozen=True)
class Motion:
    """What moves, frame by frame, without any picture.

    Attributes:
        kind: layout of the values, for example ``"fom.kp10"``.
        fps: frames per second, exact.
        values: name -> (T, ...) tensor; all have the same T.
        space: what the numbers mean where a kind has several spaces (``"bfm"``, ``"mesh"``, or a word for the weights
            where these invent their own); ``""`` where it has one.
    """

    kind: str
    fps: Fraction
    values: Mapping[str, Tensor] = field(default_factory=dict)
    space: str = ""

    def __post_init__(self) -> None:
        lengths = {name: len(value) for name, value in self.values.items()}
        if len(set(lengths.values())) > 1:
            raise MotionError(f"values of a motion differ in length: {lengths}", where=self.kind)

    def __len__(self) -> int:
        return len(next(iter(self.values.values()))) if self.values else 0

    def __getitem__(self, frames: slice) -> Motion:
        """The motion of some frames; the rate stays."""
        return Motion(self.kind, self.fps, {name: value[frames] for name, value in self.values.items()}, self.space)
