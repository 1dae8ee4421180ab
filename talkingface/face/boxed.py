"""Following a face with a network that puts landmarks on whatever is in a box, and has no flag for what is none."""

from __future__ import annotations

from .face import Box, Face, Points

# One that is followed counts as lost when its landmarks' box has less in common than this with the one before, as
# points that find nothing to hold on to collapse or scatter.
FOLLOWED_OVERLAP = 0.3


def moved(face: Face, landmarks: Points, backend: str) -> Face | None:
    """The face with new landmarks and its box moved and scaled as they were; None where they no longer fit it.

    Args:
        face: as it was in the picture before; with a box alone it keeps that.
        landmarks: (68, 2), in the box of it.
        backend: who found them.
    """
    new = Box.around(landmarks)
    old = Box.around(face.landmarks) if face.landmarks is not None else face.box
    if new.iou(old) < FOLLOWED_OVERLAP:
        return None
    if face.landmarks is None:
        return Face(face.box, face.score, landmarks, None, backend)
    scale = new.side / old.side
    (x, y), (old_x, old_y), (new_x, new_y) = face.box.center, old.center, new.center
    half_width, half_height = face.box.width * scale / 2, face.box.height * scale / 2
    x, y = new_x + (x - old_x) * scale, new_y + (y - old_y) * scale
    box = Box(x - half_width, y - half_height, x + half_width, y + half_height)
    return Face(box, face.score, landmarks, None, backend)
