"""The compact generator with mixed keypoints: learned ones everywhere, points of the face mesh where a face is found.

Learned keypoints carry head, hair and shoulders, and whatever is no face. Lips and lids are finer than they can say,
so the points of the mesh lay their own warp field over the face, and the decoder is shown the rings of eyes and lips. A
further small network paints the mouth at full size, since inside an open mouth the source has nothing to copy. Frames
without a mesh are drawn from the learned keypoints alone. docs/compact-fom.md has the experiments.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..face3d.mesh_topology import INNER_LIPS, LEFT_EYE, OUTER_LIPS, RIGHT_EYE
from ..nn.compact.config import CommonParams, CompactParams
from ..nn.compact.face_motion import inside, points_field
from ..nn.compact.generator import CompactState, FastCompactGenerator
from ..nn.compact.motion import UNet
from ..nn.geometry.keypoints import Keypoints, expand_keypoints
from ..nn.geometry.windows import paste_windows, take_windows, window_corners
from ..nn.precision import at_least_float32, float32_region
from .points_generator import FIELD_SCALE, TOLD, FaceMotion, PointsGenerator, face_size, overlaid

MOUTH_SHARE = 3 / 8  # side of the window in which the mouth is painted, over the picture's
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
class MixedState:
    """What the generator keeps of a source picture.

    Attributes:
        compact: what the compact generator keeps.
        face: points of its face.
        rings: (N, 2, h, w), inside of its lips and of its eyes.
        mouth: (N, 3, s, s), window around its mouth.
        mouth_ring: (N, 1, s / 2, s / 2), inside of its lips in that window.
    """

    compact: CompactState
    face: FacePoints
    rings: Tensor
    mouth: Tensor
    mouth_ring: Tensor

    def expand(self, count: int) -> MixedState:
        """The same source for `count` frames; no memory is copied."""
        rest = (tensor.expand(count, -1, -1, -1) for tensor in (self.rings, self.mouth, self.mouth_ring))
        return MixedState(self.compact.expand(count), self.face.expand(count), *rest)


def mouth_centre(points: Tensor) -> Tensor:
    """(N, 2), the middle of the lips, in [-1, 1]."""
    ring = points[:, list(OUTER_LIPS)]
    return (ring.amin(dim=1) + ring.amax(dim=1)) / 2


class MouthPainter(nn.Module):
    """Correction of the colours in a window around the mouth, at full size.

    Sees the picture drawn so far, the warped source, what the points say, and the source's own mouth.
    """

    def __init__(self, width: int, colours: int) -> None:
        super().__init__()
        self.network = UNet(3 * 4 * colours + TOLD + 1, [width, width * 4 // 3, width * 2])
        self.final = nn.Conv2d(width, 4 * colours, 3, padding=1)
        nn.init.zeros_(self.final.weight)
        nn.init.zeros_(self.final.bias)  # type: ignore[arg-type]

    def forward(self, drawn: Tensor, deformed: Tensor, told: Tensor, mouth: Tensor, ring: Tensor) -> Tensor:
        """Colours to add, (N, 3, s, s).

        Args:
            drawn, deformed, mouth: (N, 3, s, s), windows of the prediction, of the warped source, of the source.
            told: (N, 24, s / 2, s / 2).
            ring: (N, 1, s / 2, s / 2), inside of the source's lips.
        """
        pictures = F.pixel_unshuffle(torch.cat([drawn, deformed, mouth], dim=1), 2)
        seen = [part.to(told.dtype, memory_format=torch.channels_last) for part in (pictures, told, ring)]
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

    maps = 8  # belief, two of movement, lips and eyes of the frame, of the source, outer lips of the frame

    def __init__(self, params: CompactParams, common: CommonParams) -> None:
        super().__init__(params, common)
        self.mouth = MouthPainter(params.mouth_width, common.num_channels)

    def encode_face(self, image: Tensor, face: FacePoints) -> MixedState:
        """The source side of (N, 3, H, W) pictures in [0, 1] with their faces."""
        size = (image.shape[-2] // 2, image.shape[-1] // 2)
        with float32_region(image):
            rings = _rings(face, size)
            corners = _mouth_corners(face, image)
        side = _mouth_side(image)
        mouth = take_windows(image, corners, (side, side))
        ring = take_windows(rings[:, :1], corners // 2, (side // 2, side // 2))
        return MixedState(self.encode(image), face, rings, mouth, ring)

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
        count = len(face.points)
        state = state.expand(count)
        compact = state.compact
        motion = self.dense_motion_network(compact.small, expand_keypoints(kp_source, count), kp_driving)
        present = (face.present * state.face.present)[:, None, None, None]
        with float32_region(compact.image):
            moved = self._face_motion(state, face, present)
        told = self.tell(moved.maps)
        gate = self.gate_of(told, motion, moved.belief)
        coarse, middle, fine = (hint * present.to(hint.dtype) for hint in self.hints_of(told))
        out = self.draw(compact, overlaid(motion, moved, gate), (coarse, middle, fine), explain=True)
        out["prediction"] = self._mouth(state, face, out, told, present)
        return {**out, "gate": gate} if explain else {"prediction": out["prediction"]}

    def _face_motion(self, state: MixedState, face: FacePoints, present: Tensor) -> FaceMotion:
        size = (state.rings.shape[-2], state.rings.shape[-1])
        spread = face_size(face.points)[:, None] * self.spread
        field, belief = points_field(state.face.points, face.points, spread, size)
        rings = torch.cat([_rings(face, size), state.rings, inside(face.points[:, list(OUTER_LIPS)], size)], dim=1)
        maps = torch.cat([belief, field * FIELD_SCALE, rings], dim=1)
        return FaceMotion(field, belief * present, (maps * present).contiguous(memory_format=torch.channels_last))

    def _mouth(
        self, state: MixedState, face: FacePoints, out: dict[str, Tensor], told: Tensor, present: Tensor
    ) -> Tensor:
        """The prediction with its mouth painted, (N, 3, H, W)."""
        prediction, side = out["prediction"], state.mouth.shape[-1]
        corners = _mouth_corners(face, prediction)
        windows = [take_windows(out[name], corners, (side, side)) for name in ("prediction", "deformed")]
        near = take_windows(told, corners // 2, (side // 2, side // 2))
        added = self.mouth(*windows, near, state.mouth, state.mouth_ring) * present
        return paste_windows(prediction, windows[0] + added, corners)


class FastMixedGenerator(MixedGenerator, FastCompactGenerator):
    """The generator for inference; see `FastCompactGenerator`."""

    def __init__(self, generator: MixedGenerator, precision: torch.dtype = torch.float32) -> None:
        FastCompactGenerator.__init__(self, generator, precision)
        self.register_buffer("spread", generator.spread.clone())

    def encode_face(self, image: Tensor, face: FacePoints) -> MixedState:
        """As in the base class."""
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
        """As in the base class, with colours kept in [0, 1]."""
        with self._autocast(state.rings):
            out = super().decode_face(state, kp_source, kp_driving, face, explain=explain)
        return {**out, "prediction": out["prediction"].clamp(0, 1)}


def _rings(face: FacePoints, size: tuple[int, int]) -> Tensor:
    """(N, 2, h, w): inside of the lips and of the eyes; 0 where there is no face."""
    points = face.points
    eyes = inside(points[:, list(LEFT_EYE)], size) + inside(points[:, list(RIGHT_EYE)], size)
    rings = torch.cat([inside(points[:, list(INNER_LIPS)], size), eyes], dim=1)
    return rings * face.present[:, None, None, None]


def _mouth_side(image: Tensor) -> int:
    """Side of the mouth's window in pixels, a multiple of 16."""
    return round(image.shape[-1] * MOUTH_SHARE / 16) * 16


def _mouth_corners(face: FacePoints, image: Tensor) -> Tensor:
    """(N, 2), left and top edge of the mouth's window in pixels, even numbers inside the picture."""
    side = _mouth_side(image)
    return window_corners(mouth_centre(face.points), (side, side), (image.shape[-2], image.shape[-1]), 2)
