"""Pictures from and to files. Whatever a file holds, the toolkit gets RGB, (H, W, 3), uint8, upright."""

from __future__ import annotations

import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, features

from ..errors import MediaError, ShapeError
from ..part_files import atomic_file
from ..types import Square
from .ffmpeg import MAX_PIXELS
from .probe import check_file, check_size, too_large

Picture = NDArray[np.uint8]

PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
BACKGROUND = 255  # what shines through transparent parts: white, as on a page

# Formats by name, because Pillow would start other programs for some that are not listed (Ghostscript for EPS).
_READ = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", *(("AVIF",) if features.check("avif") else ()))
_WRITE = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".bmp": "BMP"}
_OPTIONS: dict[str, dict[str, Any]] = {
    "PNG": {"compress_level": 3},
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"lossless": True},
    "BMP": {},
}
# What Pillow's decoders raise on damaged files, besides OSError.
BROKEN = (OSError, SyntaxError, TypeError, ValueError, EOFError, struct.error, zlib.error)


def read_image(path: str | Path, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read a picture (png, jpg, webp, avif, bmp, tiff, or the first frame of a gif).

    It is turned by its EXIF tag; transparent parts are composed over white; grey, palette, 16 bit and CMYK
    become 8-bit RGB (16 bits: the upper eight).

    Args:
        path: the file; its content decides the format, not its name.
        max_pixels: largest width x height accepted.

    Returns:
        (H, W, 3), RGB, uint8.

    Raises:
        MediaError: if it is missing, too large, damaged, or not a picture.
    """
    path = check_file(path)
    with warnings.catch_warnings():
        # Our own limit below raises first, in one line; Pillow's warning would only repeat it.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            with Image.open(path, formats=_READ) as image:
                check_size(image.size, max_pixels, path)
                image.load()
                return _as_rgb(ImageOps.exif_transpose(image), path)
        except Image.UnidentifiedImageError as error:
            raise MediaError(
                "not a picture of a known format", where=path, cure="Accepted: png, jpg, webp, avif, bmp, tiff, gif."
            ) from error
        except Image.DecompressionBombError as error:
            raise too_large("the picture", max_pixels, path) from error
        except BROKEN as error:
            raise MediaError(
                f"the picture is damaged or cut off ({error})", where=path, cure="Fetch or save it again."
            ) from error


def is_transparent(path: Path) -> bool:
    """True if parts of a picture that can be read are transparent."""
    with Image.open(path, formats=_READ) as image:
        if not image.has_transparency_data:
            return False
        return bool(np.asarray(image.convert("RGBA"))[..., 3].min() < 255)


def write_image(path: str | Path, picture: Picture) -> Path:
    """Write a picture; the file appears whole or not at all.

    Args:
        path: .png, .webp, .bmp (exact) or .jpg (quality 95); missing folders are made.
        picture: (H, W, 3), RGB, uint8.

    Raises:
        MediaError: if the ending is unknown or the file cannot be written.
    """
    path = Path(path)
    check_picture(picture)
    if path.suffix.lower() not in _WRITE:
        raise MediaError(f"unknown picture ending '{path.suffix}'", where=path, cure=f"Use one of {', '.join(_WRITE)}.")
    kind = _WRITE[path.suffix.lower()]
    try:
        with atomic_file(path) as part:
            Image.fromarray(picture).save(part, format=kind, **_OPTIONS[kind])
    except OSError as error:
        raise MediaError(f"cannot be written ({error.strerror or error})", where=path) from error
    return path


def resize(picture: Picture, size: tuple[int, int]) -> Picture:
    """Scale a picture to (height, width), bicubic, averaging over the area when it shrinks (no aliasing)."""
    height, width = size
    if picture.shape[:2] == (height, width):
        return picture
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC))


def center_square(picture: Picture) -> Picture:
    """Largest square in the middle of a picture (H, W, C); a view. An odd rest moves it half a pixel up and left."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return picture[top : top + side, left : left + side]


def cut_square(picture: Picture, square: Square) -> Picture:
    """Square part (S, S, C) of a picture (H, W, C); a view."""
    return picture[square.top : square.top + square.side, square.left : square.left + square.side]


def over_background(picture: Picture) -> Picture:
    """Compose (H, W, 4) RGBA with straight alpha over the background; returns (H, W, 3)."""
    alpha = picture[..., 3:].astype(np.uint16)
    blended = picture[..., :3] * alpha + BACKGROUND * (255 - alpha) + 127
    return (blended // 255).astype(np.uint8)


def check_picture(picture: Picture) -> None:
    """Raise ShapeError unless this is (H, W, 3) uint8 with at least one pixel."""
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or picture.size == 0:
        raise ShapeError(f"a picture is (H, W, 3) uint8, got {picture.shape} {picture.dtype}")


def _as_rgb(image: Image.Image, path: Path) -> Picture:
    if image.mode.startswith("I") or image.mode == "F":
        return _from_deep_grey(np.asarray(image), path)
    if image.has_transparency_data:
        return over_background(np.asarray(image.convert("RGBA")))
    return np.array(image.convert("RGB"))


def _from_deep_grey(values: NDArray[np.generic], path: Path) -> Picture:
    """Grey of more than 8 bits. Whole numbers are 16 bit; others have no known range, so they are refused."""
    if not np.issubdtype(values.dtype, np.integer) or values.min() < 0 or values.max() > 65535:
        raise MediaError("grey values beyond 16 bit", where=path, cure="Save the picture with 8 or 16 bits a channel.")
    grey = (values.astype(np.uint32) >> 8).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)
