"""The frames of a video with better faces and background, one after another; no frame is kept."""

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
from .background import Upscaler, enhanced, enlarged
from .restore import Restorer, Shape, restore_faces


@dataclass(frozen=True)
class Enhancer:
    """What makes frames better.

    Attributes:
        restorer: of faces; None leaves them.
        upscaler: of all that is not a face; None leaves it, enlarged by interpolation where the result is larger.
        factor: the result is so many times larger, 1 or 2.
        device: where the networks are.
    """

    restorer: Restorer | None
    upscaler: Upscaler | None
    factor: int
    device: torch.device

    @torch.inference_mode()
    def __call__(self, frame: Picture, faces: Sequence[Points], shape: Shape = "soft") -> Picture:
        """A frame (H, W, 3) enhanced, (H * factor, W * factor, 3).

        Args:
            faces: (5, 2) each, eyes, nose tip and mouth corners in the frame, those behind first.
            shape: see :func:`restore_faces`.
        """
        picture = _tensor(frame).to(self.device)
        large = enlarged(picture, self.factor)
        canvas = large if self.upscaler is None else enhanced(picture, self.upscaler, self.factor)
        if self.restorer is not None:
            places = [(five + 0.5) * self.factor - 0.5 for five in faces]
            canvas = restore_faces(large, canvas, places, self.restorer, shape)
        return _frame(canvas)


def enhance_frames(frames: Iterable[Picture], tracks: Sequence[Track], enhancer: Enhancer) -> Iterator[Picture]:
    """Each frame enhanced; its faces are those of the tracks, large ones in front of small ones."""
    ordered = sorted(tracks, key=lambda track: track.side)
    # One shape for the whole video: a mask that changes would be seen.
    shape: Shape = "soft" if len(tracks) < 2 else "round"
    for number, frame in enumerate(frames):
        points = (points_of(track, number) for track in ordered if number in track.frames)
        yield enhancer(frame, [five for five in points if five is not None], shape)


def points_of(track: Track, frame: int) -> Points | None:
    """Eyes, nose tip and mouth corners, (5, 2), of a track in a frame of the video; None where only a box is known."""
    face = track.face(frame - track.start)
    return face.five if face.landmarks is None else five_of(face.landmarks)


def _tensor(frame: Picture) -> Tensor:
    return torch.from_numpy(np.array(frame)).permute(2, 0, 1)[None].float() / 255


def _frame(picture: Tensor) -> Picture:
    levels = (picture[0] * 255).round().clamp(0, 255).to(torch.uint8)
    return levels.permute(1, 2, 0).cpu().contiguous().numpy()
