"""StyleHEAT's renderer."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import MotionError
from ...motion.windows import RADIUS, windows
from ...types import Motion, Source
from ..base import Renderer
from .attributes import AttributeEdit
from .fast import Drawable, FastStyleHeat
from .pictures import resized
from .retarget import KIND


@dataclass
class StyleHeatState:
    """A source, inverted.

    Attributes:
        plain: the picture as it is.
        edited: the last edit that was drawn, with its strength; several frames in a row may have the same.
    """

    plain: Drawable
    edited: tuple[float, Drawable] | None = field(default=None, repr=False)


class StyleHeatRenderer(Renderer):
    """Draws coefficient motion on a source picture.

    Args:
        fast: of the networks.
        side: of the pictures it takes and gives.
        space, framing: what its coefficients mean, and how sources are cut.
        edit: of the face's attributes; how much of it comes with the motion, as ``"edit"`` (T,).
        antialias: average where pictures become smaller; the published code leaves pixels out.
    """

    takes = KIND
    radius = RADIUS

    def __init__(
        self,
        fast: FastStyleHeat,
        side: int,
        space: str,
        framing: str = "ffhq",
        *,
        edit: AttributeEdit | None = None,
        antialias: bool = True,
    ) -> None:
        self.fast, self.size, self.space, self.framing = fast, (side, side), space, framing
        self._edit, self._antialias = edit, antialias

    @torch.inference_mode()
    def encode_source(self, source: Source) -> StyleHeatState:
        small = self._resized(source.image * 2 - 1, self.fast.inverter.e4e_encoder.side)
        return StyleHeatState(self.fast.invert(small))

    @torch.inference_mode()
    def render(self, state: StyleHeatState, motion: Motion) -> Tensor:
        return self.render_part(state, motion, slice(0, len(motion)))

    @torch.inference_mode()
    def render_part(self, state: StyleHeatState, motion: Motion, part: slice) -> Tensor:
        if motion.kind != self.takes:
            raise MotionError(f"the renderer draws '{self.takes}', not '{motion.kind}'")
        seen = windows(motion.values["coefficients"], range(*part.indices(len(motion)))).to(state.plain.codes)
        shares = self._shares(motion, part)
        if shares is None:
            return self._finished(self.fast.frames(state.plain, seen))
        drawn = [
            self.fast.frames(self._at(state, share), window[None]) for share, window in zip(shares, seen, strict=True)
        ]
        return self._finished(torch.cat(drawn))

    def _shares(self, motion: Motion, part: slice) -> list[float] | None:
        """How much of the edit each frame has; None where nothing is edited."""
        return None if self._edit is None else [float(value) for value in motion.values["edit"][part]]

    def _at(self, state: StyleHeatState, share: float) -> Drawable:
        if self._edit is None or share == 0:
            return state.plain
        if state.edited is None or state.edited[0] != share:
            codes = self._edit.move(state.plain.codes, share)
            state.edited = (share, self.fast.edited(codes, state.plain.details))
        return state.edited[1]

    def _finished(self, frames: Tensor) -> Tensor:
        """Frames about [-1, 1] as pictures in [0, 1] at the renderer's size."""
        return self._resized(frames.clamp(-1, 1), self.size[0]).add(1).div(2)

    def _resized(self, pictures: Tensor, side: int) -> Tensor:
        """Square pictures at another side; where they become smaller, each pixel is the mean of what it covers."""
        if pictures.shape[-1] > side and self._antialias:
            return F.interpolate(pictures, (side, side), mode="area")
        return pictures if pictures.shape[-1] == side else resized(pictures, side)
