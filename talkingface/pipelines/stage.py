"""What a frame of the result shows: the drawn crop alone, the whole picture undistorted, or faces in their places."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..face.crop.crop import Crop
from ..face.crop.framing import FULL_SIDE, Size, full_size, moved_to, picture_part
from ..face.paste.paste import Paster
from ..media.image import PICTURE_ENDINGS, resize
from .frames import Frame
from .roles import shows_several

if TYPE_CHECKING:
    from ..config.schema import Settings


class Stage(ABC):
    """Makes frames of what was drawn.

    Attributes:
        picture: (H, W, 3), uint8, the source as the result shows it.
        note: what the user should know, or "".
    """

    picture: Frame
    note: str = ""

    @abstractmethod
    def show(self, drawn: Sequence[Frame]) -> Frame:
        """A frame of the size of `picture`.

        Args:
            drawn: one crop for each person, in their order.
        """


class Alone(Stage):
    """The crop as it was drawn."""

    def __init__(self, source: Frame) -> None:
        self.picture = source

    def show(self, drawn: Sequence[Frame]) -> Frame:
        return drawn[0]


class Trimmed(Stage):
    """The part of the crop that holds the picture, without what was added to fill up the crop."""

    def __init__(self, source: Frame, picture_size: Size) -> None:
        """Args: source: the crop of the whole picture; picture_size: (height, width) of the picture."""
        self._part = picture_part(picture_size, (source.shape[0], source.shape[1]))
        self.picture = source[self._part]

    def show(self, drawn: Sequence[Frame]) -> Frame:
        return drawn[0][self._part]


class Placed(Stage):
    """The whole picture with each face back in its place."""

    def __init__(
        self,
        picture: Frame,
        crops: Sequence[Crop],
        sources: Sequence[Frame],
        settings: Settings,
        *,
        limit: int | None = FULL_SIDE,
    ) -> None:
        """
        Args:
            picture: all of the source.
            crops: where the faces are in it.
            sources: the same as the renderer sees them.
            limit: longer side of the result in pixels at most; None: any.
        """
        old = picture.shape[0], picture.shape[1]
        new = full_size(old, limit=limit)
        self.picture = resize(picture, new)
        if new != old:
            self.note = f"the picture has {old[1]} x {old[0]} pixels; the video has {new[1]} x {new[0]}"
        moved = [moved_to(crop, old, new) for crop in crops]
        pasters = [
            Paster(self.picture, crop, settings.paste, ratio=settings.ratio, source_crop=source)
            for crop, source in zip(moved, sources, strict=True)
        ]
        # Large faces are in front of small ones.
        self._pasters = sorted(enumerate(pasters), key=lambda one: one[1].crop.scale)

    def show(self, drawn: Sequence[Frame]) -> Frame:
        frame: Frame | None = None
        for number, paster in self._pasters:
            frame = paster.paste(drawn[number], frame)
        return self.picture if frame is None else frame


def make_stage(
    picture: Frame, crops: Sequence[Crop], sources: Sequence[Frame], settings: Settings, output: Path
) -> Stage:
    """The stage that ``--preprocess`` asks for; where it does not say, several faces are shown in their places.

    Args: as for :class:`Placed`; output: a single picture is never reduced.
    """
    wish = settings.preprocess or ("full" if shows_several(settings) else "crop")
    if wish == "resize":
        return Trimmed(sources[0], (picture.shape[0], picture.shape[1]))
    if wish in ("full", "extfull"):
        limit = None if output.suffix.lower() in PICTURE_ENDINGS else FULL_SIDE
        return Placed(picture, crops, sources, settings, limit=limit)
    return Alone(sources[0])
