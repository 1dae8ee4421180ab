"""Drawings of a search for faces: the views, the candidates and the faces that were found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ...errors import NoFaceError
from ...media.image import Picture, write_image
from ..face import Box, Face
from .analyser import FaceAnalyser
from .report import DetectionReport

VIEW, REFUSED, FOUND = (90, 160, 255), (255, 120, 40), (60, 220, 90)
MAX_CANDIDATES = 20  # candidates that are drawn
LARGEST = 1600  # pixels of the longer side of a debug picture


def no_face(
    where: Path, picture: Picture, analyser: FaceAnalyser, debug_dir: Path | None, *, frames: int = 1
) -> NoFaceError:
    """The error for a picture in which no face was found; it names the search, drawn where a folder is given.

    Args:
        where: file that the picture comes from.
        picture: what was searched, (H, W, 3) RGB uint8; of a video a frame that stands for it.
        debug_dir: folder for the drawing, ``<name>_no_face.png``; made if it is missing.
        frames: number of frames of a video that were searched.

    Raises:
        MediaError: if the drawing cannot be written.
    """
    report = analyser.report(picture)
    what = "no face was found"
    what += f" ({report})" if frames == 1 else f" in {frames} frames (in one of them {report})"
    cure = "Use one that shows a face from the front, large enough and not covered"
    if debug_dir is None:
        return NoFaceError(what, where=where, cure=f"{cure}; --debug_dir shows the search.")
    drawing = write_image(debug_dir / f"{where.stem or where.name}_no_face.png", draw_search(picture, report))
    return NoFaceError(what, where=where, cure=f"{cure}; the search is drawn in {drawing}.")


def draw_search(picture: Picture, report: DetectionReport) -> Picture:
    """Draw the views that were searched (blue) and the candidates in them, with score and reason.

    Args:
        picture: (H, W, 3) RGB uint8.

    Returns:
        (h, w, 3), reduced where it is larger than 1600 pixels.
    """
    sheet = _Sheet(picture)
    for view in report.views:
        sheet.frame(view, VIEW)
    for candidate in reversed(report.candidates[:MAX_CANDIDATES]):
        label = f"{candidate.score:.2f} {candidate.reason}".rstrip()
        sheet.frame(candidate.box, REFUSED if candidate.reason else FOUND, label)
    return sheet.picture


def draw_faces(picture: Picture, faces: Sequence[Face]) -> Picture:
    """Draw box, number, score and landmarks of faces, in their order, on (H, W, 3); sizes as in `draw_search`."""
    sheet = _Sheet(picture)
    for number, face in enumerate(faces):
        sheet.frame(face.box, FOUND, f"{number}: {face.score:.2f}")
        for points in (face.landmarks, face.five):
            if points is not None:
                sheet.dots(points, FOUND)
    return sheet.picture


class _Sheet:
    """A reduced copy of a picture, drawn on in the picture's own coordinates."""

    def __init__(self, picture: Picture) -> None:
        height, width = picture.shape[:2]
        self._scale = min(1.0, LARGEST / max(height, width))
        size = max(1, round(width * self._scale)), max(1, round(height * self._scale))
        self._image = Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
        self._draw = ImageDraw.Draw(self._image)
        self._line = max(1, round(max(size) / 500))
        self._font = ImageFont.load_default(max(10, max(size) // 60))

    @property
    def picture(self) -> Picture:
        return np.array(self._image)

    def frame(self, box: Box, colour: tuple[int, int, int], label: str = "") -> None:
        """Draw a box; one that leaves the picture is drawn along its edge."""
        width, height = self._image.size
        left, right = (min(max(self._to(x), 0.0), width - 1.0) for x in (box.left, box.right))
        top, bottom = (min(max(self._to(y), 0.0), height - 1.0) for y in (box.top, box.bottom))
        if right < left or bottom < top:
            return
        self._draw.rectangle((left, top, right, bottom), outline=colour, width=self._line)
        if label:
            place = (left + 2 * self._line, top + self._line)
            self._draw.text(place, label, fill=colour, font=self._font, stroke_width=1, stroke_fill=(0, 0, 0))

    def dots(self, points: np.ndarray, colour: tuple[int, int, int]) -> None:
        """Draw points (n, 2)."""
        for x, y in points:
            x, y = self._to(x), self._to(y)
            self._draw.ellipse((x - self._line, y - self._line, x + self._line, y + self._line), fill=colour)

    def _to(self, length: float) -> float:
        return (float(length) + 0.5) * self._scale - 0.5
