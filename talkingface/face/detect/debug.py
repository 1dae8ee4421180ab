"""Drawings of a search for faces: the views, the candidates and the faces that were found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ...errors import NoFaceError
from ...media.image import Picture, resize, write_image
from ..face import Box, Face
from .analyser import FaceAnalyser
from .report import DetectionReport

VIEW, REFUSED, FOUND = (90, 160, 255), (255, 120, 40), (60, 220, 90)
RULER = (255, 255, 255)
MAX_CANDIDATES = 20  # candidates that are drawn
LARGEST = 1600  # pixels of the longer side of a debug picture
COLUMNS, COLUMN = 3, 640  # frames in a row of a sheet, and pixels that each is wide at most
NAMED = 3  # candidates whose place, score and fault are written beside them
TICKS = 8  # of the ruler along a side, about


def no_face(
    where: Path,
    picture: Picture,
    analyser: FaceAnalyser,
    debug_dir: Path | None,
    *,
    frames: int = 1,
    others: Sequence[Picture] = (),
    box_flag: str = "",
) -> NoFaceError:
    """The error for a picture in which no face was found; it names the search, drawn where a folder is given.

    Args:
        where: file that the picture comes from.
        picture: what was searched, (H, W, 3) RGB uint8; of a video a frame that stands for it.
        debug_dir: folder for the drawing, ``<name>_no_face.png``; made if it is missing.
        frames: number of frames of a video that were searched.
        others: more frames of the video, (H, W, 3) RGB uint8, for the drawing.
        box_flag: the flag that says where the face is; empty where there is none.

    Raises:
        MediaError: if the drawing cannot be written.
    """
    reports = [analyser.report(look) for look in (picture, *others)]
    best = max(reports, key=lambda report: max((item.score for item in report.candidates), default=0.0))
    what = "no face was found"
    what += f" ({best})" if frames == 1 else f" in {frames} frames (in one of them {best})"
    flags = (
        f"Say where it is with {box_flag}=x,y,w,h, ask for less with --face_threshold, or use" if box_flag else "Use"
    )
    cure = f"{flags} one that shows a face from the front, large enough and not covered"
    if debug_dir is None:
        return NoFaceError(what, where=where, cure=f"{cure}; --debug_dir shows the search.")
    looks = [draw_search(look, report) for look, report in zip((picture, *others), reports, strict=True)]
    drawing = write_image(debug_dir / f"{where.stem or where.name}_no_face.png", _in_columns(looks))
    return NoFaceError(what, where=where, cure=f"{cure}; the search is drawn in {drawing}.")


def _in_columns(pictures: Sequence[Picture]) -> Picture:
    """Pictures (H, W, 3) of one size in rows of up to three; a single one as it is."""
    if len(pictures) == 1:
        return pictures[0]
    columns = min(COLUMNS, len(pictures))
    factor = min(1.0, COLUMN / pictures[0].shape[1])
    height, width = (max(1, round(side * factor)) for side in pictures[0].shape[:2])
    sheet = np.zeros((-(-len(pictures) // columns) * height, columns * width, 3), np.uint8)
    for number, picture in enumerate(pictures):
        top, left = number // columns * height, number % columns * width
        sheet[top : top + height, left : left + width] = resize(picture, (height, width))
    return sheet


def draw_search(picture: Picture, report: DetectionReport) -> Picture:
    """Draw the views that were searched (blue) and the candidates in them (orange), and a ruler.

    The best ones have their place beside them, as ``--source_box`` takes it (x,y,w,h), their score, and why they do not
    count.

    Args:
        picture: (H, W, 3) RGB uint8.

    Returns:
        (h, w, 3), reduced where it is larger than 1600 pixels.
    """
    sheet = _Sheet(picture)
    for view in report.views:
        sheet.frame(view, VIEW)
    for number, candidate in reversed(list(enumerate(report.candidates[:MAX_CANDIDATES]))):
        box, label = candidate.box, ""
        if number < NAMED:
            place = ",".join(f"{edge:.0f}" for edge in (box.left, box.top, box.width, box.height))
            label = f"{place}\n{candidate.score:.2f} {candidate.reason}".rstrip()
        sheet.frame(box, REFUSED if candidate.reason else FOUND, label)
    sheet.ruler()
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
            self._write((left + 2 * self._line, top + self._line), label, colour)

    def ruler(self) -> None:
        """Write pixel numbers of the picture along its upper and left edge."""
        width, height = self._image.size
        step = max(width, height) / self._scale / TICKS
        step = next(size for power in range(7) for n in (1, 2, 5) if (size := n * 10**power) >= step)
        for place in range(step, int(max(width, height) / self._scale), step):
            at = self._to(place)
            if at < width:
                self._draw.line((at, 0, at, 3 * self._line + 2), fill=RULER, width=self._line)
                self._write((at, 3 * self._line + 4), str(place), RULER, "mt")
            if at < height:
                self._draw.line((0, at, 3 * self._line + 2, at), fill=RULER, width=self._line)
                self._write((3 * self._line + 5, at), str(place), RULER, "lm")

    def _write(self, place: tuple[float, float], text: str, colour: tuple[int, int, int], anchor: str = "la") -> None:
        """Write on a dark ground, moved into the sheet where it would leave it; ``anchor`` as Pillow has it."""
        left, top, right, bottom = self._draw.textbbox(place, text, font=self._font, anchor=anchor)
        x, y = max(0.0, right + 2 - self._image.width), max(0.0, bottom + 2 - self._image.height)
        self._draw.rectangle((left - x - 1, top - y - 1, right - x + 1, bottom - y + 1), fill=(0, 0, 0))
        self._draw.text((place[0] - x, place[1] - y), text, fill=colour, font=self._font, anchor=anchor)

    def dots(self, points: np.ndarray, colour: tuple[int, int, int]) -> None:
        """Draw points (n, 2)."""
        for x, y in points:
            x, y = self._to(x), self._to(y)
            self._draw.ellipse((x - self._line, y - self._line, x + self._line, y + self._line), fill=colour)

    def _to(self, length: float) -> float:
        return (float(length) + 0.5) * self._scale - 0.5
