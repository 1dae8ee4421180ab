"""All networks of StyleHEAT, and a frame from an inverted picture and a motion (paper, figure 2)."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from ...nn.flow import warp_by_field
from ...nn.stylegan2.conditions import Affine
from ...nn.stylegan2.generator import Halfway
from .calibrator import CalibrationNet
from .inversion import Inversion, Inverter
from .structure import StyleHeatStructure
from .warper import VideoWarper, Warp


class Moved(NamedTuple):
    """Features in motion.

    Attributes:
        warp: how they move.
        features: (N, C, f, f), moved.
        refine: how the calibrator corrects them.
    """

    warp: Warp
    features: Tensor
    refine: Affine


class StyleHeatNetworks(nn.Module):
    """Video warper, calibrator, and what inverts and generates; their names are the published ones."""

    def __init__(self, structure: StyleHeatStructure | None = None) -> None:
        super().__init__()
        structure = structure or StyleHeatStructure()
        self.video_warper = VideoWarper(structure.warper)
        self.calibrator = CalibrationNet(structure.calibrator)
        self.generator = Inverter(structure)

    def forward(self, inversion: Inversion, windows: Tensor) -> Tensor:
        """Frames (N, 3, size, size), about [-1, 1], of windows (N, 73, 27) of coefficients."""
        return self.draw(inversion, self.move(inversion, windows))

    def move(self, inversion: Inversion, windows: Tensor) -> Moved:
        """Move an inverted picture; one picture serves any number of windows."""
        count = len(windows)
        warp = self.video_warper(_repeat(inversion.picture, count), windows)
        features = warp_by_field(_repeat(inversion.features, count), warp.field)
        return Moved(warp, features, self.calibrator(features, warp.descriptor))

    def draw(self, inversion: Inversion, moved: Moved) -> Tensor:
        """The frames of moved features."""
        return self._finish(inversion, moved.refine(moved.features))

    def draw_warped(self, inversion: Inversion, moved: Moved) -> Tensor:
        """The frames without the calibrator, which only training looks at."""
        return self._finish(inversion, moved.features)

    def _finish(self, inversion: Inversion, features: Tensor) -> Tensor:
        count = len(features)
        half = Halfway(features, _repeat(inversion.skip, count))
        return self.generator.stylegan.finish(half, _repeat(inversion.codes, count))


def _repeat(values: Tensor, count: int) -> Tensor:
    """The one there is, `count` times, or as many as there are."""
    return values.expand(count, *values.shape[1:]) if len(values) == 1 else values
