"""The compact generator with mixed keypoints: learned ones everywhere, points of the face mesh where a face is found.

Learned keypoints carry head, hair and shoulders, and whatever is no face. Lips and lids are finer than they can say,
so the points of the mesh lay their own warp field over the face, and the decoder is shown the rings of eyes and lips.
Two further small networks paint the mouth and the eyes at full size, since inside an open mouth and on shut lids the
source has nothing to copy. Frames without a mesh are drawn from the learned keypoints alone. docs/compact-fom.md has
the experiments.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..face3d.mesh import EYE_CORNERS, OUTER_LIPS
from ..nn.compact.config import CommonParams, CompactParams
from ..nn.compact.face_motion import inside, points_field
from ..nn.compact.generator import CompactState
from ..nn.compact.motion import UNet
from ..nn.geometry.grids import paste_windows, take_windows, window_corners
from ..nn.geometry.keypoints import Keypoints
from ..nn.precision import at_least_float32, float32_region
from .points_generator import (
    ENCODED,
    FIELD_SCALE,
    FaceMotion,
    FastPointsGenerator,
    PointsGenerator,
    face_rings,
    face_size,
    overlaid,
)

_BORDER = 6  # pixels over which the painted mouth fades at the edges of its window, at half size


@dataclass(frozen=True)
class FacePoints:
    """Points of the face in pictures.

    Attributes:
        points: (N, 468, 2), (x, y) in [-1, 1]; any finite numbers where there is no face.
        present: (N,), 1 where there is a face, else 0.
    """

    points: Tensor
    present: Tensor

    def expand(self, count: int) -> FacePoints:
        """The same for `count` frames; no memory is copied."""
        return FacePoints(self.points.expand(count, -1, -1), self.present.expand(count))


@dataclass(frozen=True)
class View:
    """A part of the source as its painter sees it.

    Attributes:
        picture: (N, 3, h, w), window around the part.
        ring: (N, 1, h / 2, w / 2), inside of the lips or of the eyes in that window.
    """

    picture: Tensor
    ring: Tensor

    def expand(self, count: int) -> View:
        """The same for `count` frames; no memory is copied."""
        return View(self.picture.expand(count, -1, -1, -1), self.ring.expand(count, -1, -1, -1))


@dataclass(frozen=True)
class MixedState:
    """Source picture, encoded by the generator.

    Attributes:
        compact: what the compact generator keeps.
        face: points of its face.
        rings: (N, 2, h, w), inside of its lips and of its eyes.
        views: of the parts that are painted, by name.
    """

    compact: CompactState
    face: FacePoints
    rings: Tensor
    views: dict[str, View]

    def expand(self, count: int) -> MixedState:
        """The same source for `count` frames; no memory is copied."""
        views = {name: view.expand(count) for name, view in self.views.items()}
        rings = self.rings.expand(count, -1, -1, -1)
        return MixedState(self.compact.expand(count), self.face.expand(count), rings, views)


def mouth_centre(points: Tensor) -> Tensor:
    """(N, 2), the middle of the lips, in [-1, 1]."""
    ring = points[:, list(OUTER_LIPS)]
    return (ring.amin(dim=1) + ring.amax(dim=1)) / 2


def eyes_centre(points: Tensor) -> Tensor:
    """(N, 2), the middle between the eyes, in [-1, 1]."""
    return points[:, list(EYE_CORNERS)].mean(dim=1)


@dataclass(frozen=True)
class Part:
    """A part of the face that is painted at full size.

    Attributes:
        share: height and width of its window over the picture's side.
        centre: points of faces -> the middle of the window.
        ring: number of its ring among those of `MixedState`.
    """

    share: tuple[float, float]
    centre: Callable[[Tensor], Tensor]
    ring: int

    def window(self, image: Tensor) -> tuple[int, int]:
        """Height and width of the window in an image (N, 3, H, W), in pixels, multiples of 16."""
        height, width = (round(image.shape[-1] * share / 16) * 16 for share in self.share)
        return height, width

    def corners(self, face: FacePoints, image: Tensor) -> Tensor:
        """(N, 2), left and top edge of the window in pixels, even numbers inside the picture."""
        size = (image.shape[-2], image.shape[-1])
        return window_corners(self.centre(face.points), self.window(image), size, 2)


PARTS = {"mouth": Part((3 / 8, 3 / 8), mouth_centre, 0), "eyes": Part((1 / 4, 1 / 2), eyes_centre, 1)}
"""Painted parts by name, in this order."""


class Painter(nn.Module):
    """Correction of the colours in a window around a part of the face, at full size.

    Sees the picture drawn so far, the warped source, what the points say, and the part in the source.
    """

    def __init__(self, width: int, colours: int) -> None:
        super().__init__()
        self.network = UNet(3 * 4 * colours + ENCODED + 1, [width, width * 4 // 3, width * 2])
        self.final = nn.Conv2d(width, 4 * colours, 3, padding=1)
        nn.init.zeros_(self.final.weight)
        nn.init.zeros_(self.final.bias)  # type: ignore[arg-type]

    def forward(self, drawn: Tensor, deformed: Tensor, encoded: Tensor, source: View) -> Tensor:
        """Colours to add, (N, 3, h, w).

        Args:
            drawn, deformed: (N, 3, h, w), windows of the prediction and of the warped source.
            encoded: (N, 24, h / 2, w / 2).
            source: the part in the source.
        """
        pictures = F.pixel_unshuffle(torch.cat([drawn, deformed, source.picture], dim=1), 2)
        seen = [part.to(encoded.dtype, memory_format=torch.channels_last) for part in (pictures, encoded, source.ring)]
        out = self.network(torch.cat(seen, dim=1))
        return at_least_float32(F.pixel_shuffle(self.final(out) * fading(out), 2))


def fading(like: Tensor) -> Tensor:
    """(h, w), 1 in the middle of maps (N, C, h, w), falling to 0 in a line at their edges."""
    height, width = like.shape[-2:]
    lines = [_ramp(size, like) for size in (height, width)]
    return lines[0][:, None] * lines[1]


def _ramp(size: int, like: Tensor) -> Tensor:
    place = torch.arange(size, dtype=like.dtype, device=like.device) + 0.5
    return (torch.minimum(place, size - place) / _BORDER).clamp(max=1)


class MixedGenerator(PointsGenerator):
    """Draws a source as learned keypoints and, where there is a face, points of its mesh say."""

    maps = 8  # confidence, two of movement, lips and eyes of the frame, of the source, outer lips of the frame

    def __init__(self, params: CompactParams, common: CommonParams) -> None:
        super().__init__(params, common)
        self.mouth = Painter(params.mouth_width, common.num_channels)
        self.eyes = Painter(params.eyes_width, common.num_channels)

    def encode_face(self, image: Tensor, face: FacePoints) -> MixedState:
        """The source side of (N, 3, H, W) pictures in [0, 1] with their faces."""
        size = (image.shape[-2] // 2, image.shape[-1] // 2)
        with float32_region(image):
            rings = _rings(face, size)
        views = {name: _view(part, image, rings, part.corners(face, image)) for name, part in PARTS.items()}
        return MixedState(self.encode(image), face, rings, views)

    def decode_face(
        self,
        state: MixedState,
        kp_source: Keypoints,
        kp_driving: Keypoints,
        face: FacePoints,
        *,
        explain: bool = False,
    ) -> dict[str, Tensor]:
        """Draw frames.

        Args:
            state: of `encode_face`.
            kp_source: of the source, (1 or N, ...).
            kp_driving: of the N frames.
            face: of the N frames; those without one, or whose source has none, are drawn from keypoints alone.

        Returns:
            As `CompactGenerator.decode`; with `explain` also ``gate`` (N, 1, h, w), where the face's points decide.
        """
        state = state.expand(len(face.points))
        compact = state.compact
        motion = self.motion_of(compact, kp_source, kp_driving)
        present = (face.present * state.face.present)[:, None, None, None]
        with float32_region(compact.image):
            moved = self._face_motion(state, face, present)
        encoded = self.tell(moved.maps)
        gate = self.gate_of(encoded, motion, moved.confidence)
        coarse, middle, fine = (hint * present.to(hint.dtype) for hint in self.hints_of(encoded))
        out = self.draw(compact, overlaid(motion, moved, gate), (coarse, middle, fine), explain=True)
        for name in PARTS:
            out["prediction"] = self._painted(name, state, face, out, encoded)
        return {**out, "gate": gate} if explain else {"prediction": out["prediction"]}

    def _face_motion(self, state: MixedState, face: FacePoints, present: Tensor) -> FaceMotion:
        size = (state.rings.shape[-2], state.rings.shape[-1])
        spread = face_size(face.points)[:, None] * self.spread
        field, confidence = points_field(state.face.points, face.points, spread, size)
        rings = torch.cat([_rings(face, size), state.rings, inside(face.points[:, list(OUTER_LIPS)], size)], dim=1)
        maps = torch.cat([confidence, field * FIELD_SCALE, rings], dim=1)
        return FaceMotion(field, confidence * present, (maps * present).contiguous(memory_format=torch.channels_last))

    def _painted(
        self, name: str, state: MixedState, face: FacePoints, out: dict[str, Tensor], encoded: Tensor
    ) -> Tensor:
        """The prediction with a part painted, (N, 3, H, W)."""
        prediction, part = out["prediction"], PARTS[name]
        corners, (height, width) = part.corners(face, prediction), part.window(prediction)
        drawn, deformed = (take_windows(out[key], corners, (height, width)) for key in ("prediction", "deformed"))
        near = take_windows(encoded, corners // 2, (height // 2, width // 2))
        added = getattr(self, name)(drawn, deformed, near, state.views[name])
        present = (face.present * state.face.present)[:, None, None, None]
        return paste_windows(prediction, drawn + added * present, corners)


class FastMixedGenerator(FastPointsGenerator, MixedGenerator):
    """The generator for inference; see `FastCompactGenerator`."""

    def encode_face(self, image: Tensor, face: FacePoints) -> MixedState:
        with self._autocast(image):
            return super().encode_face(image, face)

    def decode_face(
        self,
        state: MixedState,
        kp_source: Keypoints,
        kp_driving: Keypoints,
        face: FacePoints,
        *,
        explain: bool = False,
    ) -> dict[str, Tensor]:
        """Frames (N, 3, H, W), with colours kept in [0, 1]."""
        with self._autocast(state.rings):
            out = super().decode_face(state, kp_source, kp_driving, face, explain=explain)
        return {**out, "prediction": out["prediction"].clamp(0, 1)}


def _rings(face: FacePoints, size: tuple[int, int]) -> Tensor:
    """(N, 2, h, w): inside of the lips and of the eyes; 0 where there is no face."""
    return face_rings(face.points, size) * face.present[:, None, None, None]


def _view(part: Part, image: Tensor, rings: Tensor, corners: Tensor) -> View:
    height, width = part.window(image)
    ring = rings[:, part.ring : part.ring + 1]
    near = take_windows(ring, corners // 2, (height // 2, width // 2))
    return View(take_windows(image, corners, (height, width)), near)
