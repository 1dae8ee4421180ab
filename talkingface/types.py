"""Values that the layers exchange.

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
    """Square inside a picture: its left and top edge and its side, in pixels."""

    left: int
    top: int
    side: int


@dataclass(frozen=True)
class Source:
    """Source picture of an animation, as the renderer takes it.

    Attributes:
        image: (1, 3, H, W), RGB, [0, 1].
        coefficients: (1, 73), float32, coefficients of the face in the renderer's space; None for renderers that take
            no coefficients.
        identity: (1, 80), float32, identity coefficients in the same space; None if there are no coefficients.
    """

    image: Tensor
    coefficients: Tensor | None = None
    identity: Tensor | None = None


@dataclass(frozen=True)
class Motion:
    """Motion of T frames, independent of any picture.

    Attributes:
        kind: layout of the values, for example ``"fom.kp10"``.
        fps: frames per second, exact.
        values: name -> (T, ...) tensor; all have the same T.
        space: space of the values if a kind has several (``"bfm"``, ``"mesh"``, or a name for the weights if these have
            a space of their own); ``""`` if it has one.
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
        """Motion of a range of frames, at the same rate."""
        return Motion(self.kind, self.fps, {name: value[frames] for name, value in self.values.items()}, self.space)
