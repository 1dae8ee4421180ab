"""StyleHEAT's renderer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import MotionError, ShapeError
from ...motion.windows import RADIUS, windows
from ...types import Motion, Source
from ..base import Renderer
from ..mesh_faces import points_of
from .compact.guide import Cues, Guide
from .edits.attributes import AttributeEdit
from .networks.fast import Drawable, FastStyleHeat
from .networks.pictures import resized
from .retarget import KIND


@dataclass(frozen=True)
class SourceFace:
    """The face of a source.

    Attributes:
        identity: (1, 80), who it is.
        points: (1, 468, 2), where it is, (x, y) in [-1, 1].
    """

    identity: Tensor
    points: Tensor


@dataclass
class StyleHeatState:
    """A source, inverted.

    Attributes:
        source: (1, 3, H, W) in [0, 1], the picture.
        plain: the picture as it is, inverted.
        face: where it is, for a guided warper; otherwise None.
        edited: the last edit that was drawn, with its strength; several frames in a row may have the same.
    """

    source: Tensor
    plain: Drawable
    face: SourceFace | None = None
    edited: tuple[float, Drawable] | None = field(default=None, repr=False)


class StyleHeatRenderer(Renderer):
    """Draws coefficient motion on a source picture.

    Args:
        fast: of the networks.
        side: of the pictures it takes and gives.
        space, framing: what its coefficients mean, and how sources are cut.
        invert: a picture (1, 3, H, W) in [-1, 1] -> what is moved; None: by the encoders.
        edit: of the face's attributes; how much of it comes with the motion, as ``"edit"`` (T,).
        published: repeat what the published program does to pictures: where they become smaller it leaves pixels out,
            and it cuts numbers off towards black.
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
        invert: Callable[[Tensor], Drawable] | None = None,
        edit: AttributeEdit | None = None,
        published: bool = False,
    ) -> None:
        self.fast, self.size, self.space, self.framing = fast, (side, side), space, framing
        self._invert, self._edit, self._published = invert or self._encoded, edit, published

    @torch.inference_mode()
    def encode_source(self, source: Source) -> StyleHeatState:
        """As in the base class.

        Raises:
            ShapeError: if the warper is guided and the source comes without its coefficients or its identity.
        """
        return StyleHeatState(source.image, self._invert(source.image * 2 - 1), self._face(source))

    def kept(self, state: StyleHeatState) -> dict[str, Tensor]:
        """Codes and features, by the names of the published files."""
        return {"w_latent": state.plain.codes, "f_latent": state.plain.features}

    def _encoded(self, picture: Tensor) -> Drawable:
        return self.fast.invert(self._resized(picture, self.fast.inverter.e4e_encoder.side))

    @torch.inference_mode()
    def render(self, state: StyleHeatState, motion: Motion) -> Tensor:
        return self.render_part(state, motion, slice(0, len(motion)))

    @torch.inference_mode()
    def render_part(self, state: StyleHeatState, motion: Motion, part: slice) -> Tensor:
        return self._drawn(self.fast.frames, state, motion, part)

    @torch.inference_mode()
    def explain(self, state: StyleHeatState, motion: Motion) -> dict[str, Tensor]:
        """See `explain_part`."""
        return self.explain_part(state, motion, slice(0, len(motion)))

    @torch.inference_mode()
    def explain_part(self, state: StyleHeatState, motion: Motion, part: slice) -> dict[str, Tensor]:
        """The source, what the inversion makes of it, its features warped but not calibrated, and the result."""
        drawn = self.render_part(state, motion, part)
        inverted = self._finished(state.plain.generator.finish(state.plain.features))
        return {
            "source": state.source.expand_as(drawn),
            "inverted": inverted.expand_as(drawn),
            "warped": self._drawn(self.fast.uncalibrated, state, motion, part),
            "drawn": drawn,
        }

    def _drawn(
        self, draw: Callable[[Drawable, Cues], Tensor], state: StyleHeatState, motion: Motion, part: slice
    ) -> Tensor:
        """Pictures (n, 3, H, W) in [0, 1] of a part of a motion.

        Args:
            draw: an inverted picture and what moves it -> frames about [-1, 1].
        """
        if motion.kind != self.takes:
            raise MotionError(f"the renderer draws '{self.takes}', not '{motion.kind}'")
        rows = motion.values["coefficients"]
        seen = windows(rows, range(*part.indices(len(motion)))).to(state.plain.codes)
        cues = Cues(seen, self._guide(state, rows[part]))
        shares = self._shares(motion, part)
        if shares is None:
            return self._finished(draw(state.plain, cues))
        frames = [draw(self._at(state, share), cue) for share, cue in zip(shares, cues.split(1), strict=True)]
        return self._finished(torch.cat(frames))

    def _face(self, source: Source) -> SourceFace | None:
        if not self.fast.networks.video_warper.guided:
            return None
        if source.coefficients is None or source.identity is None:
            raise ShapeError("the source has no coefficients, which tell where its face is")
        identity = source.identity.float()
        return SourceFace(identity, points_of(identity, source.coefficients.float()).to(source.image))

    def _guide(self, state: StyleHeatState, rows: Tensor) -> Guide | None:
        """How rows (n, 73) move the points of the source's face."""
        if state.face is None:
            return None
        target = points_of(state.face.identity, rows).to(state.face.points)
        return Guide.of(state.face.points, target, self.fast.networks.flow_side)

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
        pictures = self._resized(frames.clamp(-1, 1), self.size[0]).add(1).div(2)
        return pictures.mul(255).floor().div(255) if self._published else pictures

    def _resized(self, pictures: Tensor, side: int) -> Tensor:
        """Square pictures at another side; where they become smaller, each pixel is the mean of what it covers."""
        if pictures.shape[-1] > side and not self._published:
            return F.interpolate(pictures, (side, side), mode="area")
        return pictures if pictures.shape[-1] == side else resized(pictures, side)
