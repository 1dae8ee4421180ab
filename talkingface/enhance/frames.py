"""Enhancement of the faces and the background of a video, frame by frame, without keeping frames.

The background is upscaled by interpolation, or by a network in tiles, so that memory does not grow with the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..face.face import Points
from ..face.track.track import Track
from ..media.image import Picture
from .align import five_of
from .restore import Restorer, Shape, restore_faces

Upscaler = Callable[[Tensor], Tensor]
"""Pictures (N, 3, h, w), RGB, [0, 1] -> (N, 3, 2 h, 2 w)."""

FACTOR = 2  # scale factor of the upscaler
TILE, OVERLAP = 384, 32  # pixels: side of a tile, and width of the context added around it


@dataclass(frozen=True)
class Enhancer:
    """Enhancement of single frames.

    Attributes:
        restorer: network for the faces; None leaves them as they are.
        upscaler: network for the rest of the frame; None: interpolation.
        factor: size of the result relative to the frame, 1 or 2.
        device: device of the networks.
    """

    restorer: Restorer | None
    upscaler: Upscaler | None
    factor: int
    device: torch.device

    @torch.inference_mode()
    def __call__(self, frame: Picture, faces: Sequence[Points], shape: Shape = "soft") -> Picture:
        """Enhance a frame.

        Args:
            frame: (H, W, 3), RGB, uint8.
            faces: (5, 2) each, eyes, nose tip and mouth corners in pixels of the frame, faces in the background first.
            shape: see :func:`restore_faces`.

        Returns:
            (H * factor, W * factor, 3), RGB, uint8.
        """
        picture = _tensor(frame).to(self.device)
        large = enlarge(picture, self.factor)
        canvas = large if self.upscaler is None else upscale_by_network(picture, self.upscaler, self.factor)
        if self.restorer is not None:
            places = [(five + 0.5) * self.factor - 0.5 for five in faces]
            canvas = restore_faces(large, canvas, places, self.restorer, shape)
        return _frame(canvas)


def enhance_frames(
    frames: Iterable[Picture], tracks: Sequence[Track], enhancer: Enhancer, first: int = 0
) -> Iterator[Picture]:
    """Enhance each frame (H, W, 3), uint8; the faces are those of the tracks, large ones in front of small ones.

    Args:
        first: number of the first of these frames in the tracks.
    """
    ordered = sorted(tracks, key=lambda track: track.side)
    # One shape for the entire video: a change of the mask would be visible.
    shape: Shape = "soft" if len(tracks) < 2 else "round"
    for number, frame in enumerate(frames, first):
        points = (points_of(track, number) for track in ordered if number in track.frames)
        yield enhancer(frame, [five for five in points if five is not None], shape)


def points_of(track: Track, frame: int) -> Points | None:
    """Eyes, nose tip and mouth corners (5, 2) of a track in a frame of the video; None if only a box is known."""
    face = track.face(frame - track.start)
    return face.five if face.landmarks is None else five_of(face.landmarks)


def _tensor(frame: Picture) -> Tensor:
    return torch.from_numpy(np.array(frame)).permute(2, 0, 1)[None].float() / 255


def _frame(picture: Tensor) -> Picture:
    levels = (picture[0] * 255).round().clamp(0, 255).to(torch.uint8)
    return levels.permute(1, 2, 0).cpu().contiguous().numpy()


def enlarge(picture: Tensor, factor: int) -> Tensor:
    """Enlarge a picture (1, 3, H, W) in [0, 1] by a factor, bicubic, to (1, 3, H * factor, W * factor)."""
    if factor == 1:
        return picture
    return F.interpolate(picture, scale_factor=factor, mode="bicubic", align_corners=False).clamp(0, 1)


def upscale_by_network(picture: Tensor, upscaler: Upscaler, factor: int) -> Tensor:
    """Enlarge a picture by the upscaler, and scale the result to the given factor.

    Args:
        picture: (1, 3, H, W), RGB, [0, 1].
        upscaler: network that doubles a picture.
        factor: 1 or 2.

    Returns:
        (1, 3, H * factor, W * factor), [0, 1].
    """
    large = upscale_in_tiles(picture, upscaler)
    if factor != FACTOR:
        size = picture.shape[-2] * factor, picture.shape[-1] * factor
        large = F.interpolate(large, size=size, mode="bicubic", align_corners=False, antialias=True)
    return large.clamp(0, 1)


def upscale_in_tiles(picture: Tensor, upscaler: Upscaler) -> Tensor:
    """Double a picture (1, 3, H, W) tile by tile, to (1, 3, 2 H, 2 W); little more than a tile is done at once."""
    height, width = picture.shape[-2:]
    large = picture.new_empty(1, 3, height * FACTOR, width * FACTOR)
    for (top, bottom), (left, right) in _tiles(height, width):
        up, before = max(0, top - OVERLAP), max(0, left - OVERLAP)
        part = upscaler(picture[..., up : bottom + OVERLAP, before : right + OVERLAP])
        y, x = (top - up) * FACTOR, (left - before) * FACTOR
        down, across = (bottom - top) * FACTOR, (right - left) * FACTOR
        inner = part[..., y : y + down, x : x + across]
        large[..., top * FACTOR : bottom * FACTOR, left * FACTOR : right * FACTOR] = inner
    return large


def _tiles(height: int, width: int) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Yield rows and columns, (first, last + 1) each, of tiles that cover a picture evenly."""
    for rows in _spans(height):
        yield from ((rows, columns) for columns in _spans(width))


def _spans(length: int) -> list[tuple[int, int]]:
    count = max(1, -(-(length - 2 * OVERLAP) // TILE))
    edges = [length * number // count for number in range(count + 1)]
    return list(pairwise(edges))
