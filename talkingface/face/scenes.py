"""Where a video cuts to another scene.

Two frames are compared by their composition (correlation of small grey thumbnails, blind to brightness) and by their
colours (difference of coarse histograms, blind to place). Motion changes the first, light the second; a cut changes
both. It is measured against the level of the frames before it, and it must last: a flash is over after a few frames.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..media.image import Picture

GRID = 16  # cells of the thumbnail, each way
SAMPLES = 64  # pixels of the shorter side that are looked at
LEVELS = 4  # of each colour in the histogram
CUT = 0.085  # smallest change that counts as a cut
ABOVE_LEVEL = 5.0  # a cut changes so many times more than the frames before it
HISTORY = 24  # frames that make the level
FLASH = 3  # a change that is undone within so many frames is a flash, not a cut


@dataclass(frozen=True)
class Look:
    """What a frame looks like from afar.

    Attributes:
        grey: (GRID * GRID,) brightness of the cells, without its mean and of length 1.
        colours: (LEVELS ** 3,) share of each coarse colour.
    """

    grey: NDArray[np.float32]
    colours: NDArray[np.float32]

    @classmethod
    def at(cls, picture: Picture) -> Look:
        """The look of a picture, (H, W, 3) RGB uint8."""
        step = max(1, min(picture.shape[:2]) // SAMPLES)
        seen = picture[::step, ::step]
        grey = _cells(seen.mean(axis=2, dtype=np.float32)).ravel()
        grey -= grey.mean()
        coarse = (seen.reshape(-1, 3) // (256 // LEVELS)).astype(np.intp)
        bins = np.bincount(coarse @ (LEVELS**2, LEVELS, 1), minlength=LEVELS**3)
        return cls(grey / max(float(np.linalg.norm(grey)), 1.0), (bins / len(coarse)).astype(np.float32))

    def change(self, other: Look) -> float:
        """How different two frames are: 0 (the same) to about 1; the geometric mean of composition and colours."""
        composition = max(0.0, 1.0 - float(self.grey @ other.grey))
        colours = float(np.abs(self.colours - other.colours).sum()) / 2
        return float(np.sqrt(composition * colours))


def scenes(frames: Iterable[Picture]) -> Iterator[tuple[Picture, bool]]:
    """The frames, each with whether a new scene starts with it; the first one counts as a start.

    Holds back ``FLASH`` frames, to see whether a change lasts.
    """
    waiting: deque[tuple[Picture, Look]] = deque()
    past = _Past()
    for picture in frames:
        waiting.append((picture, Look.at(picture)))
        if len(waiting) > FLASH:
            yield past.judge(waiting)
    while waiting:
        yield past.judge(waiting)


class _Past:
    """The frame before, and the level of change so far in this scene."""

    def __init__(self) -> None:
        self._last: Look | None = None
        self._before: Look | None = None  # the last frame ahead of a flash
        self._changes: deque[float] = deque(maxlen=HISTORY)

    def judge(self, waiting: deque[tuple[Picture, Look]]) -> tuple[Picture, bool]:
        """Take the first of the waiting frames; returns it with whether it starts a scene."""
        picture, look = waiting.popleft()
        starts = self._last is None or self._is_cut(look, [later for _, later in waiting])
        self._last = look
        return picture, starts

    def _is_cut(self, look: Look, later: list[Look]) -> bool:
        assert self._last is not None  # noqa: S101 (narrows the type)
        change = look.change(self._last)
        limit = max(CUT, ABOVE_LEVEL * float(np.median(self._changes)) if self._changes else 0.0)
        if change <= limit:
            self._changes.append(change)
            return False
        reference, self._before = self._before or self._last, None
        if any(next_look.change(reference) <= limit for next_look in (look, *later)):
            self._before = reference if look.change(reference) > limit else None
            return False
        self._changes.clear()
        return True


def _cells(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means over GRID x GRID cells of nearly equal size (fewer where the picture has fewer pixels)."""
    rows, columns = (np.unique(np.linspace(0, length, GRID + 1).astype(int)[:-1]) for length in grey.shape)
    sums = np.add.reduceat(np.add.reduceat(grey, rows, axis=0), columns, axis=1)
    counts = np.diff([*rows, grey.shape[0]])[:, None] * np.diff([*columns, grey.shape[1]])[None, :]
    return (sums / counts).astype(np.float32)
