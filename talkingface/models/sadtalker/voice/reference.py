"""Blinks, reference rows and smoothed poses around the audio networks, and head motion of another video."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from ....motion.coefficients import LAYOUT_70

BLINK = (0.5, 0.9, 1.0, 0.9, 0.5)
"""Ratio by which the eyes are closed in the five frames of a blink, a fifth of a second."""

PUBLISHED_PAUSES = (10, 70)
"""Frames of the shortest pause, and one more than those of the longest: 32 blinks a minute."""
CALM_PAUSES = (25, 150)
"""16 blinks a minute, as often as people blink who talk into a camera (docs/compact-sadtalker.md)."""
_TOO_SHORT = 20


def random_blinks(frames: int, random: torch.Generator, pauses: tuple[int, int] = PUBLISHED_PAUSES) -> Tensor:
    """Blinks as SadTalker places them; a clip of up to 20 frames has none.

    Args:
        frames: of the clip.
        pauses: frames of the shortest pause between blinks, and one more than those of the longest; half the clip is
            the longest pause in any case.

    Returns:
        (frames, 1), 0 for open eyes to 1 for closed ones.
    """
    return blinks(frames, _pauses(frames, random, *pauses) if frames > _TOO_SHORT else ())


def blinks(frames: int, pauses: Iterable[int], blink: Sequence[float] = BLINK) -> Tensor:
    """Blinks after given pauses, until one does not fit in any more; the last frame is always open.

    Args:
        frames: of the clip.
        pauses: frames with open eyes before each blink.
        blink: ratio by which the eyes are closed in each frame of a blink.

    Returns:
        (frames, 1).
    """
    closed, end = torch.zeros(frames, 1), 0
    for pause in pauses:
        start, end = end + pause, end + pause + len(blink)
        if end > frames - 1:
            break
        closed[start:end, 0] = torch.tensor(blink)
    return closed


def _pauses(frames: int, random: torch.Generator, shortest: int, longest: int) -> Iterator[int]:
    # The published range is empty for 21 frames, where it crashes; here the shortest pause is always possible.
    longest = max(min(frames // 2, longest), shortest + 1)
    while True:
        yield int(torch.randint(shortest, longest, (), generator=random))


WINDOW, ORDER = 13, 2


def smooth_poses(poses: Tensor) -> Tensor:
    """Poses smoothed by a parabola around each frame (Savitzky and Golay, 1964), over 13 frames or a shorter clip.

    Args:
        poses: (T, C).

    Returns:
        (T, C), new memory; the same numbers where fewer than 3 frames leave nothing to fit.
    """
    from scipy.signal import savgol_filter

    window = min(WINDOW, (len(poses) - 1) // 2 * 2 + 1)
    if window <= ORDER:
        return poses.clone()
    smoothed = savgol_filter(poses.cpu().double().numpy(), window, ORDER, axis=0)
    return torch.from_numpy(smoothed).to(poses)


def loop(rows: Tensor, frames: int) -> Tensor:
    """Rows tiled to a length; (R, C) -> (frames, C)."""
    return rows[torch.arange(frames, device=rows.device) % len(rows)]


def reference_rows(source: Tensor, frames: int, eyes: Tensor | None = None) -> Tensor:
    """Rows of every frame from which the expression network takes the person's own expression.

    Args:
        source: (1, 70 or more), of the source picture.
        eyes: (R, 70 or more), of a video that lends its blinks. Its expression is taken as it is, so it brings the
            rest of that face along, the mouth included.

    Returns:
        (frames, 70), to be read only.
    """
    reference = source[:, : LAYOUT_70.width].expand(frames, -1)
    if eyes is not None:
        reference = reference.clone()
        reference[:, LAYOUT_70.exp] = loop(eyes, frames)[:, LAYOUT_70.exp].to(reference)
    return reference


def add_motion(rows: Tensor, poses: Tensor) -> Tensor:
    """Rows with the head motion of another video on top of their own.

    Args:
        rows: (T, 70).
        poses: (R, 70 or more), of the video; its motion since its first frame is added. It is repeated or cut.

    Returns:
        (T, 70), new memory.
    """
    moved, pose = rows.clone(), LAYOUT_70.pose
    motion = loop(poses, len(rows))[:, pose] - poses[:1, pose]
    moved[:, pose] += motion.to(moved)
    return moved
