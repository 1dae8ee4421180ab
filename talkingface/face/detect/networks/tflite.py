"""Small networks in TensorFlow Lite's format, run on the CPU by ai-edge-litert."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ....errors import DependencyError, WeightsError
from ....media.image import Picture
from ....paths import install_command
from ....weights.exact import published_bytes
from ...face import Box

INSTALL = install_command("landmarks")


class Model:
    """One network with one picture at a time. Not for two threads at once: give each its own.

    Attributes:
        side: height and width of the picture it takes.
    """

    def __init__(self, name: str, root: Path, threads: int = 1) -> None:
        """Load a network of the catalogue.

        Args:
            name: in the catalogue.
            root: folder of the weights that the user has added.
            threads: CPU threads inside the network; more than one gains little with networks this small.

        Raises:
            DependencyError: if ai-edge-litert is not installed.
            WeightsError: if the file is not there or another one than the catalogue says.
        """
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise DependencyError("ai_edge_litert is not installed", cure=f"Install it: {INSTALL}") from error
        content = published_bytes(name, root)
        try:
            # The content rather than the path: the library reads a path through its own code page on some systems.
            self._network = Interpreter(model_content=content, num_threads=threads)
            with _without_banner():
                self._network.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            cure = f"Install another ai-edge-litert: {INSTALL}"
            raise WeightsError(f"not a network that can be run ({reason})", where=name, cure=cure) from error
        taken = self._network.get_input_details()[0]
        self._input = taken["index"]
        self._outputs = [given["index"] for given in self._network.get_output_details()]
        self.side = int(taken["shape"][1])

    def __call__(self, picture: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Run the network.

        Args:
            picture: (height, width, 3), both ``side``, in the network's own range.

        Returns:
            Its outputs without the batch axis, in the order of the file.
        """
        self._network.set_tensor(self._input, picture[None])
        self._network.invoke()
        return [self._network.get_tensor(output)[0] for output in self._outputs]


@contextmanager
def _without_banner() -> Iterator[None]:
    """Keep the library from writing to the terminal what it writes once in each process, whatever one sets.

    It writes to the file descriptor, past Python, so that is where it is turned away, the first time only. What goes
    wrong still comes as an exception.
    """
    global _banner_shown
    with _LOCK:
        if _banner_shown:
            yield
            return
        _banner_shown = True
        try:
            kept = os.dup(2)
        except OSError:  # a program without a terminal may have closed it
            yield
            return
        try:
            with Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


_LOCK = threading.Lock()
_banner_shown = False


Border = Literal["black", "edge"]


@dataclass(frozen=True)
class Region:
    """A square that may be turned and may leave the picture.

    Attributes:
        x, y: its middle, in pixels (whole numbers are pixel centres).
        side: in pixels.
        angle: in radians; its upper edge points that far clockwise of the picture's, as seen on the screen.
    """

    x: float
    y: float
    side: float
    angle: float = 0.0

    @property
    def box(self) -> Box:
        """Upright box of the same size around the same middle."""
        half = self.side / 2
        return Box(self.x - half, self.y - half, self.x + half, self.y + half)

    def points_from(self, unit: NDArray[np.floating]) -> NDArray[np.float64]:
        """Picture points of points in the square.

        Args:
            unit: (..., 2) from 0 (left, upper edge of the square) to 1 (right, lower edge).
        """
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        turn = np.array([[cos, sin], [-sin, cos]]) * self.side
        return (unit - 0.5) @ turn + (self.x, self.y)

    def moved_from(self, other: Region) -> float:
        """Largest change of middle, side and turn since ``other``, as parts of its side; a turn by what it moves."""
        turned = (self.angle - other.angle + np.pi) % (2 * np.pi) - np.pi
        moves = (self.x - other.x, self.y - other.y, self.side - other.side, turned * other.side / 2)
        return float(max(map(abs, moves)) / max(other.side, 1e-6))


class Pyramid:
    """A picture and its reductions to a half, a quarter and so on, made when they are first asked for."""

    def __init__(self, picture: Picture) -> None:
        self._levels = [picture]

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the picture itself."""
        height, width = self._levels[0].shape[:2]
        return height, width

    def cut(self, region: Region, side: int, border: Border) -> Picture:
        """Cut the region out as a picture (S, S, 3) with S = ``side``.

        Args:
            border: what lies outside the picture: ``"black"``, or its ``"edge"`` pixels repeated.
        """
        number = max(0, int(np.log2(max(region.side / side, 1.0))))
        shrink = 2**number
        level = self._level(number)
        # From here on in pixels of the level, measured from its upper left corner instead of the first pixel's centre.
        x, y = (region.x + 0.5) / shrink, (region.y + 0.5) / shrink
        step = region.side / shrink / side
        cos, sin = np.cos(region.angle) * step, np.sin(region.angle) * step
        reach = (abs(cos) + abs(sin)) * side / 2 + 2
        part, left, top = _part(level, (x - reach, y - reach, x + reach, y + reach), border)
        middle = side / 2
        matrix = (cos, -sin, x - left - (cos - sin) * middle, sin, cos, y - top - (sin + cos) * middle)
        image = Image.fromarray(part)
        return np.asarray(image.transform((side, side), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR))

    def _level(self, number: int) -> Picture:
        while len(self._levels) <= number:
            self._levels.append(np.asarray(Image.fromarray(self._levels[-1]).reduce(2)))
        return self._levels[number]


def _part(level: Picture, bounds: tuple[float, float, float, float], border: Border) -> tuple[Picture, int, int]:
    """Pixels within the bounds (left, top, right, bottom), with the left and top of what was taken."""
    height, width = level.shape[:2]
    left, top = int(np.floor(bounds[0])), int(np.floor(bounds[1]))
    right, bottom = int(np.ceil(bounds[2])), int(np.ceil(bounds[3]))
    if border == "edge" and (left < 0 or top < 0 or right > width or bottom > height):
        rows, columns = np.arange(top, bottom).clip(0, height - 1), np.arange(left, right).clip(0, width - 1)
        return level[rows[:, None], columns], left, top
    left, top = min(max(left, 0), width - 1), min(max(top, 0), height - 1)
    right, bottom = max(min(right, width), left + 1), max(min(bottom, height), top + 1)
    return np.ascontiguousarray(level[top:bottom, left:right]), left, top
