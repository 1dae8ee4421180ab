"""Paste-back of the animated crop into the whole picture without a visible seam."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...errors import ConfigError, ShapeError
from ...media.image import Picture, check_picture
from ...plugins import PASTES
from ..crop.crop import Crop
from .blend import FEATHER, Mask, Region, region_of

Table = NDArray[np.uint8]

LARGEST_GAIN = 1.25  # contrast is not changed by more than this, or its inverse
FLAT = 2.0  # grey levels; below this spread contrast is noise


def colour_table(result: Picture, wanted: Picture, where: NDArray[np.bool_]) -> Table:
    """Lookup table of each channel that brings mean and spread of a result to those wanted.

    Args:
        result, wanted: (H, W, 3), of the same size and subject.
        where: (H, W), pixels that count.

    Returns:
        (256, 3); the identity where nothing counts.
    """
    levels = np.arange(256.0)[:, None]
    if not where.any():
        return np.repeat(levels, 3, axis=1).astype(np.uint8)
    old, new = result[where].astype(np.float64), wanted[where].astype(np.float64)
    spreads = old.std(0), new.std(0)
    gain = np.where(np.minimum(*spreads) < FLAT, 1.0, spreads[1] / np.maximum(spreads[0], FLAT))
    gain = gain.clip(1 / LARGEST_GAIN, LARGEST_GAIN)
    return np.rint(((levels - old.mean(0)) * gain + new.mean(0)).clip(0, 255)).astype(np.uint8)


def recolour(picture: Picture, table: Table) -> Picture:
    """A picture (H, W, 3) with each channel's values replaced by those of the table (256, 3)."""
    return np.stack([np.take(table[:, channel], picture[..., channel]) for channel in range(3)], axis=-1)


class Paster:
    """Pastes results of one crop into one picture, frame after frame; what all frames share is computed once.

    Colours are matched by the first result that is pasted, and stay so: matching each frame would flicker.
    """

    def __init__(
        self,
        picture: Picture,
        crop: Crop,
        blend: str = "soft",
        *,
        ratio: float = 0.4,
        match_colour: bool = True,
        source_crop: Picture | None = None,
    ) -> None:
        """
        Args:
            picture: (H, W, 3), the whole picture; it is kept, not copied.
            crop: where the results belong.
            blend: ``"soft"``: fades towards the border of the crop. ``"poisson"``: keeps the differences between
                neighbours and takes the border from the picture, so that light and colour follow the picture; slower.
                ``"round"``: a disc, which leaves neighbours alone where several faces stand close. Other packages
                add further ones.
            ratio: radius of the disc over the height of the crop; 0.4 to 0.5 are useful.
            match_colour: bring mean and spread of the first result near its border to those of ``source_crop``.
            source_crop: the crop as the network saw it, of any size; None cuts it again.

        Raises:
            UnknownNameError: if there is no such blend.
            ConfigError: if the ratio is not in 0 .. 1.
            ShapeError: if the crop lies wholly outside the picture.
        """
        check_picture(picture)
        if not 0 < ratio <= 1:
            raise ConfigError(f"a ratio of {ratio} is not above 0 and up to 1", where="--ratio", cure="Try 0.4.")
        self.picture, self.crop, self.ratio = picture, crop, ratio
        self._blend = PASTES.get(blend, where="--paste")
        self._match, self._source = match_colour, source_crop
        self._table: Table | None = None
        self._inverse_crops: dict[tuple[int, ...], Crop] = {}
        self.region: Region = region_of(crop, self._size)
        if self.region[0] >= self.region[2] or self.region[1] >= self.region[3]:
            raise ShapeError(f"the crop at {crop.box} lies outside the picture of {self._size[1]}x{self._size[0]}")

    @cached_property
    def mask(self) -> Mask:
        """(height, width) of ``region``: the share of the result in each pixel, from 0 to 1."""
        return self._blend.mask(self.crop, self.region, self._size, self.ratio)

    def paste(self, result: Picture, onto: Picture | None = None) -> Picture:
        """Paste a result into the whole picture; pixels outside the mask are those of the picture, bit by bit.

        Args:
            result: (h, w, 3), uint8, the crop as it came out of the network, of any size.
            onto: (H, W, 3), a frame of the picture's size to paste into, for example with other faces; None is the
                picture itself. It is not changed.

        Raises:
            ShapeError: if ``onto`` has another size than the picture.
        """
        check_picture(result)
        frame = (self.picture if onto is None else onto).copy()
        if frame.shape != self.picture.shape:
            raise ShapeError(f"a frame of {frame.shape} for a picture of {self.picture.shape}")
        if self._match:
            result = self._coloured(result)
        if self._blend.fit is not None:
            result = self._blend.fit(self._under(result.shape[:2], onto), result)
        left, top, right, bottom = self.region
        part = Image.fromarray(np.ascontiguousarray(frame[top:bottom, left:right]))
        part.paste(Image.fromarray(self._inverse_crop(result.shape[:2]).cut(result)), (0, 0), self._alpha)
        frame[top:bottom, left:right] = np.asarray(part)
        return frame

    @property
    def _size(self) -> tuple[int, int]:
        return self.picture.shape[0], self.picture.shape[1]

    @cached_property
    def _alpha(self) -> Image.Image:
        return Image.fromarray(np.rint(self.mask * 255).astype(np.uint8))

    @cached_property
    def _old(self) -> Picture:
        """The crop of the picture itself."""
        return self.crop.cut(self.picture)

    def _inverse_crop(self, size: tuple[int, int]) -> Crop:
        """The region as a crop of a result of (height, width)."""
        if size not in self._inverse_crops:
            left, top, right, bottom = self.region
            shift = np.array([[1.0, 0.0, left], [0.0, 1.0, top], [0.0, 0.0, 1.0]])
            self._inverse_crops[size] = Crop(self.crop.resized(size).inverse @ shift, (bottom - top, right - left))
        return self._inverse_crops[size]

    def _coloured(self, result: Picture) -> Picture:
        if self._table is None:
            wanted = self._old if self._source is None else self._source
            size = result.shape[0], result.shape[1]
            wanted = Crop.whole(wanted.shape[:2], size).cut(wanted)
            self._table = colour_table(result, wanted, _near_border(size))
        return recolour(result, self._table)

    def _under(self, size: tuple[int, int], onto: Picture | None) -> Picture:
        """The picture, or the frame in its place, under the crop of (height, width)."""
        if onto is None and size == self.crop.size:
            return self._old
        return self.crop.resized(size).cut(self.picture if onto is None else onto)


def _near_border(size: tuple[int, int]) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Mask (height, width) of the soft border, where a difference of colours would show."""
    wide = max(1, round(FEATHER * min(size)))
    near = np.ones(size, np.bool_)
    near[wide : size[0] - wide, wide : size[1] - wide] = False
    return near
