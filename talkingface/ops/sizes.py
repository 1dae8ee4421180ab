"""How pictures are resampled, and how large they become."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import ShapeError
from .taps import Taps


@dataclass(frozen=True)
class Resampling:
    """Insert ``up - 1`` zeros after each sample, pad (negative: cut), filter, keep every `down`-th sample from 0."""

    up: int
    down: int
    top: int
    bottom: int
    left: int
    right: int

    def output_size(self, height: int, width: int, taps: Taps) -> tuple[int, int]:
        """Height and width of what comes out.

        Raises:
            ShapeError: if the filter is larger than the padded picture.
        """
        tall, wide = taps.values.shape
        spare = height * self.up + self.top + self.bottom - tall, width * self.up + self.left + self.right - wide
        if min(spare) < 0:
            raise ShapeError(
                f"a filter of {tall} x {wide} does not fit into a picture of {height} x {width} "
                f"(up {self.up}, padding {(self.top, self.bottom, self.left, self.right)})"
            )
        return spare[0] // self.down + 1, spare[1] // self.down + 1

    def adjoint(self, height: int, width: int, taps: Taps) -> Resampling:
        """The resampling that, with the flipped filter, takes the gradient of the output to that of the input."""
        out = self.output_size(height, width, taps)
        tall, wide = taps.values.shape
        top, left = tall - 1 - self.top, wide - 1 - self.left
        bottom = (height - 1) * self.up + tall - top - out[0] * self.down
        right = (width - 1) * self.up + wide - left - out[1] * self.down
        return Resampling(self.down, self.up, top, bottom, left, right)
