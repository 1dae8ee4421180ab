"""StyleHEAT's renderer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import ShapeError
from ...motion.coefficients import COEFFICIENTS, LAYOUT_73
from ...motion.windows import RADIUS, windows
from ...types import Motion, Source
from ..base import Renderer
from ..mesh_faces import points_of
from .compact.detail import SourceDetail
from .compact.guide import MotionGuide, WarpInput
from .edits.attributes import AttributeEdit
from .networks.fast import Drawable, FastStyleHeat
from .networks.pictures import resized


@dataclass(frozen=True)
class SourceFace:
    """The face of a source.

    Attributes:
        identity: (1, 80), its identity coefficients.
        points: (1, 468, 2), (x, y) in [-1, 1].
    """

    identity: Tensor
    points: Tensor


@dataclass
class StyleHeatState:
    """A source, inverted.

    Attributes:
        source: (1, 3, H, W) in [0, 1], the picture.
        plain: its inversion without edits.
        face: for a guided warper; otherwise None.
        detail: that the inversion lacks, where it is carried; otherwise None.
        edited: the last edit that was drawn, with its strength; several frames in a row may have the same.
    """

    source: Tensor
    plain: Drawable
    face: SourceFace | None = None
    detail: SourceDetail | None = None
    edited: tuple[float, Drawable] | None = field(default=None, repr=False)


class StyleHeatRenderer(Renderer):
    """Draws coefficient motion on a source picture.

    Args:
        fast: of the networks.
        side: of the pictures it takes and gives.
        space, framing: of its coefficients, and of its sources.
        invert: a picture (1, 3, H, W) in [-1, 1] -> its inversion; None: by the encoders.
        edit: of the face's attributes; its share in each frame comes with the motion, as ``"edit"`` (T,).
        carries_detail: give frames the detail of the source that the networks lose; needs a guided warper.
        published: treat pictures as the published program does: it leaves pixels out where they become smaller,
            and rounds towards black.
    """

    takes = LAYOUT_73.kind
    radius = RADIUS

    def __init__(
        self,
        fast: FastStyleHeat,
        side: int,
        space: str,
        framing: str = "ffhq",
        *,
        invert: Callable[[Tensor], Drawable] | None = None,
        edit: AttributeEdit | None = None,
        carries_detail: bool = False,
        published: bool = False,
    ) -> None:
        self.fast, self.size, self.space, self.framing = fast, (side, side), space, framing
        self._invert, self._edit, self._published = invert or self._encoded, edit, published
        self._carries_detail = carries_detail

    @torch.inference_mode()
    def encode_source(self, source: Source) -> StyleHeatState:
        """Invert the picture and find the points of its face; see the base class.

        Raises:
            ShapeError: if the warper is guided and the source comes without its coefficients or its identity.
        """
        plain, face = self._invert(source.image * 2 - 1), self._face(source)
        return StyleHeatState(source.image, plain, face, self._detail(source, plain, face))

    def kept(self, state: StyleHeatState) -> dict[str, Tensor]:
        """Codes (1, codes, length) and features (1, C, f, f), by the names of the published files."""
        return {"w_latent": state.plain.codes, "f_latent": state.plain.features}

    def _encoded(self, picture: Tensor) -> Drawable:
        return self.fast.invert(self._resized(picture, self.fast.inverter.e4e_encoder.side))

    @torch.inference_mode()
    def render(self, state: StyleHeatState, motion: Motion) -> Tensor:
        return self.render_part(state, motion, slice(0, len(motion)))

    @torch.inference_mode()
    def render_part(self, state: StyleHeatState, motion: Motion, part: slice) -> Tensor:
        return self._drawn(partial(self.fast.frames, detail=state.detail), state, motion, part)

    @torch.inference_mode()
    def explain(self, state: StyleHeatState, motion: Motion) -> dict[str, Tensor]:
        """Pictures (T, 3, H, W) of all frames, see `explain_part`."""
        return self.explain_part(state, motion, slice(0, len(motion)))

    @torch.inference_mode()
    def explain_part(self, state: StyleHeatState, motion: Motion, part: slice) -> dict[str, Tensor]:
        """Pictures (n, 3, H, W) in [0, 1]: source, its inversion, the same warped but not calibrated, the result."""
        drawn = self.render_part(state, motion, part)
        inverted = self._finished(state.plain.generator.finish(state.plain.features))
        return {
            "source": state.source.expand_as(drawn),
            "inverted": inverted.expand_as(drawn),
            "warped": self._drawn(self.fast.uncalibrated, state, motion, part),
            "drawn": drawn,
        }

    def _drawn(
        self, draw: Callable[[Drawable, WarpInput], Tensor], state: StyleHeatState, motion: Motion, part: slice
    ) -> Tensor:
        """Pictures (n, 3, H, W) in [0, 1] of a part of a motion.

        Args:
            draw: an inverted picture and n inputs -> frames (n, 3, size, size), about [-1, 1].
        """
        rows = motion.values[COEFFICIENTS]
        motion_windows = windows(rows, range(*part.indices(len(motion)))).to(state.plain.codes)
        inputs = WarpInput(motion_windows, self._guide(state, rows[part]))
        shares = self._shares(motion, part)
        if shares is None:
            return self._finished(draw(state.plain, inputs))
        frames = [draw(self._at(state, share), frame) for share, frame in zip(shares, inputs.split(1), strict=True)]
        return self._finished(torch.cat(frames))

    def _face(self, source: Source) -> SourceFace | None:
        if not self.fast.networks.video_warper.guided:
            return None
        if source.coefficients is None or source.identity is None:
            raise ShapeError("the source has no coefficients, which tell where its face is")
        identity = source.identity.float()
        return SourceFace(identity, points_of(identity, source.coefficients.float()).to(source.image))

    def _detail(self, source: Source, plain: Drawable, face: SourceFace | None) -> SourceDetail | None:
        if not self._carries_detail or face is None or source.coefficients is None:
            return None
        rows = source.coefficients.float().expand(2 * RADIUS + 1, -1)
        guide = MotionGuide.of(face.points, face.points, self.fast.networks.flow_side)
        at_rest = WarpInput(rows.T[None].to(plain.codes), guide)
        return self.fast.detail(plain, at_rest, self._resized(source.image * 2 - 1, plain.generator.structure.size))

    def _guide(self, state: StyleHeatState, rows: Tensor) -> MotionGuide | None:
        """Movement of the points of the source's face by rows (n, 73); None where the warper is not guided."""
        if state.face is None:
            return None
        target = points_of(state.face.identity, rows).to(state.face.points)
        return MotionGuide.of(state.face.points, target, self.fast.networks.flow_side)

    def _shares(self, motion: Motion, part: slice) -> list[float] | None:
        """Share of the edit in each frame; None where nothing is edited."""
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
        pictures = self._resized(frames.clamp(-1, 1), self.size[0]).add(1).div(2)
        return pictures.mul(255).floor().div(255) if self._published else pictures

    def _resized(self, pictures: Tensor, side: int) -> Tensor:
        """Square pictures at another side; where they become smaller, each pixel is the mean of those it covers."""
        if pictures.shape[-1] > side and not self._published:
            return F.interpolate(pictures, (side, side), mode="area")
        return pictures if pictures.shape[-1] == side else resized(pictures, side)
