"""Composing frames of the result: the drawn crop, the whole picture, faces put back; and grids of pictures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ...face.crop.crop import Crop
from ...face.crop.framing import FULL_SIDE, Size, full_size, moved_to, picture_part
from ...face.paste.paste import Paster
from ...media.image import PICTURE_ENDINGS, resize
from ..frames import Frame
from ..plan.options import OutputOptions

LEAST_LABELLED, LEAST_STRIP = 128, 16  # pixels: sides of a picture that is labelled, and height of its label


class Compositor(ABC):
    """Makes frames of the result out of drawn crops.

    Attributes:
        picture: (H, W, 3), uint8, the source as the result shows it.
        note: what the user should know, or "".
    """

    picture: Frame
    note: str = ""

    @abstractmethod
    def show(self, drawn: Sequence[Frame]) -> Frame:
        """Frame (H, W, 3), uint8, of the size of `picture`.

        Args:
            drawn: one crop for each person, in their order.
        """


class CropOnly(Compositor):
    """Shows the crop as it was drawn."""

    def __init__(self, source: Frame) -> None:
        self.picture = source

    def show(self, drawn: Sequence[Frame]) -> Frame:
        return drawn[0]


class Uncropped(Compositor):
    """Shows the part of the crop that holds the picture, without what was added to fill up the crop."""

    def __init__(self, source: Frame, picture_size: Size) -> None:
        """Args: source: the crop of the whole picture; picture_size: (height, width) of the picture."""
        self._part = picture_part(picture_size, (source.shape[0], source.shape[1]))
        self.picture = source[self._part]

    def show(self, drawn: Sequence[Frame]) -> Frame:
        return drawn[0][self._part]


class PasteBack(Compositor):
    """Shows the whole picture with each face back in its place."""

    def __init__(
        self,
        picture: Frame,
        crops: Sequence[Crop],
        sources: Sequence[Frame],
        options: OutputOptions,
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
            Paster(self.picture, crop, options.paste, ratio=options.ratio, source_crop=source)
            for crop, source in zip(moved, sources, strict=True)
        ]
        # Large faces are in front of small ones.
        self._pasters = sorted(enumerate(pasters), key=lambda numbered: numbered[1].crop.scale)

    def show(self, drawn: Sequence[Frame]) -> Frame:
        frame: Frame | None = None
        for number, paster in self._pasters:
            frame = paster.paste(drawn[number], frame)
        return self.picture if frame is None else frame


def open_compositor(
    picture: Frame, crops: Sequence[Crop], sources: Sequence[Frame], options: OutputOptions, output: Path
) -> Compositor:
    """Open the compositor that ``--preprocess`` asks for.

    Args: as for :class:`PasteBack`; output: a single picture is never reduced.
    """
    if options.preprocess == "resize":
        return Uncropped(sources[0], (picture.shape[0], picture.shape[1]))
    if options.preprocess in ("full", "extfull"):
        limit = None if output.suffix.lower() in PICTURE_ENDINGS else FULL_SIDE
        if options.highest is not None and picture.shape[0] > options.highest:
            limit = round(options.highest * max(picture.shape[:2]) / picture.shape[0])
        return PasteBack(picture, crops, sources, options, limit=limit)
    return CropOnly(sources[0])


def grid(rows: Sequence[Sequence[Frame]]) -> Frame:
    """Lay out rows of pictures (H, W, 3), uint8; shorter rows and lower pictures are filled up with black.

    Empty rows are left out.

    Returns:
        (sum of the rows' heights, width of the longest row, 3), uint8.
    """
    lines = [_line(row) for row in rows if row]
    width = max(line.shape[1] for line in lines)
    return np.concatenate([_filled(line, line.shape[0], width) for line in lines], axis=0)


def side_by_side(source: Frame, driving: Sequence[Frame], result: Frame) -> list[Frame]:
    """Lay out source, driving and result in a row of one height, that of the result.

    Args:
        source, result: (H, W, 3).
        driving: of any size, one for each driver; none for saved motions.
    """
    height = result.shape[0]
    return [source, *(_of_height(frame, height) for frame in driving), result]


def names_side_by_side(drivings: int) -> list[str]:
    """Names of the pictures that :func:`side_by_side` lays out."""
    return ["source", *(["driving"] if drivings == 1 else [f"driving {n}" for n in range(drivings)]), "result"]


def labelled(row: Sequence[Frame], names: Sequence[str]) -> list[Frame]:
    """Pictures (H, W, 3), uint8, each with its name on a strip below it; a row of tiny ones stays without."""
    if min(min(picture.shape[:2]) for picture in row) < LEAST_LABELLED:
        return list(row)
    height = max(picture.shape[0] for picture in row)
    strip = 2 * max(LEAST_STRIP // 2, round(height / 28))
    return [
        np.concatenate([_filled(picture, height, picture.shape[1]), _strip(name, strip, picture.shape[1])])
        for picture, name in zip(row, names, strict=True)
    ]


@cache
def _strip(name: str, height: int, width: int) -> Frame:
    """The name in the middle of a black strip (height, width, 3), uint8."""
    image = Image.new("RGB", (width, height))
    words, size = name.replace("_", " "), 0.75 * height
    font = ImageFont.load_default(size)
    font = ImageFont.load_default(size * min(1.0, 0.95 * width / max(font.getlength(words), 1.0)))
    ImageDraw.Draw(image).text((width / 2, height / 2), words, fill=(255, 255, 255), font=font, anchor="mm")
    return np.array(image)


def no_higher(frame: Frame, height: int) -> Frame:
    """The frame (H, W, 3), uint8, reduced to ``height`` pixels where it is higher, undistorted."""
    return frame if frame.shape[0] <= height else _of_height(frame, height)


def _line(row: Sequence[Frame]) -> Frame:
    height = max(picture.shape[0] for picture in row)
    return np.concatenate([_filled(picture, height, picture.shape[1]) for picture in row], axis=1)


def _filled(picture: Frame, height: int, width: int) -> Frame:
    down, across = height - picture.shape[0], width - picture.shape[1]
    return np.pad(picture, ((0, down), (0, across), (0, 0))) if down or across else picture


def _of_height(frame: Frame, height: int) -> Frame:
    return resize(frame, (height, max(1, round(frame.shape[1] * height / frame.shape[0]))))
