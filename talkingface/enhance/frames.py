"""Enhancement of the faces and the background of a video, frame by frame, without keeping frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..face.face import Points
from ..face.track.track import Track
from ..media.image import Picture
from .align import five_of
from .background import Upscaler, enlarge, upscale_by_network
from .restore import Restorer, Shape, restore_faces


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


def enhance_frames(frames: Iterable[Picture], tracks: Sequence[Track], enhancer: Enhancer) -> Iterator[Picture]:
    """Enhance each frame (H, W, 3), uint8; the faces are those of the tracks, large ones in front of small ones."""
    ordered = sorted(tracks, key=lambda track: track.side)
    # One shape for the entire video: a change of the mask would be visible.
    shape: Shape = "soft" if len(tracks) < 2 else "round"
    for number, frame in enumerate(frames):
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
